"""Groups quarantined rows by batch and reason; each group is replayed at most once.

A group is the rows of one batch with one reason. Its record, `replays/BATCH/REASON.json` in the
lake, can be created once only; that is what keeps two people, or two runs, from replaying it twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b

from infra.errors import InputError
from infra.lake import Lake, batch_source
from infra.ledger.batches import BatchReader, kept_batches, read_batches
from infra.places import REPLAYS
from infra.rules import Strict, parse_json
from infra.storage import Storage
from infra.stores.object_store import read_if_there
from infra.stores.opening import open_store
from jobs.landing.csv_headers import header
from jobs.landing.sources import Feed


@dataclass(frozen=True)
class Group:
    """The rows of one batch that were quarantined for one reason."""

    batch: str
    reason: str
    rows: int

    @property
    def source(self) -> str:
        """The source of the batch."""
        return batch_source(self.batch)

    @property
    def name(self) -> str:
        """Name of its files, without their ending."""
        return f"{self.batch}.{self.reason}"

    @property
    def key(self) -> str:
        """Where the lake keeps the record of its replay."""
        return f"{REPLAYS}/{self.batch}/{self.reason}.json"


class Replay(Strict):
    """The record of a replay: which rows, how many of them, and below landing the new file."""

    batch: str
    reason: str
    rows: int
    by: str
    at: datetime
    file: str


def groups(
    storage: Storage, source: str | None, batch: str | None, reason: str | None
) -> Iterator[Group]:
    """Give the groups of finished batches that nobody discarded; None means any."""
    batches = read_batches(storage)
    for name in kept_batches(batches):
        for why, rows in batches[name].manifest["quarantined"].items():
            group = Group(name, why, rows)
            facts = zip((source, batch, reason), (group.source, name, why), strict=True)
            if all(wanted in (None, fact) for wanted, fact in facts):
                yield group


def group_of(storage: Storage, file_name: str) -> Group:
    """Return the group that an exported file is named after.

    Raises
    ------
    InputError
        No quarantined rows belong to the name.
    """
    batch, _, reason = file_name.rpartition(".")[0].rpartition(".")
    for group in groups(storage, None, batch, reason):
        return group
    raise InputError(
        f"'{file_name}' is named after no quarantined rows.",
        "Keep the name that the export gave the file.",
    )


def count_reasons(lake: Lake, batch: str) -> dict[str, int]:
    """Count the rows of a batch on disk by reason; nothing else of them is read."""
    counts: Counter[str] = Counter()
    for part in lake.dataset("quarantine", batch).to_batches(columns=["reason"]):
        for pair in part.column("reason").value_counts().to_pylist():
            counts[pair["values"]] += pair["counts"]
    return dict(sorted(counts.items()))


def raw_rows(storage: Storage, group: Group) -> Iterator[bytes]:
    """Give the rows of a group exactly as they came, in their order on disk."""
    from pyarrow.dataset import field

    quarantine = storage.lake.dataset("quarantine", group.batch)
    wanted = {"columns": ["raw"], "filter": field("reason") == group.reason}
    for part in quarantine.to_batches(**wanted):
        yield from part.column("raw").to_pylist()


def replay_of(storage: Storage, group: Group) -> Replay | None:
    """Return the record of a group's replay.

    Raises
    ------
    StorageError
        It cannot be understood.
    """
    content = read_if_there(storage.lake.store, group.key)
    if content is None:
        return None
    name = f"The record {storage.lake.address(group.key)}"
    return parse_json(content, Replay, name, "Restore it: else the rows could be replayed twice.")


def is_landed(storage: Storage, batches: BatchReader, replay: Replay) -> bool:
    """Tell whether the file of a replay is in the landing folder, or was read from there."""
    if open_store(storage.landing, storage.settings).exists(replay.file):
        return True
    read = (file["file"] for manifest in batches.manifests().values() for file in manifest["files"])
    # earlier Catwalks wrote the address in place of the name
    return any(file == replay.file or file.endswith(f"/{replay.file}") for file in read)


def edited_name(group: Group, feed: Feed) -> str:
    """Name the file in which a group's rows are edited; rows of Parquet become lines of JSON."""
    return f"{group.name}.{'csv' if feed.format == 'csv' else 'jsonl'}"


def to_edit(rows: Iterable[bytes], feed: Feed) -> Iterator[bytes]:
    """Give the lines of a file in which a person can edit rows; of several events a line once."""
    if feed.format == "csv" and feed.header:
        yield header(feed).encode() + b"\n"
    seen: set[bytes] = set()
    for row in rows:
        if feed.explode is not None:
            line = blake2b(row, digest_size=16).digest()
            if line in seen:
                continue
            seen.add(line)
        yield row + b"\n"
