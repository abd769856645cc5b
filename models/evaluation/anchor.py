"""Finds the recipe that was live some time ago: a chain of small losses shows against it.

It is trained again on the run's own data and scored beside the champion, so it is never stale, and
of the old version nothing needs to be kept but its recipe, which its pointer names.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from infra.errors import CatwalkError, SettingsError
from infra.ledger.live_pointer import live, not_rolled_back
from infra.places import version_key
from infra.records.release import LiveRecipe, PublishRecord
from infra.records.run_rules import AnchorPlan
from infra.storage import Storage
from models.bundle_layout import JUDGED, MODEL
from models.candidates import ANCHOR, MOVED, Candidate, anchor_candidate, make
from models.training.trained_model import FIT, Fit

UNKNOWN = "nobody wrote down how it was made, and its files are gone"


def plan_anchor(
    storage: Storage, candidates: Iterable[Candidate], now: datetime, days: int
) -> AnchorPlan | None:
    """Say which recipe the candidates of a run are held against; None before the first release.

    That of the version which was live `days` ago, also where a person has approved another one
    since; in a younger shop, of the last release that a person approved, or of the first. Where it
    cannot be made, as pointers of an earlier Catwalk do not name it, of the last release that a
    person approved since, or else of the oldest since that can be; without any, the plan says what
    is `missing`.
    """
    first = None
    for pointer in _wanted(storage, now - timedelta(days=days)):
        plan = _plan(storage, pointer, candidates)
        if not plan.missing:
            return plan
        first = first or plan
    return first


def _wanted(storage: Storage, then: datetime) -> Iterator[PublishRecord]:
    """Give the pointers whose recipe may be the anchor, the most wanted first."""
    since, before = list[PublishRecord](), None
    for pointer in not_rolled_back(storage):
        if pointer.at <= then:
            before = pointer
            break
        since.append(pointer)
    approved = [pointer for pointer in since if pointer.is_release and pointer.decided is not None]
    if before is not None:
        yield before
    yield from approved[:1]
    yield from reversed(since)


def _plan(storage: Storage, pointer: PublishRecord, candidates: Iterable[Candidate]) -> AnchorPlan:
    about = {"version": pointer.version, "live_at": pointer.at, "candidate": pointer.candidate}
    recipe = pointer.recipe or _recipe_in_files(storage, pointer.version)
    if recipe is None:
        return AnchorPlan.model_validate({**about, "missing": UNKNOWN})
    plan = AnchorPlan.model_validate({**about, **recipe.model_dump()})
    same = (candidate.name for candidate in candidates if recipe_of(candidate) == recipe_of(plan))
    scored_as = next(same, ANCHOR)
    try:
        make(anchor_candidate(plan), storage.settings)
    except SettingsError as error:
        return plan.model_copy(update={"missing": error.fact})
    return plan.model_copy(update={"scored_as": scored_as})


def live_recipe(storage: Storage) -> LiveRecipe | None:
    """Return how what is live was made; None where nothing is, or nobody wrote it down."""
    now = live(storage)
    return (now.recipe or _recipe_in_files(storage, now.version)) if now else None


def recipe_of(entry: Candidate | AnchorPlan | LiveRecipe) -> tuple[str, dict[str, object]]:
    """Return what two entries have in common that train the same model."""
    return MOVED.get(entry.class_path, entry.class_path), dict(entry.parameters)


def _recipe_in_files(storage: Storage, version: str) -> LiveRecipe | None:
    """Read the recipe in the files of a version: pointers of an earlier Catwalk do not name it."""
    for below in (JUDGED, MODEL):
        try:
            content = storage.published.read(f"{version_key(version)}/{below}/{FIT}")
            fit = Fit.model_validate_json(content)
        except (CatwalkError, OSError, ValueError):
            continue
        return LiveRecipe(class_path=fit.class_path, parameters=fit.parameters)
    return None
