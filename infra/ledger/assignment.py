"""Says which arm of an A/B test a unit is in: by a salted hash, so that nobody has to remember it.

Spark's `conv(substr(sha2(concat(salt, '.', unit), 256), 1, 15), 16, 10) % 10000` is the same.
"""

from __future__ import annotations

import hashlib

from infra.records.ab_tests import BUCKETS, ArmName, Phase, Range

LAYER_SALT = "catwalk layer"  # tests of one placement divide its buckets among them


def bucket_of(salt: str, unit: str) -> int:
    """Return the bucket of a unit, from 0 to 9,999.

    >>> bucket_of("home-1", "6b8848b4369213f569a85289031e5f11")
    1499
    """
    return int(hashlib.sha256(f"{salt}.{unit}".encode()).hexdigest()[:15], 16) % BUCKETS


def arm_of(phase: Phase, unit: str) -> ArmName | None:
    """Return the arm of a unit; None if it is not in the test.

    Parameters
    ----------
    unit : str
        The key of the user or of the visitor, as the test says; "" is in no test.
    """
    if not unit or not _holds(phase.layer, bucket_of(LAYER_SALT, unit)):
        return None
    bucket = bucket_of(phase.salt, unit)
    if _holds(phase.control, bucket):
        return "control"
    return "treatment" if _holds(phase.treatment, bucket) else None


def _holds(buckets: Range, bucket: int) -> bool:
    return buckets[0] <= bucket < buckets[1]
