"""Create-only objects with growing numbers in a folder: `FOLDER/0000000001.json`, the next, ...

Of several writers of the same number exactly one wins, and nothing is ever rewritten. So a number
that is missing was deleted by somebody.
"""

from __future__ import annotations

import re

from infra.stores.object_store import ObjectStore

ATTEMPTS = 20  # writers at the same moment; each attempt has one winner
_NAME = re.compile(r"(\d{10})\.json")


def key(folder: str, number: int) -> str:
    """Return the key of a number.

    >>> key("live", 42)
    'live/0000000042.json'
    """
    return f"{folder}/{number:010d}.json"


def numbers(store: ObjectStore, folder: str) -> list[int]:
    """Return the sorted numbers of a folder; objects of other names have none."""
    names = (name.removeprefix(f"{folder}/") for name in store.list(folder))
    return [int(match[1]) for match in map(_NAME.fullmatch, names) if match]


def newest(store: ObjectStore, folder: str) -> int:
    """Return the highest number of a folder; 0 if it is empty."""
    return max(numbers(store, folder), default=0)


def missing(present: list[int]) -> list[int]:
    """Return the numbers that were deleted.

    >>> missing([1, 2, 5])
    [3, 4]
    """
    return sorted(set(range(1, max(present, default=0))) - set(present))
