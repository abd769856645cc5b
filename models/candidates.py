"""Which models compete: reads `candidates.yaml` and makes the recipes it names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, get_args

from pydantic import Field, ValidationError
from pydantic.fields import FieldInfo

from infra.errors import SettingsError
from infra.ledger.run_rules import CANDIDATES, rules_of
from infra.loading import load_named
from infra.records.run_rules import AnchorPlan
from infra.rules import Strict, parse_mapping, parse_rules, read_rules
from infra.settings import Settings
from infra.storage import Storage

ANCHOR = "anchor"
ANCHOR_REFITS = 2  # its recipe may be in no file by now that says how many
TAKEN = {"champion", ANCHOR}  # the live model and an earlier recipe are scored under these names
METHODS = ("fit", "load")
MOVED = {  # bundles published earlier name the former module of their class
    f"models.{file}:{name}": f"models.recommenders.{file}:{name}"
    for file, name in {
        "also_bought": "AlsoBought",
        "content": "Content",
        "lightfm_hybrid": "LightFMHybrid",
        "popularity": "Popularity",
        "spark_als": "SparkALS",
    }.items()
}
CLASS_PATH = r"^models(\.[a-z][a-z0-9_]*)+:[A-Z][A-Za-z0-9]*$"


class Entry(Strict):
    """One entry of the file: the class of a model's recipe, and its parameters."""

    class_path: str = Field(alias="class", pattern=CLASS_PATH)
    parameters: dict[str, str | int | float | bool | None] = Field(default_factory=dict)
    baseline: bool = False
    enabled: bool = True
    noise_refits: int = Field(2, ge=0, le=20)  # none is trained of a model without a seed
    why: str = Field(min_length=1)


class Candidate(Entry):
    """An entry and its name."""

    name: str


def load_candidates(file: Path = CANDIDATES, *, every: bool = False) -> tuple[Candidate, ...]:
    """Return the enabled candidates of a file as it is now, or every one; imports no model.

    Raises
    ------
    SettingsError
        As `parse_candidates` does, or the file cannot be read.
    """
    entries = parse_candidates(read_rules(file), str(file))
    return entries if every else enabled(entries)


def candidates_of(storage: Storage, run: str, *, every: bool = False) -> tuple[Candidate, ...]:
    """Return the candidates that compete in a run, or every one of the file that the run kept."""
    kept = rules_of(storage, run).candidates
    entries = parse_candidates(kept.content, kept.origin)
    return entries if every else enabled(entries)


def parse_candidates(content: bytes, origin: str) -> tuple[Candidate, ...]:
    """Return every candidate in the order of the file, also those that are not enabled.

    Raises
    ------
    SettingsError
        The file cannot be read, a name cannot be a folder name, or no candidate could be released.
    """
    entries = parse_mapping(content, Entry, origin)
    for name in entries:
        if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
            raise SettingsError(f"{origin}: '{name}' is no candidate name.", "Use snake_case.")
        if name in TAKEN:
            raise SettingsError(
                f"{origin}: no candidate may be called '{name}'.",
                "It names what all are held against.",
            )
    if all(entry.baseline for entry in entries.values() if entry.enabled):
        raise SettingsError(
            f"{origin}: every enabled candidate is a baseline.", "Enable one to release."
        )
    return tuple(
        Candidate(name=name, **entry.model_dump(by_alias=True)) for name, entry in entries.items()
    )


def enabled(candidates: Iterable[Candidate]) -> tuple[Candidate, ...]:
    """Return those that compete in a run."""
    return tuple(candidate for candidate in candidates if candidate.enabled)


def candidate_named(name: str, candidates: Iterable[Candidate] | None = None) -> Candidate:
    """Return one of some candidates, by default of the file as it is now, enabled or not.

    Raises
    ------
    SettingsError
        No candidate has this name; the message lists all.
    """
    every = load_candidates(every=True) if candidates is None else candidates
    by_name = {candidate.name: candidate for candidate in every}
    if name not in by_name:
        raise SettingsError(f"There is no candidate '{name}'.", f"Known are {', '.join(by_name)}.")
    return by_name[name]


def candidate_to_train(storage: Storage, run: str, name: str) -> Candidate:
    """Return a candidate that competes in a run, or the anchor that the run has planned.

    Raises
    ------
    SettingsError
        No candidate of the run has this name, or it planned no anchor.
    """
    plan = rules_of(storage, run).anchor
    if name == ANCHOR and plan is not None:
        return anchor_candidate(plan)
    return candidate_named(name, candidates_of(storage, run, every=True))


def anchor_candidate(plan: AnchorPlan) -> Candidate:
    """Return what a run trains as its anchor; raise `SettingsError` where its class is no class."""
    content = {
        "name": ANCHOR,
        "class": MOVED.get(plan.class_path, plan.class_path),
        "parameters": plan.parameters,
        "noise_refits": ANCHOR_REFITS,
        "why": f"the recipe of {plan.version}",
    }
    return parse_rules(content, Candidate, f"The recipe of {plan.version}")


def make(candidate: Candidate, settings: Settings) -> Any:
    """Make a recipe, with this shop's seed, threads and memory where its class takes them.

    Raises
    ------
    SettingsError
        The class does not exist or lacks a method, or a parameter is unknown, missing or out of
        range.
    """
    recipe = model_class(candidate.class_path)
    fields = recipe.model_fields
    for name in candidate.parameters:
        if name not in fields:
            names = ", ".join(fields) or "none"
            raise SettingsError(
                f"{candidate.class_path} has no parameter '{name}'.", f"It takes: {names}."
            )
    shop = {
        "random_state": settings.seed,
        "num_threads": settings.training_threads,
        "memory_mb": settings.training_memory_mb,
    }
    from_shop = {name: value for name, value in shop.items() if name in fields}
    try:
        return recipe.model_validate({**from_shop, **candidate.parameters}, strict=True)
    except ValidationError as error:
        wrong = error.errors()[0]
        name = str(wrong["loc"][0])
        if wrong["type"] == "missing":
            fact = f"{candidate.class_path} needs the parameter '{name}'."
            raise SettingsError(fact, "Give it a value.") from error
        fact = f"The parameter {name} is {wrong['input']!r}."
        raise SettingsError(fact, _range_of(fields[name])) from error


def _range_of(field: FieldInfo) -> str:
    """Say which values a parameter may have."""
    choices = get_args(field.annotation)
    if choices:
        return f"Choose one of {', '.join(map(str, choices))}."
    bounds = {name: value for part in field.metadata for name, value in _bounds(part)}
    kind = "a whole number" if field.annotation is int else "a number"
    limits = (f"{word} {bounds[word]:.10g}" for word in ("from", "to") if word in bounds)
    return " ".join(["Choose", kind, *limits]) + "."


def _bounds(part: object) -> Iterator[tuple[str, float]]:
    for word, name in (("from", "ge"), ("to", "le")):
        if (bound := getattr(part, name, None)) is not None:
            yield word, bound


def require_sound(candidates: Iterable[Candidate], settings: Settings) -> None:
    """Make every recipe once: before any is trained, each is known to be valid.

    Raises
    ------
    SettingsError
        As `make` does; the message names the candidate too.
    """
    for candidate in candidates:
        try:
            make(candidate, settings)
        except SettingsError as error:
            raise SettingsError(f"{candidate.name}: {error.fact}", error.cure) from error


def model_class(path: str) -> Any:
    """Import a class below `models` and hold it to the `Recipe` protocol.

    Raises
    ------
    SettingsError
        The path is not below `models`, or names no class, or not a recipe.
    """
    path = MOVED.get(path, path)
    if not re.fullmatch(CLASS_PATH, path):
        raise SettingsError(f"'{path}' is no class of Catwalk.", "Write models.FILE:CLASS.")
    named = load_named(path)
    for method in METHODS:
        if not callable(getattr(named, method, None)):
            raise SettingsError(
                f"{path} has no method '{method}'.", "See Recipe in models/recommender.py."
            )
    if not (isinstance(named, type) and issubclass(named, Strict)):
        raise SettingsError(
            f"{path} does not say its parameters.",
            "Derive it from Strict of infra/rules.py, a field per parameter.",
        )
    return named
