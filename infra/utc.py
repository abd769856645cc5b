"""Converts times to UTC; a time without a zone, in a form or a file, counts as UTC."""

from __future__ import annotations

from datetime import UTC, datetime


def in_utc(at: datetime) -> datetime:
    """Return a time in UTC; raise `ValueError` where the calendar ends.

    >>> in_utc(datetime(2026, 11, 24, 14)).isoformat()
    '2026-11-24T14:00:00+00:00'
    """
    try:
        return at.replace(tzinfo=at.tzinfo or UTC).astimezone(UTC)
    except OverflowError as error:
        raise ValueError(f"{at} lies beyond the calendar") from error
