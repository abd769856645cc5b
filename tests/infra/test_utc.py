"""A time without a zone is UTC, and no run replays the future."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from infra.errors import InputError
from infra.utc import require_past


@pytest.mark.parametrize("zone", [None, UTC, timezone(timedelta(hours=13))])
def test_a_time_in_the_future_is_refused(zone: timezone | None) -> None:
    now = datetime.now(zone or UTC).replace(tzinfo=zone)
    for past in (now, now - timedelta(hours=1)):
        assert require_past(past) == past
    with pytest.raises(InputError, match=r"^as_of \d.* UTC lies in the future: it is \d.* now\. "):
        require_past(now + timedelta(minutes=2))
