"""Checks an A/B test that a person wants, and says what it needs, before anything is trained.

The control is what is live. The treatment is another candidate of the run that made it: both have
learnt from the same data, and neither learns again as long as the test goes on.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from pydantic import AwareDatetime

from infra.errors import InputError
from infra.ledger.ab_tests import KnownTests, read_ab_tests
from infra.ledger.live_pointer import live
from infra.ledger.record_files import RecordFiles
from infra.ledger.run_records import RunRecords
from infra.ledger.run_rules import placements_of
from infra.places import AB_TEST_PLAN
from infra.records.ab_tests import Arm
from infra.records.release import CandidateVerdict, VerdictRecord
from infra.rules import Strict
from infra.storage import Storage
from models.ab_tests.measured_today import measured_today
from models.ab_tests.phases import first_phase
from models.ab_tests.plan import Today, plan, today_by_word
from models.ab_tests.todays_traffic import todays_traffic
from models.ab_tests.wish import Wish


class PlanRecord(Strict):
    """What a test needs, and what it is about.

    Attributes
    ----------
    run : str
        The folder of the run that made both arms.
    control : Arm
        What was live when the test was planned.
    units, days_needed, detects
        See `models.ab_tests.plan.Plan`.
    """

    at: AwareDatetime
    wish: Wish
    run: str
    control: Arm
    units: int
    days_needed: int
    detects: float
    sentence: str

    def counts(self) -> dict[str, Any]:
        """Return what Airflow shows of it."""
        shown = {"units", "days_needed", "sentence"}
        return {**self.model_dump(include=shown), "version": self.control.version}


def plan_ab_test(storage: Storage, arm: str, wish: Wish) -> PlanRecord:
    """Check a test, and save and return its plan.

    Parameters
    ----------
    arm : str
        The folder of all that is made for the treatment.

    Raises
    ------
    InputError
        Nothing is live, the name is taken, a placement or the candidate is not one that can be
        tested, the traffic is taken by other tests, or the days do not suffice.
    """
    pointer = live(storage)
    if pointer is None:
        raise InputError("Nothing is live, so there is no control.", "Release something first.")
    known = read_ab_tests(storage)
    require_new(known, wish.name)
    phase = first_phase(known, wish.placements, wish.unit, wish.traffic, wish.treatment_share)
    if wish.candidate == pointer.candidate:
        raise InputError(
            f"{wish.candidate} is live, and would be tested against itself.",
            "Choose another candidate.",
        )
    candidate_of(storage, pointer.run, wish.candidate)
    places = placements_of(storage, pointer.run).placements
    unknown = [name for name in wish.placements if name not in places]
    if unknown:
        raise InputError(
            f"There is no placement {', '.join(unknown)} in {pointer.version}.",
            f"It has {', '.join(places)}.",
        )
    needed = plan(
        _today(storage, known, wish),
        wish.primary,
        wish.least_effect,
        wish.days,
        wish.traffic,
        phase.shares,
        wish.reason,
    )
    record = PlanRecord(
        at=datetime.now(UTC),
        wish=wish,
        run=pointer.run,
        control=Arm(version=pointer.version, candidate=pointer.candidate),
        units=needed.units,
        days_needed=needed.days_needed,
        detects=needed.detects,
        sentence=needed.sentence,
    )
    RecordFiles(storage.reports, arm).write(AB_TEST_PLAN, record)
    return record


def _today(storage: Storage, known: KnownTests, wish: Wish) -> Today:
    """Return the traffic to plan with: as the person says, else as it was measured."""
    if wish.units_a_day is not None and wish.mean is not None:
        return today_by_word(wish.primary, wish.units_a_day, wish.mean)
    about = (wish.placements, wish.unit, wish.primary)
    measured = measured_today(storage, known, *about) or todays_traffic(storage, *about)
    if measured is None:
        raise InputError(
            f"Nobody has measured how many customers come to {', '.join(wish.placements)}.",
            "Write customers a day and the metric today into the form.",
        )
    return measured


def load_plan(storage: Storage, arm: str) -> PlanRecord:
    """Return the plan of a test; raise `InputError` if it was never planned."""
    record = RecordFiles(storage.reports, arm).read(AB_TEST_PLAN, PlanRecord)
    if record is None:
        raise InputError(f"{arm} has no plan.", "Run plan_ab_test first.")
    return record


def require_new(known: KnownTests, name: str) -> None:
    """Raise `InputError` if there ever was a test of a name."""
    if any(state.test.name == name for state in known.tests.values()):
        raise InputError(f"There is an A/B test '{name}' already.", "Give it another name.")


def candidate_of(storage: Storage, run: str, name: str) -> tuple[VerdictRecord, CandidateVerdict]:
    """Return the verdict of a run, and that of one of its candidates, which may be tested.

    Raises
    ------
    InputError
        The run has no verdict, or it has no such candidate, or rejects it.
    """
    verdict = RunRecords(storage, run).load_verdict()
    if verdict is None:
        raise InputError(f"The verdict of {run} is gone.", "Start the test after the next release.")
    fit = {each.name: each for each in verdict.candidates if each.outcome != "reject"}
    if name not in fit:
        rejected = next((each for each in verdict.candidates if each.name == name), None)
        fact = f"'{name}' is no candidate of {run}"
        raise InputError(
            f"{fact}, which made what is live."
            if rejected is None
            else f"{name} was rejected by the verdict of {run}: {rejected.reason}",
            f"It has {', '.join(each for each in fit if each != verdict.candidate) or 'no other'}.",
        )
    return verdict, fit[name]
