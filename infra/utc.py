"""Converts times to UTC, where one without a zone counts as UTC, and refuses the future."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from infra.errors import InputError

_CLOCKS_DIFFER = timedelta(minutes=1)  # of two machines of a cluster


def in_utc(at: datetime) -> datetime:
    """Return a time in UTC; raise `ValueError` where the calendar ends.

    >>> in_utc(datetime(2026, 11, 24, 14)).isoformat()
    '2026-11-24T14:00:00+00:00'
    """
    try:
        return at.replace(tzinfo=at.tzinfo or UTC).astimezone(UTC)
    except OverflowError as error:
        raise ValueError(f"{at} lies beyond the calendar") from error


def require_past(as_of: datetime) -> datetime:
    """Return the time a run replays the shop as of.

    Raises
    ------
    InputError
        It lies in the future: the hold-out would be days on which nothing could happen yet.
    """
    now = datetime.now(UTC)
    if in_utc(as_of) > now + _CLOCKS_DIFFER:
        wanted, is_now = (f"{time:%Y-%m-%d %H:%M} UTC" for time in (in_utc(as_of), now))
        raise InputError(
            f"as_of {wanted} lies in the future: it is {is_now} now.",
            "Leave it empty for the time of the run, or name a time that has passed.",
        )
    return as_of
