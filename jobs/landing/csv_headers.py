"""Compares the header of every CSV file with `fields` before any row is read.

Spark splits a row into columns by their place, so a renamed, added or moved column would land,
silently, in the wrong place of the lake.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

import pyarrow as pa

from infra.errors import InputError
from infra.settings import Settings
from infra.stores.object_store import ObjectStore
from infra.stores.opening import open_store
from jobs.landing.sources import Feed

_START = 65_536  # bytes: far more than any header, far less than a file
_CODECS = {".gz": "gzip", ".zst": "zstd", ".bz2": "bz2"}


def require_headers(files: Iterable[str], feed: Feed, settings: Settings) -> None:
    """Check the first line of every CSV file; an empty file and other formats have none.

    Parameters
    ----------
    files : iterable of str
        Addresses, local or s3a://.

    Raises
    ------
    InputError
        A header is not that of the feed; no value of a row is ever shown.
    """
    if feed.format != "csv":
        return
    stores: dict[str, ObjectStore] = {}
    for file in files:
        place = file if "://" in file else str(Path(file).resolve())  # a link leads elsewhere
        folder, _, name = place.rpartition("/")
        if folder not in stores:
            stores[folder] = open_store(folder, settings)
        _require_header(file, _first_line(file, stores[folder].read(name, _START)), feed)


def header(feed: Feed) -> str:
    """Write the header line of a feed, without its line end."""
    quoted = (f'"{name}"' if feed.separator in name else name for name in feed.fields)
    return feed.separator.join(quoted)


def _first_line(file: str, start: bytes) -> str:
    """Return the first line that is not blank; empty where every line is blank."""
    lines = _plain(file, start).removeprefix(b"\xef\xbb\xbf").splitlines()
    return next((line for line in lines if line.strip()), b"").decode(errors="replace")


def _plain(file: str, start: bytes) -> bytes:
    codec = _CODECS.get(Path(file).suffix)
    if codec is None or not start:
        return start
    try:
        content: bytes = pa.CompressedInputStream(pa.BufferReader(start), codec).read(_START)
    except (OSError, pa.ArrowException) as error:
        raise InputError(
            f"{file} cannot be read: {error}.",
            "Put a whole file of that name in its place, or an empty one.",
        ) from None
    return content


def _require_header(file: str, line: str, feed: Feed) -> None:
    columns = next(csv.reader([line], delimiter=feed.separator), [])
    if columns and tuple(columns) != feed.fields:
        raise InputError(
            f"{file}: {_difference(columns, feed)}.",
            "Correct the file, or `fields` or `separator` of the source in jobs/sources.yaml.",
        )


def _difference(columns: Sequence[str], feed: Feed) -> str:
    expected = feed.fields
    if not set(columns) & set(expected):  # perhaps a row: nothing of it may be shown
        return f"its first line is not the header {header(feed)}"
    lacking = [name for name in expected if name not in columns]
    unknown = [name for name in columns if name not in expected]
    if lacking and unknown:
        return f"its header has '{unknown[0]}' and lacks '{lacking[0]}'"
    if lacking:
        return f"its header lacks '{lacking[0]}'"
    if unknown:
        return f"its header has '{unknown[0]}', which `fields` does not"
    return f"its header has the columns in another order than {header(feed)}"
