"""A home that the code at commit 756a9b8 filled: later code must read it and go on from it.

What lies in it, and what happened there, is said in tests/fixtures/README.md.
"""

from __future__ import annotations

import tarfile
from pathlib import Path

ARCHIVE = Path(__file__).parent / "fixtures" / "home_of_756a9b8.tar.gz"
RELEASED = "run=manual__2026-11-20T06-00-00.123456-00-00"  # by its thresholds
APPROVED = "run=manual__2026-11-22T06-00-00.123456-00-00"  # by a person, after a review
ROLLED_BACK_BY = "run=manual__2026-11-23T06-00-00.123456-00-00"  # of roll_back_release: no records
STOPPED = "run=manual__2026-11-24T06-00-00.123456-00-00"  # by the events gate
ACCEPTED_BATCH = "batch=shop-000002"  # stopped in STOPPED, then accepted by a person
LIVE_VERSION = "20261120T000000Z-e9dd1dde0194"  # of RELEASED: a `content` model
WITHDRAWN_VERSION = "20261122T000000Z-566a34673b27"  # of APPROVED: a `lightfm_hybrid` model


def unpack_old_home(into: Path) -> None:
    """Put the folders lake, published and reports of that home below a folder."""
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(into, filter="data")
