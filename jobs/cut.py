"""The times of a run: its window, and the cut between what models learn from and the hold-out.

The cut is the latest midnight (UTC) that leaves enough customers to judge by. The hold-out has at
least `holdout_days`, at most `most_holdout_days`, at most a quarter of the days that have data, and
starts no earlier than that of the champion, which has learnt what lies before. `holdout_days` is
the least even where a quarter of the data, or the time since the champion's cut, is shorter.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

TRAIN, HOLDOUT = "train", "holdout"
DAY = timedelta(days=1)
LimitedBy = Literal["", "most_holdout_days", "quarter", "champion"]


@dataclass(frozen=True)
class Times:
    """The times of a run, all UTC: events from `start`, trained before `cut`, hold-out to `end`."""

    start: datetime
    cut: datetime
    end: datetime


@dataclass(frozen=True)
class Wish:
    """How much of a hold-out a shop wants: customers to judge by, and its least and most days."""

    users: int
    least_days: int
    most_days: int


@dataclass(frozen=True)
class Cut:
    """The cut that was chosen for the hold-out up to `end`, and what limited the choice.

    `users` is the number of customers it leaves to judge, `wanted_users` how many were wanted.
    """

    at: datetime
    end: datetime
    users: int
    wanted_users: int
    limited_by: LimitedBy

    @property
    def facts(self) -> dict[str, Any]:
        """What the manifest of the interactions says of the hold-out."""
        facts = {"users": self.users, "wanted_users": self.wanted_users}
        return facts | {"days": (self.end - self.at).days, "limited_by": self.limited_by}


def inside(events: DataFrame, window: Times) -> DataFrame:
    """Keep the events of the training window."""
    time = F.col("event_time")
    return events.filter((time >= F.lit(window.start)) & (time < F.lit(window.end)))


def split_at(events: DataFrame, cut: datetime) -> DataFrame:
    """Say for each event whether models learn from it or are scored on it."""
    before = F.col("event_time") < F.lit(cut)
    return events.withColumn("part", F.when(before, TRAIN).otherwise(HOLDOUT))


def midnights(end: datetime, wish: Wish) -> list[datetime]:
    """Return the midnights that a hold-out up to `end` may start at, the earliest first.

    >>> [str(time) for time in midnights(datetime(2026, 11, 30, 6, tzinfo=UTC), Wish(1, 3, 5))]
    ['2026-11-26 00:00:00+00:00', '2026-11-27 00:00:00+00:00']
    """
    latest = latest_midnight(end, wish)
    days = ((latest - (end - wish.most_days * DAY)) / DAY) // 1
    return [latest - back * DAY for back in range(max(int(days), 0), -1, -1)]


def latest_midnight(end: datetime, wish: Wish) -> datetime:
    """Return the midnight that leaves the shortest hold-out, of `least_days` or hours more."""
    latest = (end - wish.least_days * DAY).astimezone(UTC)
    return latest.replace(hour=0, minute=0, second=0, microsecond=0)


def choose_cut(
    users: Mapping[datetime, int],
    end: datetime,
    wish: Wish,
    days_with_data: int,
    champion: datetime | None,
) -> Cut:
    """Choose the latest midnight that leaves enough customers to judge, within the limits.

    Where none does, the one that leaves most of them, and what forbade to go further back. That is
    the champion only if more customers could be judged without it: in a small shop its cut is the
    first midnight that the shop's own limits left, and takes nothing away.

    Parameters
    ----------
    users : mapping of datetime to int
        The customers that each midnight of `midnights` would leave to judge.
    champion : datetime or None
        The cut of the champion; None where nothing is live.
    """
    earliest, own_limit = _own_limit(end, wish, days_with_data)
    own = _best(users, end, wish, earliest)
    at = own if champion is None else _best(users, end, wish, max(earliest, champion))
    limited_by: LimitedBy = "champion" if users[at] < users[own] else own_limit
    return Cut(at, end, users[at], wish.users, "" if users[at] >= wish.users else limited_by)


def _best(users: Mapping[datetime, int], end: datetime, wish: Wish, earliest: datetime) -> datetime:
    """Return the latest midnight from a time on that leaves enough, or else the most, customers."""
    latest = latest_midnight(end, wish)
    allowed = [time for time in sorted(users, reverse=True) if time >= earliest or time == latest]
    enough = (time for time in allowed if users[time] >= wish.users)
    return next(enough, max(allowed, key=lambda time: users[time]))


def _own_limit(end: datetime, wish: Wish, days_with_data: int) -> tuple[datetime, LimitedBy]:
    """Return before which time no hold-out may start whatever is live, and by which limit."""
    limits: list[tuple[datetime, LimitedBy]] = [
        (end - wish.most_days * DAY, "most_holdout_days"),
        (end - days_with_data / 4 * DAY, "quarter"),
    ]
    return max(limits, key=lambda limit: limit[0])
