"""Reads the small files below a folder in few requests: most of them from one object of copies."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from infra.errors import StorageError
from infra.stores.object_store import ObjectStore, read_if_there

_AT_ONCE = 10  # reads; boto3 keeps as many connections
_AS_TEXT = ("utf-8", "surrogateescape")  # any bytes become a text and the same bytes again
Copies = dict[str, tuple[str, bytes]]  # by key: the mark of the file when listed, its content


@dataclass(frozen=True)
class SmallFile:
    """The content of a file and when it was written."""

    content: bytes
    written: datetime


class CopiedFolder:
    """The small files below a folder, and one object that holds a copy of each.

    Every reading lists the folder. A copy is used only where the listing shows the file with the
    mark it had when it was copied (`Stamp`), so that the answer is always the one that reading
    every file would give. Files that changed since, or all if the copies are missing, damaged or
    not to be read, are read side by side. The copies are written again after the first reading that
    found news; later readings by the same object ask only for what changed in between.

    Parameters
    ----------
    store : ObjectStore
        Where the files and the copies are.
    folder : str
        Files below it are read.
    ends : str
        Only files whose names end like this.
    copies : str
        Key of the copies, outside `folder`.
    extract : function
        What is kept of a file's content; all of it unless given.
    """

    def __init__(
        self,
        store: ObjectStore,
        folder: str,
        ends: str,
        copies: str,
        extract: Callable[[bytes], bytes] = bytes,
    ) -> None:
        self._store = store
        self._folder = folder
        self._ends = ends
        self._key = copies
        self._extract = extract
        self._copies: Copies | None = None

    def read(self) -> dict[str, SmallFile]:
        """Return the files that are there now by their keys, sorted."""
        listed = self._store.stamps(self._folder)  # before the files: a later change shows
        stamps = {key: stamp for key, stamp in listed.items() if key.endswith(self._ends)}
        before = self._load() if self._copies is None else self._copies
        same = {
            key: before[key]
            for key, stamp in stamps.items()
            if key in before and stamp.same_content(before[key][0])
        }
        read = self._read(key for key in stamps if key not in same)
        copies = same | {key: (stamps[key].mark, content) for key, content in read.items()}
        if self._copies is None:
            self._save(copies, before)
        self._copies = copies
        return {
            key: SmallFile(copies[key][1], stamp.written)
            for key, stamp in stamps.items()
            if key in copies
        }

    def _read(self, keys: Iterable[str]) -> dict[str, bytes]:
        """Read files side by side, but for those that were deleted since they were listed."""
        wanted = list(keys)
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            contents = list(pool.map(partial(read_if_there, self._store), wanted))
        pairs = zip(wanted, contents, strict=True)
        return {key: self._extract(content) for key, content in pairs if content is not None}

    def _load(self) -> Copies:
        content = b""
        with suppress(StorageError):  # the files themselves tell whether the store can be used
            content = read_if_there(self._store, self._key) or b""
        digest, _, body = content.partition(b"\n")
        if digest.decode(*_AS_TEXT) != hashlib.sha256(body).hexdigest():
            return {}
        with suppress(ValueError, TypeError, AttributeError):  # of another version of this code
            return {key: (mark, text.encode(*_AS_TEXT)) for key, mark, text in json.loads(body)}
        return {}

    def _save(self, copies: Copies, before: Copies) -> None:
        """Write the copies if they changed; a file that changed just now has no mark to keep."""
        marked = {key: copy for key, copy in copies.items() if copy[0]}
        if marked != before:
            with suppress(StorageError):  # whoever may only read gets their answer all the same
                self._store.write(self._key, _packed(marked))


def _packed(copies: Mapping[str, tuple[str, bytes]]) -> bytes:
    rows = [(key, mark, content.decode(*_AS_TEXT)) for key, (mark, content) in copies.items()]
    body = json.dumps(rows, indent=0).encode()
    return hashlib.sha256(body).hexdigest().encode() + b"\n" + body
