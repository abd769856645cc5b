"""The events gate: every new batch is accepted, or stopped until a person decides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from expectations.checking.gate import (
    enforce,
    inform,
    limits_of,
    measured,
    result_of,
    with_examples,
    write_record,
)
from expectations.checking.suite import Limit, Profile, check
from expectations.checking.tables import Reader, Values, open_reader
from expectations.deliveries import compare_deliveries, count_spread, latest_catalogue
from expectations.event_measures import BATCH, MEASURES, OF_SOURCE, OTHER_REASONS, TABLES
from infra.records.gates import GATE, BatchDecision, Check, GateRecord
from infra.schemas import QUARANTINE_REASONS
from infra.storage import Storage


def gate_events(storage: Storage, run: str, as_of: datetime) -> GateRecord:
    """Judge every batch that is not accepted or discarded yet, and decide on each.

    A batch of rows that only repeat what is there or are no events by declaration, and one
    without a row, is accepted as it is. A stopped batch is judged again by every run, and stops
    each, until a person decides.

    Parameters
    ----------
    as_of : datetime
        The time of the run: how fresh events are is judged by it, not by the clock.

    Raises
    ------
    GateError
        A batch was stopped, or a source is stale or has no accepted batch.
    """
    batches = storage.undecided_batches(run)
    before = [batch for batch in storage.accepted_batches() if batch not in batches]
    limits = limits_of("events", MEASURES)
    judged = {batch: storage.lake.manifest("events", batch)["written_at"] for batch in batches}
    with open_reader(storage) as reader:
        checks = _judge(reader, batches, before, limits, run)
    stopped = [batch for batch in batches if result_of(_of(batch, checks)) == "stopped"]
    accepted = [one for one in (*before, *batches) if _will_be_learnt_from(storage, one, stopped)]
    checks += _of_sources(storage, accepted, batches, limits, as_of)
    decided = _decided_since(storage, run)
    now = datetime.now(UTC)
    record = write_record(storage, run, "events", now, batches, checks, stopped, decided)
    for batch, written_at in judged.items():
        word = "stopped" if batch in stopped else "accepted"
        facts = {"decision": word, "by": GATE, "run": run, "at": now, "written_at": written_at}
        storage.decide(batch, BatchDecision.model_validate(facts))
    enforce(record, "Nothing was released. Land new events of that source.")
    return record


def _judge(
    reader: Reader,
    batches: Sequence[str],
    before: Sequence[str],
    limits: Mapping[str, Limit],
    run: str,
) -> list[Check]:
    """Return the checks of all batches that hold anything new."""
    storage = reader.storage
    new = [batch for batch in batches if not _nothing_new(storage.lake.manifest("events", batch))]
    if not new:
        return []
    catalogue = latest_catalogue(storage, run)
    values = {batch: measure_batch(reader, batch, catalogue) for batch in new}
    compared = compare_deliveries(reader, new, before, limits, catalogue)
    profiles = [
        Profile({**values[batch], **compared[batch].values}, batch, compared[batch].not_judged)
        for batch in new
    ]
    own = {name: limit for name, limit in limits.items() if name not in OF_SOURCE}
    checks = check(profiles, MEASURES, own)
    return [one for batch in new for one in _illustrated(reader, batch, _of(batch, checks))]


def measure_batch(reader: Reader, batch: str, catalogue: dict[str, str]) -> Values:
    """Measure a batch, and remember how its events are spread for those that come after it."""
    manifest = reader.storage.lake.manifest("events", batch)
    with reader.open({"events": batch, "quarantine": batch, **catalogue}) as opened:
        values = measured(opened, BATCH, TABLES, _facts(manifest))
        if values["wrong_columns"] == 0:
            reader.storage.save_batch_profile(batch, count_spread(opened, manifest, catalogue))
    return values


def _facts(manifest: dict[str, Any]) -> dict[str, Any]:
    """Return what the manifest says: when it was written, and the shares of refused rows."""
    read, quarantined = max(manifest["rows_read"], 1), dict(manifest["quarantined"])
    facts = {"quarantined_share": sum(quarantined.values()) / read}
    for reason in QUARANTINE_REASONS:
        facts[f"quarantined_{reason}"] = quarantined.pop(reason, 0) / read
    facts[f"quarantined_{OTHER_REASONS}"] = sum(quarantined.values()) / read
    return {**facts, "written_at": datetime.fromisoformat(manifest["written_at"])}


def _illustrated(reader: Reader, batch: str, checks: Sequence[Check]) -> tuple[Check, ...]:
    if not any(one.failed for one in checks):
        return tuple(checks)
    with reader.open({"events": batch, "quarantine": batch}) as opened:
        inform(opened, TABLES, {})
        return with_examples(opened, checks, MEASURES)


def _nothing_new(manifest: dict[str, Any]) -> bool:
    """Tell whether every row repeats what is there, or is declared to be no event."""
    return bool(manifest["rows_read"] == manifest.get("duplicates", 0) + _declared(manifest))


def _will_be_learnt_from(storage: Storage, batch: str, stopped: Sequence[str]) -> bool:
    """Tell whether a batch counts as accepted; what a person said of it stands above the gate."""
    known = storage.decision(batch)
    if known is not None and known.by != GATE:
        return known.decision == "accepted"
    return batch not in stopped


def _of(batch: str, checks: Sequence[Check]) -> list[Check]:
    return [one for one in checks if one.partition == batch]


def _of_sources(
    storage: Storage,
    accepted: Sequence[str],
    new: Sequence[str],
    limits: dict[str, Limit],
    as_of: datetime,
) -> list[Check]:
    """Check the batches of each source together, accepted and new ones.

    A source without a batch fails: how old its events are is unknown.
    """
    manifests = {one: storage.lake.manifest("events", one) for one in {*accepted, *new}}
    profiles = []
    for source in sorted(storage.settings.sources):
        own = {batch: one for batch, one in manifests.items() if one["source"] == source}
        times = [_time(one["last_event"]) for one in own.values() if one["last_event"]]
        values: Values = {
            "hours_since_last_event": _hours(max(times, default=None), as_of),
            "accepted_batches": len(own.keys() & {*accepted}),
            "not_events_share": _not_events_share([own[batch] for batch in new if batch in own]),
        }
        profiles.append(Profile(values, f"source={source}"))
    return check(profiles, OF_SOURCE, {name: limits[name] for name in OF_SOURCE})


def _not_events_share(manifests: Sequence[dict[str, Any]]) -> float:
    """Return the share of declared non-events of all rows, 0 where none came.

    It is looked at over all new batches, also those of nothing new, which no rule of a batch sees.
    """
    rows: int = sum(one["rows_read"] for one in manifests)
    return sum(map(_declared, manifests)) / max(rows, 1)


def _declared(manifest: dict[str, Any]) -> int:
    return sum(manifest.get("not_events", {}).values())


def _hours(last: datetime | None, as_of: datetime) -> float | None:
    """Return the hours between; a run that replays the past has newer events than its own time."""
    return None if last is None else max((as_of - last) / timedelta(hours=1), 0.0)


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _decided_since(storage: Storage, run: str) -> dict[str, BatchDecision]:
    """Return what people decided since another run's gate made a decision that still stands."""
    every = storage.decisions()
    gates = (one.at for one in every.values() if one.by == GATE and one.run != run)
    last = max((at for at in gates if at), default=None)
    return {
        batch: one
        for batch, one in every.items()
        if one.by != GATE and (last is None or one.at is None or one.at > last)
    }
