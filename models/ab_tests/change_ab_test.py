"""Changes the shares of a running A/B test: a new phase with a new salt, whose units count anew."""

from __future__ import annotations

import math
from datetime import UTC, datetime

from infra.errors import InputError
from infra.ledger import decision_log
from infra.ledger.ab_tests import KnownTests, add_ab_record, read_ab_tests
from infra.ledger.decision_log import Decision
from infra.ledger.record_files import RecordFiles
from infra.places import AB_TEST_PLAN
from infra.records.ab_tests import AbTest, PhaseChange
from infra.storage import Storage
from models.ab_tests.phases import next_phase
from models.ab_tests.plan_ab_test import PlanRecord

MOST_DAYS = 90
_PERCENT = 100.0


def change_ab_test(
    storage: Storage, test: str, shares: tuple[float, float], by: str, why: str, run: str
) -> PhaseChange:
    """Begin the next phase of a test, once for each run of the form.

    Parameters
    ----------
    test : str
        Its name; what follows the first blank does not matter, as the form shows the verdict too.
    shares : tuple of float
        In percent: of all units that are in the test, and of these the share of treatment.

    Raises
    ------
    InputError
        There is no such test, it has ended, the units are not free, or the planned ones would take
        more than 90 days at that traffic.
    """
    name = test.strip().partition(" ")[0]
    state = read_ab_tests(storage).named(name)
    made = next((change for change in state.changes if change.run == run), None)
    traffic, treatment = (percent / _PERCENT for percent in shares)

    days = None if made else _days_needed(storage, state.test, traffic, treatment)

    def make(known: KnownTests) -> PhaseChange:
        now = known.named(name)
        if now.ended:
            raise InputError(f"The test '{name}' has ended.", "Start another one.")
        return PhaseChange(
            at=datetime.now(UTC),
            by=by,
            run=run,
            changes=now.test.number,
            phase=next_phase(known, now, traffic, treatment),
            reason=why,
            days_needed=days,
        )

    made = made or add_ab_record(storage, make)
    entry = Decision(
        at=made.at,
        what="ab_test",
        about=name,
        outcome=f"{traffic:.0%} of the traffic, {treatment:.0%} of it treatment",
        by=by,
        why=why,
        facts={"test": str(made.changes), "record": str(made.number)},
    )
    decision_log.append(storage.reports, entry)
    return made


def _days_needed(storage: Storage, test: AbTest, traffic: float, treatment: float) -> int | None:
    """Return how many days the test takes at other shares; None where no plan is kept."""
    plan = (
        RecordFiles(storage.reports, test.run).read(AB_TEST_PLAN, PlanRecord) if test.run else None
    )
    if plan is None:
        return None
    wish = plan.wish
    # what the planned days suffice for says how many units a day were counted on
    a_day = plan.units / wish.days * (wish.least_effect / plan.detects) ** 2 / wish.traffic
    # the variance of a difference is as 1 / (share of one arm x share of the other)
    planned, now = (share * (1 - share) for share in (wish.treatment_share, treatment))
    units = plan.units * planned / now
    days = math.ceil(round(units / (a_day * traffic), 6))
    if days > MOST_DAYS:
        raise InputError(
            f"At {traffic:.1%} of the traffic, {treatment:.1%} of it treatment, the "
            f"{math.ceil(round(units, 6)):,} units that are needed take {days:,} days.",
            f"Take more of the traffic, so that {MOST_DAYS} days suffice, or end the test.",
        )
    return days
