"""Waits until a condition holds, by asking again and again for a bounded time."""

from __future__ import annotations

from collections.abc import Callable

from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed


def wait_until(condition: Callable[[], bool], seconds: float, pause: float = 0.3) -> bool:
    """Ask until the answer is yes; False when it is still no after so many seconds.

    Asks at least once, and once more when the time is over. What `condition` raises ends it.
    """
    asking = Retrying(
        retry=retry_if_result(lambda answer: not answer),
        stop=stop_after_delay(seconds),
        wait=wait_fixed(pause),
        retry_error_callback=lambda _: False,
    )
    return bool(asking(condition))
