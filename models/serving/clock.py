"""What time it is for a server: the machine's, unless a bench lets days pass.

Only whoever starts the process can move it, by the variable below. It is no setting of a shop: a
home cannot remember it, and a server that has it says so in its log.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

BENCH_CLOCK = "BENCH_CLOCK"  # names a file that holds the seconds to add
Clock = Callable[[], datetime]
_log = logging.getLogger("catwalk")


def utc_now() -> datetime:
    """Return the time of the machine."""
    return datetime.now(UTC)


def clock() -> Clock:
    """Return what tells the time to this process."""
    named = os.environ.get(BENCH_CLOCK)
    if not named:
        return utc_now
    file = Path(named)
    _log.warning("The clock of this server is moved by %s: it is for benches alone.", file)
    return lambda: utc_now() + timedelta(seconds=float(file.read_text(encoding="utf-8")))
