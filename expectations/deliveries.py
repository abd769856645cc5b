"""Compares what each run ingested of a source with the batches that were accepted before it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from expectations.checking.suite import Limit
from expectations.checking.tables import Reader, Tables
from expectations.past import HOUR, MEASURES, Comparison, compare
from infra.ledger.batches import Batch, load_old_profile, load_profiles, save_profiles
from infra.places import INDEX
from infra.records.gates import BatchProfile
from infra.storage import Storage
from infra.stores.copies import CopiedFolder
from infra.stores.object_store import MANIFEST

_KEPT = timedelta(days=60)  # how far back hours are kept: further than any limit may look
_NEVER = datetime(1000, 1, 1, tzinfo=UTC)  # for an empty batch; days can be subtracted from it
_BY_TYPE = "select event_type as kind, count(*) as events from events group by 1"
_BY_CATEGORY = """select category as kind, sum(events)::bigint as events from catalogue
    join (select item_id, count(*) as events from events group by 1) using (item_id)
    where category is not null group by 1"""


def latest_catalogue(storage: Storage, run: str) -> dict[str, str]:
    """Return the newest catalogue that an earlier run built, by its table; empty before the first.

    The gate runs before the step that builds the catalogue of its own run.
    """
    end = f"/{MANIFEST}"
    copies = f"{INDEX}/catalogues.json"
    folder = CopiedFolder(storage.lake.store, "catalogue", end, copies, _as_of)
    built = {
        file.content: key.removesuffix(end).removeprefix("catalogue/")
        for key, file in folder.read().items()
        if key != f"catalogue/{run}{end}"
    }
    return {"catalogue": built[max(built)]} if built else {}


class Spreads:
    """How the events of batches are spread: counted once, kept for the recent batches.

    Parameters
    ----------
    catalogue : mapping
        `latest_catalogue`: it says the category of an item.
    """

    def __init__(self, reader: Reader, catalogue: Mapping[str, str]) -> None:
        self.catalogue = catalogue
        self._reader = reader
        self._kept = load_profiles(reader.storage)
        self._used: dict[str, BatchProfile] = {}

    def count(self, batch: Batch, opened: Tables) -> BatchProfile:
        """Count the events of a batch by type, by hour and, with a catalogue, by category."""
        profile = BatchProfile(
            written_at=batch.manifest["written_at"],
            event_types=_counts(opened, _BY_TYPE),
            categories=_counts(opened, _BY_CATEGORY) if self.catalogue else None,
            hours=_counts(opened, _hours_since(batch.manifest["last_event"])),
        )
        self._used[batch.name] = profile
        return profile

    def counted(self, batch: Batch) -> BatchProfile | None:
        """Return what this gate counted; None for a batch whose columns are wrong."""
        return self._used.get(batch.name)

    def of_accepted(self, batch: Batch) -> BatchProfile:
        """Return what a gate counted of an accepted batch.

        A batch that was never counted, or before there was a catalogue, is counted now.
        """
        profile = self._used.get(batch.name) or self._still_true(batch)
        if profile is None or (self.catalogue and profile.categories is None):
            with self._reader.open_finished({"events": batch.name, **self.catalogue}) as opened:
                return self.count(batch, opened)
        self._used[batch.name] = profile
        return profile

    def keep(self, recent: Iterable[Batch]) -> None:
        """Write what was used and what the next gate may use, so that it needs one read."""
        names = {batch.name for batch in recent}
        kept = {name: profile for name, profile in self._kept.items() if name in names}
        save_profiles(self._reader.storage, kept | self._used)

    def _still_true(self, batch: Batch) -> BatchProfile | None:
        profile = self._kept.get(batch.name) or load_old_profile(self._reader.storage, batch.name)
        return profile if profile and profile.written_at == batch.written_at else None


def compare_deliveries(
    spreads: Spreads,
    batches: Sequence[Batch],
    before: Sequence[Batch],
    limits: Mapping[str, Limit],
) -> dict[str, Comparison]:
    """Compare each delivery with the batches of its source that were accepted before it came.

    What came after a delivery is not its past: a stopped one would count as late, and be let in,
    once a newer one was accepted. All batches of a delivery share its comparison. A batch whose
    columns are wrong has no profile, and its delivery no numbers: it fails.

    Returns
    -------
    dict of str to Comparison
        By the names of `batches`, in their order.
    """
    compared: dict[str, Comparison] = {}
    for delivery in _deliveries(batches):
        profiles = [spreads.counted(batch) for batch in delivery]
        whole = [profile for profile in profiles if profile is not None]
        comparison = Comparison(dict.fromkeys(MEASURES), {})
        if len(whole) == len(profiles):
            past = [spreads.of_accepted(batch) for batch in _past_of(delivery, before, limits)]
            comparison = compare(whole, past, limits)
        compared |= {batch.name: comparison for batch in delivery}
    spreads.keep(_recent_of_each_source([*before, *batches], limits))
    return {batch.name: compared[batch.name] for batch in batches}


def _deliveries(batches: Iterable[Batch]) -> list[list[Batch]]:
    """Put batches together that one run ingested of one source."""
    together: dict[tuple[str, str], list[Batch]] = {}
    for batch in batches:
        together.setdefault((batch.manifest["source"], batch.manifest["run"]), []).append(batch)
    return list(together.values())


def _past_of(
    delivery: Sequence[Batch], accepted: Iterable[Batch], limits: Mapping[str, Limit]
) -> list[Batch]:
    """Return the recent batches of a delivery's source that were written before it.

    A batch without an event is no past: a series of them would disarm the rules.
    """
    source, run = delivery[0].manifest["source"], delivery[0].manifest["run"]
    came = min(map(_written_at, delivery))
    earlier = [
        batch
        for batch in accepted
        if batch.manifest["source"] == source
        and batch.manifest["run"] != run
        and _written_at(batch) < came
        and batch.manifest["last_event"]
    ]
    return _recent(earlier, limits)


def _recent_of_each_source(batches: Sequence[Batch], limits: Mapping[str, Limit]) -> list[Batch]:
    sources = {batch.manifest["source"] for batch in batches}
    own = ([batch for batch in batches if batch.manifest["source"] == name] for name in sources)
    return [batch for some in own for batch in _recent(some, limits)]


def _recent(batches: Sequence[Batch], limits: Mapping[str, Limit]) -> list[Batch]:
    """Return the batches that came last or hold the last days, in the order they were written."""
    most = max(limit.last_batches or 0 for limit in limits.values())
    days = max(limit.last_days or 0 for limit in limits.values())
    start = max(map(_last_event, batches), default=_NEVER) - timedelta(days=days + 2)
    ordered = sorted(batches, key=_written_at)
    last = {batch.name for batch in ordered[-most:]}
    return [batch for batch in ordered if batch.name in last or _last_event(batch) >= start]


def _written_at(batch: Batch) -> datetime:
    return _time(batch.manifest["written_at"])


def _last_event(batch: Batch) -> datetime:
    return _time(batch.manifest["last_event"])


def _as_of(manifest: bytes) -> bytes:
    as_of: str = json.loads(manifest)["as_of"]
    return as_of.encode()


def _time(text: str | None) -> datetime:
    return datetime.fromisoformat(text) if text else _NEVER


def _counts(opened: Tables, sql: str) -> dict[str, int]:
    """Return a query of two columns as a mapping; what has no name counts under `none`."""
    return {str(row["kind"] or "none"): int(row["events"]) for row in opened.query(sql)}


def _hours_since(last: str | None) -> str:
    start = _time(last) - _KEPT if last else _time(last)
    return (
        f"select strftime(event_time, '{HOUR}') as kind, count(*) as events from events"
        f" where event_time >= '{start.isoformat()}'::timestamptz group by 1"
    )
