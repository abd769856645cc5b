"""Files by key under one address, the same on a disk and in a bucket.

Three promises carry everything else: a write is seen whole or not at all, `create` has exactly
one winner, and a folder exists for readers once its manifest does, which is written last.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from infra.errors import StorageError

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem

MANIFEST = "_manifest.json"  # readers of Parquet folders skip names that start with `_`
_SETTLED = timedelta(seconds=2)  # the coarsest clock of a file system (FAT)


@dataclass(frozen=True)
class Stamp:
    """When a file was written, and a text that another content of the file would not have.

    The text is empty if the file changed in the last two seconds: its next change may look the
    same. An empty text equals nothing, so ask `same_content`.
    """

    written: datetime
    mark: str

    def same_content(self, mark: str) -> bool:
        """Tell whether the file is surely the one that had a mark."""
        return bool(mark) and mark == self.mark


def mark_of(changed: datetime, *facts: object) -> str:
    """Return the mark of a file with these facts; none for one that changed just now."""
    return " ".join(map(str, facts)) if datetime.now(UTC) - changed > _SETTLED else ""


class MissingError(StorageError):
    """There is nothing under the key; the storage itself answers."""


class AlreadyExistsError(StorageError):
    """Somebody else created the key first."""

    def __init__(self, key: str) -> None:
        super().__init__(f"{key} exists already.", "Another writer won; read it and decide anew.")

    def __reduce__(self) -> tuple[type[AlreadyExistsError], tuple[str]]:  # type: ignore[override]
        return type(self), (self.fact.removesuffix(" exists already."),)


class ObjectStore(Protocol):
    """What both kinds of storage can do; keys are relative, with `/` between their parts.

    Every method raises `StorageError` for a key that is not plain and for a storage that fails.
    """

    address: str

    def read(self, key: str, most: int | None = None) -> bytes:
        """Return the content, or its first `most` bytes; raise `MissingError` without one."""

    def write(self, key: str, content: bytes) -> None:
        """Replace the content in one step."""

    def create(self, key: str, content: bytes) -> None:
        """Write only where nothing exists; all but the first get `AlreadyExistsError`.

        That holds for equal content too: of two that write the same bytes, one loses.
        """

    def protect(self, key: str) -> None:
        """Let only the owner read a folder and what is in it, made if it is not there yet.

        What is written there later is out of sight of others too, for nobody else gets in.
        """

    def probe(self, key: str) -> None:
        """Try, on a file that exists, whether the storage keeps the promises of this page.

        Raises `StorageError` where `create` would replace it, or everybody could read it.
        """

    def delete(self, key: str) -> None:
        """Remove one file; nothing happens if it does not exist."""

    def exists(self, key: str) -> bool:
        """Tell whether the key has content."""

    def list(self, prefix: str) -> list[str]:
        """Return the sorted keys below a folder, `""` for all; empty if there are no files."""

    def arrow_files(self) -> tuple[FileSystem, str]:
        """Return the file system in which Arrow finds all this, and the path of its root there."""

    def stamps(self, prefix: str) -> dict[str, Stamp]:
        """Return the sorted keys below a folder, when each was written, and how to tell changes.

        It costs no more than `list`: on S3 a request per thousand keys.
        """

    def sweep(self, prefix: str, before: datetime) -> Sequence[str]:
        """Remove what writers that were killed before a time left below a folder, `""` for all.

        No reader ever saw it. Returns the addresses, sorted.
        """

    def put_folder(self, source: Path, key: str) -> None:
        """Replace a folder by a local one; its manifest, if it has one, arrives last."""

    def fill_folder(self, source: Path, key: str) -> None:
        """Make a folder that only ever has one content what a local one is, its manifest last.

        File by file, each in one step: nobody who reads what is right already is disturbed, also
        by several writers of the same content, killed or not.
        """

    def fetch_folder(self, key: str, scratch: Path) -> Path:
        """Return a local folder with the content of `key`; `scratch` is used if it is remote."""

    def settle(self, key: str) -> None:
        """Let what others wrote into a folder outlive a power cut; a bucket has it already."""

    def delete_folder(self, key: str) -> None:
        """Remove a folder, its manifest first, so that no reader starts on half of it."""


def read_if_there(store: ObjectStore, key: str) -> bytes | None:
    """Return the content of a key; None if nothing is stored there."""
    try:
        return store.read(key)
    except MissingError:
        return None


def require_plain(key: str) -> str:
    """Return the key; raise `StorageError` for one that could mean another place."""
    if "\0" in key or any(part in {"", ".", ".."} for part in key.split("/")):
        raise StorageError(
            f"The key {key!r} is not plain.", "Write names with one `/` between them, without `..`."
        )
    return key


def files_of(source: Path) -> list[Path]:
    """Return the files below a local folder, its manifest last."""
    if not source.is_dir():
        raise StorageError(f"The folder {source} does not exist.", "Run the step that makes it.")
    files = sorted(path for path in source.rglob("*") if path.is_file())
    return sorted(files, key=lambda path: path == source / MANIFEST)
