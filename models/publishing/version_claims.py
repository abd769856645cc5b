"""Whether a published version may go live or be deleted: a numbered, create-only log for each.

Deleting a version must not meet a pointer that moves to it. Looking at the pointer first is not
enough, as it may move between the look and the deletion; so both sides write into one log, whose
entries `claims/VERSION/0000000001.json` have one winner each:

- Who wants pointer N to name a version claims that, then looks whether the version is whole, then
  creates the pointer. A claim is open until pointer N exists, whoever created it.
- Who wants to delete a version reads its log, then the pointers, and gives the version up, unless
  a claim is open or the version is needed. Only then, and whenever it likes, it deletes.
- After a version was given up nobody claims it again: the same bytes have the same name, and stay
  out.

So what is live is never deleted, however the steps of the two interleave and whoever dies where.
Suppose a version was given up with entry E, and pointer N names it. Its claim has a smaller number
than E, as none has a larger one, and was there when E's writer read the log: else E's number had
been taken. At that moment or later the writer read the pointers. Pointer N either stood there, so
the version was seen to be live, or needed, or replaced for long; or it did not, and the claim was
open: then E was not written. And between a claim and its pointer nothing is deleted, for that is
what a give-up needs.
"""

from __future__ import annotations

from collections.abc import Callable

from infra.errors import PublishError
from infra.ledger.live_pointer import LIVE
from infra.rules import Strict, parse_json
from infra.storage import Storage
from infra.stores.numbered import ATTEMPTS, key, newest
from infra.stores.object_store import AlreadyExistsError

CLAIMS = "claims"
CURE = "Restore it from a backup of the published folder."


class Claim(Strict):
    """One entry: the number of the pointer that may name the version; None gives it up for good."""

    pointer: int | None


def claim(storage: Storage, version: str, pointer: int) -> None:
    """Keep a version from being deleted until a pointer of this number stands.

    Raises
    ------
    PublishError
        The version was given up to be deleted.
    """
    for _ in range(ATTEMPTS):
        number, last = _newest(storage, version)
        if last is not None and last.pointer is None:
            raise PublishError(
                f"Version {version} was deleted, or is being deleted.",
                "Choose a later one, or start a new run: its bundle has a name of its own.",
            )
        if last is not None and last.pointer is not None and last.pointer >= pointer:
            return
        if _added(storage, version, number + 1, Claim(pointer=pointer)):
            return
    raise PublishError(f"Version {version} is claimed by many at once.", "Run the step again.")


def give_up(storage: Storage, version: str, needed: Callable[[], bool]) -> bool:
    """Tell whether a version may be deleted, and if so let it never go live again.

    Parameters
    ----------
    needed : callable
        Reads the pointers and tells whether the version must stay.
    """
    number, last = _newest(storage, version)
    if last is not None and last.pointer is None:
        return True
    moved_to = newest(storage.published, LIVE)
    is_open = last is not None and last.pointer is not None and last.pointer > moved_to
    if is_open or needed():
        return False
    return _added(storage, version, number + 1, Claim(pointer=None))


def _newest(storage: Storage, version: str) -> tuple[int, Claim | None]:
    """Return the last entry and its number; 0 and None where there is none."""
    number = newest(storage.published, _log(version))
    if number == 0:
        return 0, None
    place = key(_log(version), number)
    content = storage.published.read(place)
    return number, parse_json(content, Claim, f"The claim {place}", CURE, PublishError)


def _added(storage: Storage, version: str, number: int, entry: Claim) -> bool:
    """Write an entry; False where somebody else wrote this number first."""
    try:
        storage.published.create(key(_log(version), number), entry.model_dump_json().encode())
    except AlreadyExistsError:
        return False
    return True


def _log(version: str) -> str:
    return f"{CLAIMS}/{version}"
