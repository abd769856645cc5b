"""Trying a candidate with other parameters on a run's tables: measured like a run, never released.

An experiment keeps everything below `experiments/NAME` of the lake and of the reports, where no
step of a release looks: there is no verdict it could get, and no bundle it could become.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from itertools import product
from typing import Any, TypeAlias
from zlib import crc32

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from infra.errors import InputError, SettingsError
from infra.ledger.record_files import PAGE, RecordFiles
from infra.ledger.run_records import RunRecords
from infra.records.evaluation import ExperimentRecord
from infra.rules import Rules, parse_rules
from infra.schemas import INTERACTIONS, ITEMS
from infra.storage import Storage
from models.candidates import Candidate, candidate_named, load_candidates, make
from models.data.holdout import Holdout, left_out, select
from models.data.run_tables import RunTables, read_run
from models.evaluation.compare import Judged, compared, score_of
from models.evaluation.measure import measure
from models.recommender import UserIds, require_learnable
from models.tracking import track_scores
from models.training.train import array_lesson, learn_and_keep, load_kept

EXPERIMENTS = "experiments"  # the folder of the lake and of the reports
MLFLOW_EXPERIMENT = "experiment"
PLAN, COMPARISON = "plan.json", "comparison.json"
GATES = (ITEMS.name, INTERACTIONS.name)  # of the tables that are read
MOST_VARIANTS = 12  # each is trained and judged like a candidate

Value: TypeAlias = str | int | float | bool | None
Users: TypeAlias = NDArray[np.bool_]


class Wish(Rules):
    """What the form asks for; a list of values of a parameter means: try each."""

    candidate: str
    parameters: dict[str, Value | list[Value]] = Field(default_factory=dict)
    share: float = Field(1.0, gt=0, le=1)
    run: str | None = None


class Plan(Rules):
    """An experiment before anything is trained; the first variant is the candidate as it is."""

    experiment: str
    run: str
    share: float
    candidate: str
    variants: tuple[Candidate, ...]


def plan(run: str, form: Mapping[str, Any], storage: Storage) -> list[str]:
    """Check a form to the end, write the plan, and return the names of the models to try.

    Raises
    ------
    SettingsError
        A field, the candidate, a parameter or a value of it is none; nothing was trained yet.
    InputError
        No run has accepted tables, or the sample has nobody to learn from or to judge by.
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
    _tables(chosen, storage)
    storage.lake.store.write(
        _key(chosen.experiment, PLAN), chosen.model_dump_json(by_alias=True).encode()
    )
    return [candidate.name for candidate in variants]


def try_variant(run: str, name: str, storage: Storage) -> dict[str, Any]:
    """Train one variant of a planned experiment, and keep it; a rerun replaces it."""
    chosen = read_plan(run, storage)
    candidate = next(one for one in chosen.variants if one.name == name)
    tables, _ = _tables(chosen, storage)
    model = make(candidate, storage.settings)
    place = _key(chosen.experiment, "models")
    return learn_and_keep(candidate, model, array_lesson(tables), chosen.run, storage, place)


def compare_variants(run: str, storage: Storage) -> dict[str, Any]:
    """Judge all variants side by side; write the page, the record, and MLflow's runs."""
    from infra.report.experiment import render_experiment

    chosen = read_plan(run, storage)
    tables, holdout = _tables(chosen, storage)
    judged = [_judged(chosen, one.name, tables, holdout, storage) for one in chosen.variants]
    record = ExperimentRecord(
        experiment=chosen.experiment,
        run=chosen.run,
        candidate=chosen.candidate,
        share=chosen.share,
        at=datetime.now(UTC),
        cut=tables.cut,
        users=len(holdout.users),
        items=int(tables.items.recommendable.sum()),
        train_interactions=int(tables.train.weights.nnz),
        scores=compared(
            judged, holdout, tables, storage.settings.seed, also_with=frozenset({chosen.candidate})
        ),
        notes=tuple(left_out(holdout, tables)),
    )
    files, page = RecordFiles(storage.reports, chosen.experiment), render_experiment(record)
    files.write(COMPARISON, record)
    files.write_text(PAGE, page)
    texts = {COMPARISON: record.model_dump_json(indent=1), PAGE: page}
    track_scores(MLFLOW_EXPERIMENT, chosen.experiment, record.scores, texts, storage.settings)
    return {"variants": len(record.scores), "users": record.users, "page": files.address(PAGE)}


def experiment_of(run: str) -> str:
    """Name the folder of an experiment by its run of the DAG; no run of a release has such one."""
    return f"{EXPERIMENTS}/{run.removeprefix('run=')}"


def read_plan(run: str, storage: Storage) -> Plan:
    """Return the plan of an experiment; raise `StorageError` if none was made."""
    content = storage.lake.store.read(_key(experiment_of(run), PLAN))
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
            "Name another run, or none for the latest.",
        )
    return key


def _is_accepted(storage: Storage, run: str) -> bool:
    gates = [RunRecords(storage, run).load_gate(name) for name in GATES]
    return all(gate is not None and gate.verdict != "stopped" for gate in gates)


def _variants(wish: Wish) -> tuple[Candidate, ...]:
    """Return the baselines, the candidate as it is, and one for every point of the grid."""
    asis = candidate_named(wish.candidate)
    baselines = [one for one in load_candidates() if one.baseline and one.name != asis.name]
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


def _tables(chosen: Plan, storage: Storage) -> tuple[RunTables, Holdout]:
    """Read the tables of the run, less the users who are not in the sample."""
    tables = sampled(read_run(storage, chosen.run), chosen.share)
    try:
        require_learnable(tables.train, tables.items)
        return tables, select(tables)
    except InputError as error:
        if chosen.share == 1:
            raise
        raise InputError(f"{error.fact} The share is {chosen.share:g}.", "Raise it.") from error


def sampled(tables: RunTables, share: float) -> RunTables:
    """Keep a share of the users, the same at every call; items stay as they are."""
    if share == 1:
        return tables
    train, (users, items) = tables.train, tables.holdout
    kept, judged = in_sample(train.users, share), in_sample(users, share)
    pairs = np.repeat(kept, np.diff(train.weights.indptr))
    part = replace(
        train,
        users=train.users[kept],
        weights=train.weights[np.flatnonzero(kept)],
        last_times=train.last_times[pairs],
    )
    return replace(tables, train=part, holdout=(users[judged], items[judged]))


def in_sample(users: UserIds, share: float) -> Users:
    """Tell by a hash of their keys who is in; a larger share has everyone of a smaller one.

    Examples
    --------
    >>> in_sample(np.array(["a", "b", "c", "d"]), 0.5).tolist()
    [False, True, True, False]
    """
    limit = share * 2**32
    return np.array([crc32(user.encode()) < limit for user in users.tolist()], dtype=np.bool_)


def _judged(
    chosen: Plan, name: str, tables: RunTables, holdout: Holdout, storage: Storage
) -> Judged:
    trained = load_kept(storage, _key(chosen.experiment, "models"), name)
    if trained.fit.run != chosen.run:
        raise InputError(f"{name} learnt from {trained.fit.run}.", "Clear the tasks try_variant.")
    return score_of(name, "candidate", trained), measure(trained.model, holdout, tables)


def _key(experiment: str, name: str) -> str:
    return f"{experiment}/{name}"
