"""Plans an experiment: checks the form a person filled in, and lists the variants to try."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import Field

from infra.errors import InputError, SettingsError
from infra.ledger.run_records import RunRecords
from infra.ledger.run_rules import placements_of
from infra.places import EXPERIMENTS, PLAN
from infra.records.evaluation import Tried
from infra.rules import Strict, parse_rules
from infra.schemas import INTERACTIONS, ITEMS
from infra.storage import Storage
from models.candidates import Candidate, candidate_named, load_candidates, make
from models.data.holdout import Holdout, select
from models.data.run_tables import RunTables, read_run
from models.evaluation.anchor import live_recipe, recipe_of
from models.experiments.sample import sampled
from models.experiments.space import Point, Space, corners, grid, has_range
from models.recommender import require_learnable
from models.recommenders.capabilities import LearnsFromTable

MODELS = "models"  # of an experiment, below its folder in the lake
GATES = (ITEMS.name, INTERACTIONS.name)  # of the tables that are read
LIVE = "live"  # the recipe of what is live, where no other variant has it


class Wish(Strict):
    """What the form asks for; a list of a parameter means: try each value, a range: search it."""

    candidate: str
    parameters: Space = Field(default_factory=dict)
    budget: int = Field(20, ge=1, le=500)
    share: float = Field(1.0, gt=0, le=1)
    run: str | None = None


class Plan(Strict):
    """An experiment before anything is trained.

    `live` names the variant with the recipe of what is live. With a range in `space`, the search
    adds its best points to the variants, and all of them to `tried`.
    """

    experiment: str
    run: str
    share: float
    candidate: str
    variants: tuple[Candidate, ...]
    live: str = ""
    space: Space = Field(default_factory=dict)
    budget: int = 0
    tried: tuple[Tried, ...] = ()


def plan_experiment(storage: Storage, run: str, form: Mapping[str, Any]) -> list[str]:
    """Check a form to the end, write the plan, and return the names of the models to try.

    Raises
    ------
    SettingsError
        A field, the candidate, a parameter or its value does not exist; nothing was trained yet.
    InputError
        No run has accepted tables, or the sample has nobody to learn from or to score on.
    """
    wish = parse_rules(dict(form), Wish, "The form")
    variants = _variants(storage, wish)
    for candidate in (*variants, *_corners(storage, wish)):
        make(candidate, storage.settings)
    chosen = Plan(
        experiment=experiment_of(run),
        run=_accepted(storage, wish.run) if wish.run else latest_accepted(storage),
        share=wish.share,
        candidate=wish.candidate,
        variants=variants,
        live=_live_among(storage, variants),
        space=wish.parameters,
        budget=wish.budget,
    )
    read_sample(storage, chosen)
    storage.lake.store.write(
        key_of(chosen.experiment, PLAN), chosen.model_dump_json(by_alias=True).encode()
    )
    return [candidate.name for candidate in variants]


def experiment_of(run: str) -> str:
    """Name the folder of an experiment by its run of the DAG; no run of a release has such one."""
    return f"{EXPERIMENTS}/{run.removeprefix('run=')}"


def read_plan(storage: Storage, run: str) -> Plan:
    """Return the plan of an experiment; raise `StorageError` if none was made."""
    content = storage.lake.store.read(key_of(experiment_of(run), PLAN))
    return Plan.model_validate_json(content)


def latest_accepted(storage: Storage) -> str:
    """Return the run whose tables passed their gates and reach the furthest in time."""
    accepted = [
        run for run in storage.lake.partitions(INTERACTIONS.name) if _is_accepted(storage, run)
    ]
    if not accepted:
        raise InputError(
            "No run has tables that passed their gates.", "Run retrain_recommender first."
        )
    ends = {run: storage.lake.manifest(INTERACTIONS.name, run)["as_of"] for run in accepted}
    return max(accepted, key=lambda run: (str(ends[run]), run))


def _accepted(storage: Storage, run: str) -> str:
    key = run if run.startswith("run=") else f"run={run}"
    if key not in storage.lake.partitions(INTERACTIONS.name) or not _is_accepted(storage, key):
        raise InputError(
            f"{key} has no tables that passed their gates.",
            "Name another run, or leave it empty for the latest.",
        )
    return key


def _is_accepted(storage: Storage, run: str) -> bool:
    gates = [RunRecords(storage, run).load_gate(name) for name in GATES]
    return all(gate is not None and gate.result != "stopped" for gate in gates)


def _variants(storage: Storage, wish: Wish) -> tuple[Candidate, ...]:
    """Return the baselines, what is live, the candidate as it is, and each point of the grid."""
    asis = candidate_named(wish.candidate)
    baselines = [
        candidate
        for candidate in load_candidates()
        if candidate.baseline and candidate.name != asis.name
    ]
    points = [] if has_range(wish.parameters) else grid(wish.parameters)
    whole = [{**asis.parameters, **point} for point in points]
    fresh = [
        point for place, point in enumerate(whole) if point not in [asis.parameters, *whole[:place]]
    ]
    tried = (*baselines, asis, *numbered(asis, fresh))
    recipe = live_recipe(storage)
    if recipe is None or any(recipe_of(variant) == recipe_of(recipe) for variant in tried):
        return tried
    about = {"name": LIVE, "class": recipe.class_path, "parameters": recipe.parameters}
    return (*tried, Candidate.model_validate({**about, "why": "what is live"}))


def _live_among(storage: Storage, variants: Sequence[Candidate]) -> str:
    """Name the variant that is trained as what is live is; empty where nothing is."""
    recipe = live_recipe(storage)
    if recipe is None:
        return ""
    return next(each.name for each in variants if recipe_of(each) == recipe_of(recipe))


def _corners(storage: Storage, wish: Wish) -> Iterator[Candidate]:
    """Give a candidate for every value that a search may choose, to be made before it begins."""
    asis = candidate_named(wish.candidate)
    recipe = make(asis, storage.settings)
    if has_range(wish.parameters) and isinstance(recipe, LearnsFromTable):
        raise SettingsError(
            f"{asis.name} learns from a table, which a search does not cut.",
            "Give lists of values in place of ranges.",
        )
    for point in corners(wish.parameters):
        yield asis.model_copy(update={"parameters": {**asis.parameters, **point}})


def numbered(asis: Candidate, points: Sequence[Point]) -> tuple[Candidate, ...]:
    """Return the candidate with other parameters, as `NAME-1` and so on."""
    return tuple(
        asis.model_copy(update={"name": f"{asis.name}-{number}", "parameters": point})
        for number, point in enumerate(points, 1)
    )


def key_of(experiment: str, name: str) -> str:
    """Return the key of a file or folder of an experiment in the lake."""
    return f"{experiment}/{name}"


def read_sample(storage: Storage, chosen: Plan) -> tuple[RunTables, Holdout]:
    """Read the tables of the run, less the users who are not in the sample."""
    tables = sampled(read_run(storage, chosen.run), chosen.share)
    try:
        require_learnable(tables.train, tables.items)
        return tables, select(tables, placements_of(storage, chosen.run).home.rule)
    except InputError as error:
        if chosen.share == 1:
            raise
        raise InputError(f"{error.fact} The share is {chosen.share:g}.", "Raise it.") from error
