"""Gives the treatment of an A/B test a folder of its own, from which it is built as a winner is.

The folder `arm=NAME` gets copies of the tables of the run that made both arms, of the trained
candidate, and of the run's rules and scores, and a verdict by which the candidate goes on. So the
steps that follow are those of a release, and nothing of the run itself changes.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from infra.errors import CatwalkError, InputError, StorageError
from infra.ledger.record_files import RecordFiles
from infra.ledger.run_records import RunRecords
from infra.ledger.run_rules import keep, rules_of
from infra.places import VERDICT, costs_key, trained_of
from infra.records.steps import GATES, LATER_GATES
from infra.schemas import CATALOGUE, HISTORY, INTERACTIONS, ITEMS, RECOMMENDATIONS, STEPS
from infra.storage import Storage
from infra.stores.object_store import MANIFEST, read_if_there
from models.ab_tests.plan_ab_test import candidate_of, load_plan
from models.publishing.evidence import Evidence
from models.publishing.publishable import gate_refusals
from models.release.verdict import outcome_of

TABLES = tuple(table.name for table in (INTERACTIONS, ITEMS, HISTORY, CATALOGUE))


def prepare_treatment(storage: Storage, arm: str) -> dict[str, Any]:
    """Copy what the treatment is built from; again if it is called again.

    Raises
    ------
    InputError
        The run is too old, so that its tables or its candidates are gone, or the candidate cannot
        be tested.
    CatwalkError
        A gate did not let the tables of the run pass.
    """
    plan = load_plan(storage, arm)
    run, candidate = plan.run, plan.wish.candidate
    verdict, judged = candidate_of(storage, run, candidate)
    _require_gated(storage, run)
    keep(storage, rules_of(storage, run).model_copy(update={"run": arm}))
    for table in TABLES:
        _copy(storage, f"{table}/{run}", f"{table}/{arm}")
    _copy(storage, f"{trained_of(run)}/{candidate}", f"{trained_of(arm)}/{candidate}")
    costs = read_if_there(storage.lake.store, costs_key(trained_of(run), candidate))
    if costs is not None:
        storage.lake.store.write(costs_key(trained_of(arm), candidate), costs)
    evaluation = RunRecords(storage, run).load_evaluation()
    if evaluation is None:
        raise _gone(f"The evaluation of {run}")
    RunRecords(storage, arm).save_evaluation(evaluation.model_copy(update={"run": arm}))
    judgements = (*judged.judgements, *verdict.doubts)
    change = {
        "run": arm,
        "at": datetime.now(UTC),
        "candidate": candidate,
        "judgements": judgements,
        "outcome": outcome_of(judgements),
        "model_sha256": judged.model_sha256,
        "chosen": None,
    }
    RecordFiles(storage.reports, arm).write(VERDICT, verdict.model_copy(update=change))
    return {"run": run, "candidate": candidate, "tables": len(TABLES)}


def _require_gated(storage: Storage, run: str) -> None:
    """Raise the first reason why the tables of a run may not be used."""
    records = RunRecords(storage, run)
    has_steps = storage.lake.store.exists(f"{STEPS.name}/{run}/{MANIFEST}")
    wanted = [
        name
        for name in GATES
        if name != RECOMMENDATIONS.name and (name not in LATER_GATES or has_steps)
    ]
    read = ((name, records.load_gate(name)) for name in wanted)
    tables = [*TABLES, STEPS.name] if has_steps else TABLES
    evidence = Evidence(
        run=run,
        approvers=(),
        gates={name: gate for name, gate in read if gate is not None},
        tables={name: _manifest(storage, name, run) for name in tables},
    )
    refusals: list[CatwalkError] = [r for name in wanted for r in gate_refusals(name, evidence)]
    if refusals:
        raise refusals[0]


def _manifest(storage: Storage, table: str, run: str) -> dict[str, Any]:
    try:
        return storage.lake.manifest(table, run)
    except StorageError as error:
        raise _gone(run) from error


def _copy(storage: Storage, key: str, to: str) -> None:
    store = storage.lake.store
    if not store.exists(f"{key}/{MANIFEST}"):
        raise _gone(key.partition("/")[2])
    with storage.scratch() as scratch:
        store.put_folder(store.fetch_folder(key, scratch), to)


def _gone(what: str) -> InputError:
    return InputError(
        f"{what} is gone, so its like cannot be built.",
        "Start the test after the next release.",
    )
