"""Fetches a version, checks every byte of it, and unpacks it to files that all workers share.

`python -m models.serving.unpack VERSION` is a process of its own, so that what it needs is given
back when it ends; it exits with 1 and one line on standard error if the version cannot be served.
Of several that unpack at the same time, one does it and the others wait.
"""

from __future__ import annotations

import fcntl
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from infra.errors import BundleError, CatwalkError, StorageError
from infra.ledger.ab_tests import versions_under_test
from infra.ledger.live_pointer import before_live, live
from infra.places import version_key
from infra.settings import load_settings
from infra.storage import Storage
from infra.stores.aside import name_aside
from infra.stores.digests import verified
from models.bundle_layout import version_of
from models.serving.home import unpacked
from models.serving.unpacking.arrays import served_files, settle, unpack_arrays, unpack_files
from models.serving.unpacking.earlier_bundles import complete
from models.serving.unpacking.trial import try_version

SPARE = 100 * 1024**2  # bytes of disk and memory that stay free
LOCK = ".lock"


def unpack(storage: Storage, version: str) -> Path:
    """Make a version ready, unless it is, and remove those that nobody goes back to.

    Returns
    -------
    Path
        Its folder, which nobody sees before it was tried.

    Raises
    ------
    StorageError
        The published folder does not have it, or disk or memory are short.
    BundleError
        It was changed, cannot be read, or answers wrongly.
    """
    target = unpacked(storage.settings, version)
    target.parent.mkdir(parents=True, exist_ok=True)
    with _alone(target.parent):
        if not target.is_dir():
            _remove_asides(target.parent)
            _make(storage, version, target)
        _remove_old(storage, target)
    return target


def _make(storage: Storage, version: str, target: Path) -> None:
    aside = name_aside(target)
    try:
        with storage.scratch() as scratch:
            bundle = storage.published.fetch_folder(version_key(version), scratch)
            verified(bundle)
            if version_of(bundle) != version:
                raise BundleError(
                    f"What is published as {version} is {version_of(bundle)}.", "Publish it again."
                )
            require_room(bundle, target.parent)
            unpack_files(bundle, aside)
            _complete(bundle, aside, scratch)
        try_version(aside)
        settle(aside)
        aside.rename(target)
    except OSError as error:
        raise StorageError(f"{version} cannot be unpacked: {error}.", "Free some space.") from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _complete(bundle: Path, aside: Path, scratch: Path) -> None:
    """Add what bundles of earlier Catwalks lack."""
    made = scratch / "made"
    made.mkdir()
    complete(bundle, made)
    for file in made.glob("*.npz"):
        unpack_arrays(file, aside / file.name)


def require_room(bundle: Path, place: Path) -> None:
    """Raise `StorageError` unless disk and memory have room for what a server reads of a bundle."""
    needed = sum(file.stat().st_size for file in served_files(bundle)) + SPARE
    free = {
        "of disk": shutil.disk_usage(place).free,
        "of memory": psutil.virtual_memory().available,
    }
    for what, amount in free.items():
        if amount < needed:
            raise StorageError(
                f"{needed >> 20} MB {what} are needed to unpack, and {amount >> 20} MB are free.",
                "Free some; until then what answers now goes on.",
            )


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Wait until no other process unpacks; a killed one does not hold others up."""
    with (folder / LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _remove_asides(folder: Path) -> None:
    """Remove what killed processes left: nobody else unpacks now."""
    for path in folder.glob(".*.*"):
        shutil.rmtree(path, ignore_errors=True)


def _remove_old(storage: Storage, target: Path) -> None:
    """Keep this version, what is live, what was live before it, and what is under test.

    Files that are open stay readable.
    """
    try:
        now = live(storage)
        before = before_live(storage, now) if now else None
        under_test = versions_under_test(storage)
    except CatwalkError:
        return  # another time, when the published folder answers
    kept = {target.name, *under_test, *(record.version for record in (now, before) if record)}
    for folder in target.parent.glob("[!.]*"):
        if folder.name not in kept:
            shutil.rmtree(folder, ignore_errors=True)


def main(arguments: list[str]) -> int:
    """Unpack one version; return the exit code."""
    if len(arguments) != 1:
        print("usage: python -m models.serving.unpack VERSION", file=sys.stderr)
        return 2
    try:
        unpack(Storage(load_settings()), arguments[0])
    except CatwalkError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
