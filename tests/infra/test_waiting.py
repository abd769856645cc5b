"""Waiting ends with the first yes, with the time, or with an error."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import pytest

from infra.errors import AirflowError
from infra.waiting import wait_until


def after(number: int) -> tuple[Callable[[], bool], list[int]]:
    """Return a condition that is true at one call, and the list of its calls."""
    calls: list[int] = []

    def is_so() -> bool:
        calls.append(len(calls))
        return len(calls) >= number

    return is_so, calls


@pytest.mark.parametrize("seconds", [5, math.inf])
def test_it_ends_with_the_first_yes(seconds: float) -> None:
    condition, calls = after(3)
    assert wait_until(condition, seconds, pause=0.01)
    assert calls == [0, 1, 2]


def test_it_ends_with_the_time_and_asks_at_its_end() -> None:
    condition, calls = after(1_000)
    started = time.monotonic()
    assert not wait_until(condition, 0.2, pause=0.05)
    assert 0.2 <= time.monotonic() - started < 2
    assert len(calls) >= 2


def test_it_asks_at_least_once() -> None:
    assert wait_until(lambda: True, 0)
    assert not wait_until(lambda: False, 0)


def test_what_the_condition_raises_ends_it() -> None:
    def broken() -> bool:
        raise AirflowError("It ended.", "Start it again.")

    with pytest.raises(AirflowError, match="It ended"):
        wait_until(broken, 60)
