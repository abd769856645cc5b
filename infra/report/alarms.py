"""Says what fell since a release, for the message to people and for the page Business."""

from __future__ import annotations

from infra.ledger.alarms import alarm_of
from infra.records.alarms import KpiChange, ReleaseWatch
from infra.report.standing import Standing
from infra.storage import Storage

NAMES = {"ctr": "clicks per item seen", "orders": "orders per list", "revenue": "revenue per list"}


def alarm_of_live(storage: Storage, now: Standing) -> ReleaseWatch | None:
    """Return what people were told of the pointer that is live; None if nothing fell."""
    return alarm_of(storage, now.live.number) if now.live else None


def fell_text(watch: ReleaseWatch) -> str:
    """Say what fell beyond chance, and by how much.

    >>> fell_text(ReleaseWatch(
    ...     number=3, version="v9", since="2026-11-24T12:00:00Z", last_day=None, changes=[KpiChange(
    ...         kpi="orders", before=0.05, after=0.04, relative=-0.2, low=-0.31, high=-0.08, days=5,
    ...         days_before=20)]))
    'orders per list fell by 20% (between 8% and 31%)'
    """
    return "; ".join(map(_fell, watch.fallen))


def _fell(change: KpiChange) -> str:
    return (
        f"{NAMES[change.kpi]} fell by {-change.relative:.0%} "
        f"(between {max(0.0, -change.high):.0%} and {-change.low:.0%})"
    )
