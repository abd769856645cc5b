"""Plans an experiment: checks the form a person filled in, and lists the variants to try."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Any, TypeAlias

from pydantic import Field

from infra.errors import InputError, SettingsError
from infra.ledger.run_records import RunRecords
from infra.ledger.run_rules import placements_of
from infra.places import EXPERIMENTS, PLAN
from infra.rules import Strict, parse_rules
from infra.schemas import INTERACTIONS, ITEMS
from infra.storage import Storage
from models.candidates import Candidate, candidate_named, load_candidates, make
from models.data.holdout import Holdout, select
from models.data.run_tables import RunTables, read_run
from models.experiments.sample import sampled
from models.recommender import require_learnable

MODELS = "models"  # of an experiment, below its folder in the lake
GATES = (ITEMS.name, INTERACTIONS.name)  # of the tables that are read
MOST_VARIANTS = 12  # each is trained and scored like a candidate
Value: TypeAlias = str | int | float | bool | None


class Wish(Strict):
    """What the form asks for; a list of values of a parameter means: try each."""

    candidate: str
    parameters: dict[str, Value | list[Value]] = Field(default_factory=dict)
    share: float = Field(1.0, gt=0, le=1)
    run: str | None = None


class Plan(Strict):
    """An experiment before anything is trained; the first variant is the candidate as it is."""

    experiment: str
    run: str
    share: float
    candidate: str
    variants: tuple[Candidate, ...]


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
    variants = _variants(wish)
    for candidate in variants:
        make(candidate, storage.settings)
    chosen = Plan(
        experiment=experiment_of(run),
        run=_accepted(storage, wish.run) if wish.run else latest_accepted(storage),
        share=wish.share,
        candidate=wish.candidate,
        variants=variants,
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


def _variants(wish: Wish) -> tuple[Candidate, ...]:
    """Return the baselines, the candidate as it is, and one for every point of the grid."""
    asis = candidate_named(wish.candidate)
    baselines = [
        candidate
        for candidate in load_candidates()
        if candidate.baseline and candidate.name != asis.name
    ]
    lists = [value if isinstance(value, list) else [value] for value in wish.parameters.values()]
    points = [
        {**asis.parameters, **dict(zip(wish.parameters, point, strict=True))}
        for point in product(*lists)
    ]
    if len(points) > MOST_VARIANTS:
        raise SettingsError(
            f"The grid has {len(points)} points.", f"Try at most {MOST_VARIANTS} at once."
        )
    if not points:
        raise SettingsError("A parameter has an empty list.", "Give it a value.")
    fresh = [
        point
        for place, point in enumerate(points)
        if point not in [asis.parameters, *points[:place]]
    ]
    tried = (
        asis.model_copy(update={"name": f"{asis.name}-{number}", "parameters": point})
        for number, point in enumerate(fresh, 1)
    )
    return (*baselines, asis, *tried)


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
