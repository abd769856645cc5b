"""What each run ingested of each source, held beside the accepted batches that came before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from expectations.checking.suite import Limit
from expectations.checking.tables import Reader, Tables
from expectations.past import HOUR, MEASURES, Comparison, compare
from infra.records.gates import BatchProfile
from infra.storage import Storage

_KEPT = timedelta(days=60)  # of the hours of a batch: more than any limit may look back
_BY_CATEGORY = """select category as kind, sum(events)::bigint as events from catalogue
    join (select item_id, count(*) as events from events group by 1) using (item_id)
    where category is not null group by 1"""


def latest_catalogue(storage: Storage, run: str) -> dict[str, str]:
    """Return the newest catalogue that an earlier run built, by its table; empty before the first.

    The gate stands before the step that builds the catalogue of its own run.
    """
    built = {
        storage.lake.manifest("catalogue", partition)["as_of"]: partition
        for partition in storage.lake.partitions("catalogue")
        if partition != run
    }
    return {"catalogue": built[max(built)]} if built else {}


def count_spread(
    opened: Tables, manifest: Mapping[str, Any], catalogue: Mapping[str, str]
) -> BatchProfile:
    """Count the events of a batch by type, by hour and, if there is a catalogue, by category."""
    return BatchProfile(
        written_at=manifest["written_at"],
        event_types=_counts(
            opened, "select event_type as kind, count(*) as events from events group by 1"
        ),
        categories=_counts(opened, _BY_CATEGORY) if catalogue else None,
        hours=_counts(opened, _hours_since(manifest["last_event"])),
    )


def compare_deliveries(
    reader: Reader,
    batches: Sequence[str],
    before: Sequence[str],
    limits: Mapping[str, Limit],
    catalogue: Mapping[str, str],
) -> dict[str, Comparison]:
    """Compare each delivery with what was accepted of its source before it came.

    What came after a delivery is no past of it: a stopped one would count as late, and be let in,
    once a newer one was accepted. Its batches share what is found.

    A batch whose columns are wrong has no profile, and its delivery no numbers: it fails.
    """
    storage = reader.storage
    accepted = {batch: storage.lake.manifest("events", batch) for batch in before}
    found: dict[str, Comparison] = {}
    for delivery in _deliveries(storage, batches):
        profiles = [storage.batch_profile(batch) for batch in delivery]
        whole = [profile for profile in profiles if profile is not None]
        if len(whole) == len(profiles):
            past = _recent(_earlier(storage, delivery, accepted), limits)
            known = [_profile(reader, batch, accepted[batch], catalogue) for batch in past]
            comparison = compare(whole, known, limits)
        else:
            comparison = Comparison(dict.fromkeys(MEASURES), {})
        found |= dict.fromkeys(delivery, comparison)
    return found


def _deliveries(storage: Storage, batches: Sequence[str]) -> list[list[str]]:
    """Put batches together that one run ingested of one source."""
    together: dict[tuple[str, str], list[str]] = {}
    for batch in batches:
        manifest = storage.lake.manifest("events", batch)
        together.setdefault((manifest["source"], manifest["run"]), []).append(batch)
    return list(together.values())


def _earlier(
    storage: Storage, delivery: Sequence[str], accepted: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the accepted batches of its source that were written before a delivery."""
    own = [storage.lake.manifest("events", batch) for batch in delivery]
    source, run = own[0]["source"], own[0]["run"]
    came = min(_time(manifest["written_at"]) for manifest in own)
    return {
        batch: one
        for batch, one in accepted.items()
        if one["source"] == source and one["run"] != run and _time(one["written_at"]) < came
    }


def _recent(manifests: Mapping[str, Any], limits: Mapping[str, Limit]) -> list[str]:
    """Return the batches that came last or hold the last days, in the order they were written.

    One that was never counted, or counted before there was a catalogue, is counted when it is used.
    """
    if not manifests:
        return []
    most = max(limit.last_batches or 0 for limit in limits.values())
    days = max(limit.last_days or 0 for limit in limits.values())
    ends = {batch: _time(one["last_event"]) for batch, one in manifests.items()}
    start = max(ends.values()) - timedelta(days=days + 2)
    ordered = sorted(manifests, key=lambda batch: _time(manifests[batch]["written_at"]))
    return [batch for batch in ordered if batch in ordered[-most:] or ends[batch] >= start]


def _profile(
    reader: Reader, batch: str, manifest: dict[str, Any], catalogue: Mapping[str, str]
) -> BatchProfile:
    profile = reader.storage.batch_profile(batch)
    if profile is None or (catalogue and profile.categories is None):
        with reader.open({"events": batch, **catalogue}) as opened:
            profile = count_spread(opened, manifest, catalogue)
        reader.storage.save_batch_profile(batch, profile)
    return profile


def _time(text: str | None) -> datetime:
    return datetime.fromisoformat(text) if text else datetime.min.replace(tzinfo=UTC)


def _counts(opened: Tables, sql: str) -> dict[str, int]:
    """Return a query of two columns as a mapping; what has no name counts under `none`."""
    return {str(row["kind"] or "none"): int(row["events"]) for row in opened.query(sql)}


def _hours_since(last: str | None) -> str:
    start = _time(last) - _KEPT if last else _time(last)
    return (
        f"select strftime(event_time, '{HOUR}') as kind, count(*) as events from events"
        f" where event_time >= '{start.isoformat()}'::timestamptz group by 1"
    )
