"""The alarm after a release: what fell since, against the same weekdays before."""

from __future__ import annotations

from datetime import date
from typing import Literal

from pydantic import AwareDatetime, Field

from infra.rules import Strict

WatchedKpi = Literal["ctr", "orders", "revenue"]


class KpiChange(Strict):
    """A KPI since a release.

    Attributes
    ----------
    before, after : float
        Means over days: clicks per impression, or orders or revenue per answer.
    relative, low, high : float
        The change, relative to before, with its 99% interval.
    days, days_before : int
        Days that were compared.
    """

    kpi: WatchedKpi
    before: float
    after: float
    relative: float
    low: float
    high: float
    days: int
    days_before: int

    @property
    def fell(self) -> bool:
        """Whether it fell beyond chance."""
        return self.high < 0


class ReleaseWatch(Strict):
    """What is known of the newest release.

    Attributes
    ----------
    number : int
        Of its pointer.
    since : datetime
        When it went live.
    last_day : date or None
        The last complete day that counts; None before there is one.
    changes : tuple of KpiChange
        Of what can be compared: nothing in the first days, or where too few earlier ones are known.
    """

    number: int = Field(ge=1)
    version: str
    since: AwareDatetime
    last_day: date | None
    changes: tuple[KpiChange, ...]

    @property
    def fallen(self) -> tuple[KpiChange, ...]:
        """What fell beyond chance."""
        return tuple(change for change in self.changes if change.fell)
