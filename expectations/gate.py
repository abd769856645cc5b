"""The gates: measure a table, hold it to its limits, write the record, stop what must stop."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from expectations import measures
from expectations.measures import Measure
from expectations.profile import measure
from expectations.suite import check, load_limits
from infra.errors import GateError
from infra.records import BatchDecision, Check, GateRecord
from infra.report.wording import limit
from infra.run_records import RunRecords
from infra.storage import Storage

_HERE = Path(__file__).parent


def gate_events(storage: Storage, run: str) -> GateRecord:
    """Judge every batch that is not accepted or discarded yet, and decide on each.

    A batch that only repeats what is there, or holds no row at all, is accepted as it is.

    A stopped batch is judged again by every run, and stops each, until a person decides.

    Raises
    ------
    GateError
        A batch was stopped, or none is accepted at all.
    """
    batches = storage.undecided_batches(run)
    checks: list[Check] = []
    decisions: dict[str, str] = {}
    for batch in batches:
        found = _check_batch(storage, batch)
        decisions[batch] = "stopped" if _verdict(found) == "stopped" else "accepted"
        checks += [one.model_copy(update={"partition": batch}) for one in found]
    record = _record(storage, run, "events", batches, tuple(checks))
    for batch, word in decisions.items():
        storage.decide(batch, _decision(storage, batch, word, record))
    _enforce(record)
    if not storage.accepted_batches():
        raise GateError("No batch of events is accepted.", "Land events, or accept a batch.")
    return record


def _decision(storage: Storage, batch: str, word: str, record: GateRecord) -> BatchDecision:
    judged = storage.lake.manifest("events", batch).get("written_at")
    facts = {"decision": word, "by": "gate", "run": record.run, "at": record.at}
    return BatchDecision.model_validate({**facts, "written_at": judged})


def gate_interactions(storage: Storage, run: str) -> GateRecord:
    """Judge the interactions and the catalogue of a run; raise `GateError` when stopped."""
    tables = {"interactions": run, "items": run}
    manifest = storage.lake.manifest("interactions", run)
    items = storage.lake.manifest("items", run)
    facts = {
        "cut": datetime.fromisoformat(manifest["cut"]),
        "refused_items": sum(items["refused"].values()) / max(items["rows_read"], 1),
    }
    return _gate(storage, run, "interactions", measures.INTERACTIONS, tables, facts)


def gate_recommendations(storage: Storage, run: str) -> GateRecord:
    """Judge the lists of a run; raise `GateError` when stopped."""
    tables = {"recommendations": run, "interactions": run, "catalogue": run}
    facts = {"wanted": storage.settings.recommendations_per_user}
    return _gate(storage, run, "recommendations", measures.RECOMMENDATIONS, tables, facts)


def _gate(
    storage: Storage,
    run: str,
    gate: str,
    measured: dict[str, Measure],
    tables: dict[str, str],
    facts: dict[str, Any],
) -> GateRecord:
    limits = load_limits(_HERE / f"{gate}.yaml", measured)
    profile = measure(storage, measured, tables, facts)
    record = _record(storage, run, gate, (run,), check(profile, measured, limits))
    _enforce(record)
    return record


def _check_batch(storage: Storage, batch: str) -> tuple[Check, ...]:
    manifest = storage.lake.manifest("events", batch)
    if manifest["rows_read"] == manifest.get("duplicates", 0):
        return ()
    facts = {
        "rows_read": manifest["rows_read"],
        "quarantined": sum(manifest["quarantined"].values()),
    }
    limits = load_limits(_HERE / "events.yaml", measures.EVENTS)
    profile = measure(storage, measures.EVENTS, {"events": batch}, facts)
    return check(profile, measures.EVENTS, limits)


def _verdict(checks: tuple[Check, ...]) -> str:
    failed = {one.severity for one in checks if one.failed}
    if "critical" in failed:
        return "stopped"
    return "warned" if failed else "passed"


def _record(
    storage: Storage, run: str, gate: str, partitions: tuple[str, ...], checks: tuple[Check, ...]
) -> GateRecord:
    record = GateRecord.model_validate(
        {
            "gate": gate,
            "run": run,
            "at": datetime.now(UTC),
            "verdict": _verdict(checks),
            "partitions": partitions,
            "checks": checks,
        }
    )
    RunRecords(storage, run).save_gate(record)
    return record


def _enforce(record: GateRecord) -> None:
    """Turn a stopped gate into an error that names what failed."""
    failed = [one for one in record.checks if one.failed and one.severity == "critical"]
    if record.verdict == "stopped":
        found = "; ".join(f"{one.says}: {one.value} ({limit(one.min, one.max)})" for one in failed)
        raise GateError(
            f"The {record.gate} gate stopped the run: {found}.",
            "Nothing was released. The report of the run shows every check.",
        )
