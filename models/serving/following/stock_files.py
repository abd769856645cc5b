"""Files of the stock feed: `landing/stock/*.jsonl` or `*.csv`, each becomes a stock record.

A file is removed once it is taken, and a file with an error is left as it is and said in the log.
A shop writes it under a name that begins with a dot and renames it: what does not end with the end
of a line is taken for unfinished, and said too.
"""

from __future__ import annotations

import csv
import fcntl
import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from hashlib import sha256
from pathlib import Path

import msgspec

from infra.errors import InputError
from infra.ids import clean_id
from infra.ledger.stock import Stock, change_stock
from infra.places import LANDED_STOCK
from infra.records.serving import StockChange
from infra.storage import Storage
from infra.stores.object_store import ObjectStore, read_if_there
from models.serving.api.wire import ItemStock

_WORDS = {"true": True, "false": False, "1": True, "0": False}
_log = logging.getLogger("catwalk")


class StockFiles:
    """The stock feed of one landing folder; of several workers that look, one takes a file."""

    def __init__(self, storage: Storage, landing: ObjectStore, lock: Path) -> None:
        self._storage, self._landing, self._lock = storage, landing, lock
        self._bad: dict[str, bytes] = {}  # files with an error, and hashes of what they hold

    def take(self, known: Stock, now: datetime) -> None:
        """Write what new files say.

        Raises
        ------
        StorageError
            A storage fails; the files stay.
        """
        names = [
            name for name in self._landing.list(LANDED_STOCK) if name.endswith((".jsonl", ".csv"))
        ]
        if not names:
            return
        with _locked(self._lock) as mine:
            for name in names if mine else ():
                self._take(name, known, now)

    def _take(self, name: str, known: Stock, now: datetime) -> None:
        content = read_if_there(self._landing, name)
        if content is None:
            return  # another server took it
        digest = sha256(content).digest()
        if self._bad.get(name) == digest:
            return
        try:
            news = parse_stock(name, content)
        except InputError as error:
            self._bad[name] = digest
            _log.error("%s", error)
            return
        if news:
            change_stock(self._storage, StockChange(at=now, by=_author(name), in_stock=news), known)
        self._landing.delete(name)


def parse_stock(name: str, content: bytes) -> dict[str, bool]:
    """Return what a file says of each item; of an item that comes twice the last counts.

    Raises
    ------
    InputError
        A line is not as it should be, or the last one has no end; none is repeated.
    """
    if not content.endswith(b"\n"):
        raise InputError(
            f"landing/{name} does not end with the end of a line, so it is taken for unfinished.",
            "End each line, also the last one; nothing of it was taken.",
        )
    rows = _csv_rows(content) if name.endswith(".csv") else _json_rows(content)
    news: dict[str, bool] = {}
    try:
        for row in rows:
            news[_clean(row.item_id)] = row.in_stock
    except (ValueError, KeyError, TypeError, AttributeError, csv.Error) as error:
        raise InputError(
            f"landing/{name} cannot be read after {len(news)} items.",
            "Write an id as item_id and true or false as in_stock in each line; "
            "nothing of it was taken.",
        ) from error
    return news


def _clean(item_id: str) -> str:
    cleaned = clean_id(item_id, "text")  # as the PUT does: an unknown id matches nothing
    if not cleaned:
        raise ValueError("no id")
    return cleaned


def _json_rows(content: bytes) -> Iterator[ItemStock]:
    decode = msgspec.json.Decoder(ItemStock).decode
    yield from (decode(line) for line in content.splitlines() if line.strip())


def _csv_rows(content: bytes) -> Iterator[ItemStock]:
    for row in csv.DictReader(io.StringIO(content.decode("utf-8-sig"))):
        in_stock = _WORDS[row["in_stock"].strip().lower()]
        yield msgspec.convert({"item_id": row["item_id"], "in_stock": in_stock}, ItemStock)


def _author(name: str) -> str:
    return f"file {name.rpartition('/')[2]}"[:200]


@contextmanager
def _locked(file: Path) -> Iterator[bool]:
    """Tell whether nobody else on this machine has the lock, and hold it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
