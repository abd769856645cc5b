"""Judges every running A/B test and keeps the verdict of the day in the reports."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from infra.errors import CatwalkError, StorageError
from infra.ledger import decision_log
from infra.ledger.ab_tests import TestState, read_ab_tests
from infra.ledger.ab_verdicts import (
    is_told,
    latest_ab_verdict,
    note_told_verdict,
    save_ab_verdict,
)
from infra.ledger.decision_log import Decision
from infra.ledger.marts import latest, units_of_test
from infra.ledger.served import days_of_log, served_manifests
from infra.mart_schemas import TEST_UNITS
from infra.records.ab_verdicts import AbVerdict, TestHealth
from infra.storage import Storage
from models.ab_tests.unit_totals import ARMS, read_units
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


def judge_ab_tests(
    storage: Storage, as_of: datetime, tell: Callable[[AbVerdict], bool] = lambda _: False
) -> Judged:
    """Judge all running tests as of a time; the same time and tables give the same bytes.

    Parameters
    ----------
    tell : callable
        Is given each verdict of a new outcome that asks for a decision, and says whether people
        were told; where they were not, it is given it again by the next call.

    Raises
    ------
    CatwalkError
        A test cannot be judged; all others are judged before.
    """
    verdicts, waiting, errors = list[AbVerdict](), list[str](), list[CatwalkError]()
    build = latest(storage)
    there = build.partitions.get(TEST_UNITS.name, {}) if build else {}
    for state in read_ab_tests(storage).running():
        if f"{state.test.number}-{state.phase_number}" not in there:
            waiting.append(state.test.name)
            continue
        try:
            verdicts.append(_keep(storage, _judged(storage, state, as_of), tell))
        except CatwalkError as error:
            errors.append(error)
    if errors:
        raise type(errors[0])(" ".join(error.fact for error in errors), errors[0].cure)
    return Judged(tuple(verdicts), tuple(waiting))


def _judged(storage: Storage, state: TestState, as_of: datetime) -> AbVerdict:
    units, facts = units_of_test(storage, state.test.number, state.phase_number)
    totals = read_units(units, state.exposed_until)
    totals = replace(totals, known_until=str(facts.get("known_until", "")))
    return judge_ab_test(state, totals, _health(storage, state, facts, as_of), as_of)


def _health(
    storage: Storage, state: TestState, facts: dict[str, Any], as_of: datetime
) -> TestHealth:
    """Return how a phase was served; a test of which nobody counted the answers is not judged."""
    versions: dict[str, dict[str, int]] | None = facts.get("answers_by_version")
    if versions is None:
        raise StorageError(
            f"The units of '{state.test.name}' do not say which versions answered.",
            "Run measure_business again.",
        )
    own = {"control": state.test.control.version, "treatment": state.test.treatment.version}
    by_arm = {arm: versions.get(arm, {}) for arm in ARMS}
    days = days_of_log(served_manifests(storage))
    first, last = (at.date().isoformat() for at in (state.phase_since, as_of))
    log = [counted for day, counted in days.items() if first <= day <= last]
    return TestHealth(
        answers={arm: sum(counts.values()) for arm, counts in by_arm.items()},
        other_versions={
            arm: sum(n for version, n in counts.items() if version != own[arm])
            for arm, counts in by_arm.items()
        },
        missing=facts.get("missing") or {},
        in_log=sum(counted.answers for counted in log),
        lost=sum(counted.missing for counted in log),
    )


def _keep(storage: Storage, verdict: AbVerdict, tell: Callable[[AbVerdict], bool]) -> AbVerdict:
    """Save a verdict; an outcome that is new is an entry of the decision log, written before."""
    latest_one = latest_ab_verdict(storage, verdict.name)
    before = latest_one.verdict if latest_one else None
    said = (before.phase, before.outcome) if before else None
    if verdict.outcome != "too early" and said != (verdict.phase, verdict.outcome):
        decision_log.append(storage.reports, _entry(verdict))
    if verdict.outcome != "too early" and not is_told(storage, verdict) and tell(verdict):
        note_told_verdict(storage, verdict)
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
