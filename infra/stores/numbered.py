"""Create-only objects with growing numbers in a folder: `FOLDER/0000000001.json`, the next, ...

Of several writers of the same number exactly one wins, and nothing is ever rewritten. So a number
that is missing was deleted by somebody.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from infra.errors import BusyError
from infra.stores.object_store import AlreadyExistsError, ObjectStore

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


def append(store: ObjectStore, folder: str, make: Callable[[int], bytes | None]) -> int:
    """Create the next object of a folder, and return its number.

    Parameters
    ----------
    make : callable
        From the number to the content, asked anew for each number that is tried; it may rely on
        all objects before. None adds nothing, and the number before is returned.

    Raises
    ------
    StorageError
        The storage fails, or many write at once: `BusyError`.
    """
    for _ in range(ATTEMPTS):
        number = newest(store, folder) + 1
        content = make(number)
        if content is None:
            return number - 1
        try:
            store.create(key(folder, number), content)
        except AlreadyExistsError:
            continue  # another writer was first with this number
        return number
    raise BusyError(f"Many write to {store.address}/{folder} at once.", "Run the step again.")


def after(store: ObjectStore, folder: str, number: int) -> Iterator[tuple[int, bytes]]:
    """Give the objects above a number with theirs, ascending, each read when it is asked for."""
    for later in numbers(store, folder):
        if later > number:
            yield later, store.read(key(folder, later))


def missing(present: list[int]) -> list[int]:
    """Return the numbers that were deleted.

    >>> missing([1, 2, 5])
    [3, 4]
    """
    return sorted(set(range(1, max(present, default=0))) - set(present))
