"""Judges every running A/B test and keeps the verdict of the day in the reports."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from infra.errors import CatwalkError, StorageError
from infra.ledger import decision_log
from infra.ledger.ab_tests import TestState, read_ab_tests
from infra.ledger.ab_verdicts import latest_ab_verdict, save_ab_verdict
from infra.ledger.decision_log import Decision
from infra.records.ab_verdicts import AbVerdict, TestHealth
from infra.rules import describe
from infra.schemas import TEST_UNITS
from infra.storage import Storage
from models.ab_tests.unit_totals import read_units, units_key
from models.ab_tests.verdict import judge_ab_test

JUDGE = "judge_ab_tests"


@dataclass(frozen=True)
class Judged:
    """What was found: verdicts, and the tests that have no units yet, by name."""

    verdicts: tuple[AbVerdict, ...]
    without_units: tuple[str, ...]

    def counts(self) -> dict[str, Any]:
        """Return what Airflow shows of it."""
        found = {verdict.name: verdict.outcome for verdict in self.verdicts}
        return {**found, **dict.fromkeys(self.without_units, "no units yet")}


def judge_ab_tests(storage: Storage, as_of: datetime) -> Judged:
    """Judge all running tests as of a time; the same time and tables give the same bytes.

    Raises
    ------
    CatwalkError
        A test cannot be judged; all others are judged before.
    """
    verdicts, waiting, errors = list[AbVerdict](), list[str](), list[CatwalkError]()
    there = set(storage.lake.partitions(TEST_UNITS.name))
    for state in read_ab_tests(storage).running():
        if units_key(state) not in there:
            waiting.append(state.test.name)
            continue
        try:
            verdicts.append(_keep(storage, _judged(storage, state, as_of)))
        except CatwalkError as error:
            errors.append(error)
    if errors:
        raise type(errors[0])(" ".join(error.fact for error in errors), errors[0].cure)
    return Judged(tuple(verdicts), tuple(waiting))


def _judged(storage: Storage, state: TestState, as_of: datetime) -> AbVerdict:
    partition = units_key(state)
    totals = read_units(storage, partition, state.exposed_until)
    return judge_ab_test(state, totals, _health(storage, partition), as_of)


def _health(storage: Storage, partition: str) -> TestHealth:
    """Return what the units' writer has counted of the answers; a test without it is not judged."""
    facts = storage.lake.manifest(TEST_UNITS.name, partition)
    try:
        return TestHealth.model_validate({n: facts.get(n) for n in TestHealth.model_fields})
    except ValidationError as error:
        raise StorageError(
            f"{TEST_UNITS.name}/{partition} does not say how it was served: {describe(error)}",
            "Run measure_business again.",
        ) from error


def _keep(storage: Storage, verdict: AbVerdict) -> AbVerdict:
    """Save a verdict; an outcome that is new is an entry of the decision log, written before."""
    before = latest_ab_verdict(storage, verdict.name)
    if verdict.outcome != "too early" and (
        before is None or before.verdict.outcome != verdict.outcome
    ):
        decision_log.append(storage.reports, _entry(verdict))
    return save_ab_verdict(storage, verdict).verdict


def _entry(verdict: AbVerdict) -> Decision:
    return Decision(
        at=verdict.as_of,
        what="ab_test",
        about=verdict.name,
        outcome=verdict.outcome,
        by=JUDGE,
        why=verdict.headline,
        facts={"test": str(verdict.test), "phase": str(verdict.phase)},
    )
