"""The events gate: accepts every new batch, or stops it until a person decides."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from expectations import past
from expectations.batch_causes import (
    explain_batch,
    explain_source,
    ignored_rows,
    late_files,
    new_rows,
    no_event,
)
from expectations.checking.gate import (
    enforce,
    inform,
    limits_of,
    measured,
    result_of,
    with_examples,
    write_record,
)
from expectations.checking.suite import Limit, Profile, check_limits
from expectations.checking.tables import Reader, Values, open_reader
from expectations.deliveries import Spreads, compare_deliveries, latest_catalogue
from expectations.event_measures import (
    BATCH,
    MEASURES,
    OF_LANDING,
    OF_SOURCE,
    OTHER_REASONS,
    OUT_OF_TIME,
    TABLES,
)
from infra.ledger.batches import (
    Batch,
    BatchReader,
    accepted_batches,
    decide,
    decided_since,
    undecided_batches,
)
from infra.ledger.run_records import RunRecords
from infra.records.gates import GATE, BatchDecision, Check, GateRecord
from infra.schemas import QUARANTINE_REASONS
from infra.storage import Storage


def gate_events(storage: Storage, run: str, as_of: datetime) -> GateRecord:
    """Check every batch that is not accepted or discarded yet, and decide on each.

    A batch is accepted as it is if it has no row, or only rows that repeat earlier ones or that a
    rule of the source ignores. A stopped batch is checked again by every run, and stops each,
    until a person decides.

    Parameters
    ----------
    as_of : datetime
        The time of the run; the freshness of events is measured at it, not at the clock's.

    Raises
    ------
    GateError
        A batch was stopped, or a source is stale or has no accepted batch.
    """
    reader = BatchReader(storage)
    batches = reader.read()
    names = undecided_batches(batches, run)
    new = [batches[name] for name in names]
    before = [batches[name] for name in accepted_batches(batches) if name not in names]
    limits = limits_of("events", MEASURES)
    checks = _check_batches(storage, new, before, limits, run)
    stopped = [batch.name for batch in new if result_of(_of(batch.name, checks)) == "stopped"]
    now_decided = reader.decided({name: batch.manifest for name, batch in batches.items()})
    learnt = [
        batch for batch in (*before, *new) if _is_learnt_from(now_decided[batch.name], stopped)
    ]
    sources = _delivering(storage.settings.sources, batches.values())
    checks += _check_sources(sources, learnt, new, limits, as_of)
    checks += _check_landing(storage, run, limits)
    notes = [no_event(batch) for batch in new if _nothing_new(batch.manifest)]
    since = decided_since(now_decided, run)
    now = datetime.now(UTC)
    record = write_record(storage, run, "events", now, names, checks, stopped, since, notes)
    for batch in new:
        decide(storage, batch.name, _decision(batch, run, now, batch.name in stopped))
    enforce(record, "Nothing was released. Land new events of that source.")
    return record


def _decision(batch: Batch, run: str, at: datetime, is_stopped: bool) -> BatchDecision:
    """Return the gate's decision, bound to the batch as it was when the gate read it."""
    return BatchDecision(
        decision="stopped" if is_stopped else "accepted",
        by=GATE,
        run=run,
        at=at,
        written_at=_written_at(batch),
    )


def _check_batches(
    storage: Storage,
    batches: Sequence[Batch],
    before: Sequence[Batch],
    limits: Mapping[str, Limit],
    run: str,
) -> list[Check]:
    """Return the checks of all batches that hold anything new."""
    new = [batch for batch in batches if not _nothing_new(batch.manifest)]
    if not new:
        return []
    with open_reader(storage) as reader:
        spreads = Spreads(reader, latest_catalogue(storage, run))
        values = {batch.name: measure_batch(reader, batch, spreads) for batch in new}
        compared = compare_deliveries(spreads, new, before, limits)
        profiles = [
            Profile({**values[name], **comparison.values}, name, comparison.not_judged)
            for name, comparison in compared.items()
        ]
        own = {name: limit for name, limit in limits.items() if name in (BATCH | past.MEASURES)}
        checks = check_limits(profiles, MEASURES, own)
        explained = [
            check for batch in new for check in explain_batch(batch, _of(batch.name, checks))
        ]
        return [shown for batch in new for shown in _illustrated(reader, batch, explained)]


def measure_batch(reader: Reader, batch: Batch, spreads: Spreads) -> Values:
    """Measure a batch, and count how its events are spread: later batches are compared with it."""
    partitions = {"events": batch.name, "quarantine": batch.name, **spreads.catalogue}
    with reader.open_finished(partitions) as opened:
        values = measured(opened, BATCH, TABLES, _facts(batch))
        if values["wrong_columns"] == 0:
            spreads.count(batch, opened)
    return values


def _facts(batch: Batch) -> dict[str, Any]:
    """Return what the manifest says: when it was written, and the shares of refused rows.

    They are shares of the rows that are neither repeats nor ignored: of many of those, a delivery
    whose new rows are all refused would seem to lose little.
    """
    quarantined = dict(batch.manifest["quarantined"])
    rows = max(new_rows(batch.manifest), 1)
    facts = {"quarantined_share": sum(quarantined.values()) / rows}
    for reason in QUARANTINE_REASONS:
        facts[f"quarantined_{reason}"] = quarantined.pop(reason, 0) / rows
    facts[f"quarantined_{OTHER_REASONS}"] = sum(quarantined.values()) / rows
    late = late_files(batch)
    named = {OUT_OF_TIME: len(late), f"{OUT_OF_TIME}_named": late}
    return {**facts, **named, "written_at": _written_at(batch)}


def _written_at(batch: Batch) -> datetime:
    return datetime.fromisoformat(batch.manifest["written_at"])


def _illustrated(reader: Reader, batch: Batch, checks: Iterable[Check]) -> tuple[Check, ...]:
    """Return the checks of a batch, with rows that break a rule."""
    own = _of(batch.name, checks)
    if not any(check.failed for check in own):
        return tuple(own)
    with reader.open_finished({"events": batch.name, "quarantine": batch.name}) as opened:
        inform(opened, TABLES, _facts(batch))
        return with_examples(opened, own, MEASURES)


def _nothing_new(manifest: Mapping[str, Any]) -> bool:
    """Tell whether every row repeats an earlier one, or is ignored by a rule of the source."""
    return new_rows(manifest) == 0


def _is_learnt_from(batch: Batch, stopped: Sequence[str]) -> bool:
    """Tell whether a batch counts as accepted; a person's decision overrides the gate's."""
    decision = batch.decision
    if decision is not None and decision.by != GATE:
        return decision.decision == "accepted"
    return batch.name not in stopped


def _of(partition: str, checks: Iterable[Check]) -> list[Check]:
    return [check for check in checks if check.partition == partition]


def _delivering(sources: Sequence[str], batches: Iterable[Batch]) -> list[str]:
    """Return the sources that ever delivered; all of them if none did.

    Ingestion goes on without files of a source only where jobs/sources.yaml lets it be empty.
    """
    known = {batch.manifest["source"] for batch in batches}
    return [source for source in sources if source in known] or list(sources)


def _check_sources(
    sources: Iterable[str],
    accepted: Sequence[Batch],
    new: Sequence[Batch],
    limits: Mapping[str, Limit],
    as_of: datetime,
) -> list[Check]:
    """Check the batches of each source together, accepted and new ones.

    A source without a batch fails: how old its events are is unknown.
    """
    profiles = [
        Profile(_measure_source(source, accepted, new, as_of), f"source={source}")
        for source in sorted(sources)
    ]
    checks = check_limits(profiles, OF_SOURCE, {name: limits[name] for name in OF_SOURCE})
    return [
        explained
        for source in sorted(sources)
        for explained in explain_source(
            [batch for batch in new if batch.manifest["source"] == source],
            _of(f"source={source}", checks),
        )
    ]


def _check_landing(storage: Storage, run: str, limits: Mapping[str, Limit]) -> list[Check]:
    """Check what the ingestion of the run found beside the files of the sources.

    Without its record, as where a gate is tried by itself, nothing was found.
    """
    record = RunRecords(storage, run).load_ingest()
    if record is None or "unread_files" not in record:
        return []
    profile = Profile({"unread_files": record["unread_files"]}, "landing")
    return check_limits([profile], OF_LANDING, {name: limits[name] for name in OF_LANDING})


def _measure_source(
    source: str, accepted: Sequence[Batch], new: Sequence[Batch], as_of: datetime
) -> Values:
    own = [batch for batch in accepted if batch.manifest["source"] == source]
    own_new = [batch for batch in new if batch.manifest["source"] == source]
    lasts = [batch.manifest["last_event"] for batch in (*own, *own_new)]
    newest = max((datetime.fromisoformat(last) for last in lasts if last), default=None)
    return {
        "hours_since_last_event": _hours(newest, as_of),
        "accepted_batches": len(own),
        "not_events_share": _ignored_share([batch.manifest for batch in own_new]),
    }


def _ignored_share(manifests: Sequence[Mapping[str, Any]]) -> float:
    """Return the share of ignored rows of all rows, 0 if no row came.

    It counts all new batches, also those without a new event, which no other rule checks.
    """
    rows: int = sum(manifest["rows_read"] for manifest in manifests)
    return sum(map(ignored_rows, manifests)) / max(rows, 1)


def _hours(last: datetime | None, as_of: datetime) -> float | None:
    """Return the hours between; a run that replays the past has newer events than its own time."""
    return None if last is None else max((as_of - last) / timedelta(hours=1), 0.0)
