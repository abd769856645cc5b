"""Measures the traffic of today for a plan: new units a day, and what they buy or click."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from infra.errors import InputError, StorageError
from infra.ledger.marts import latest, mart
from infra.mart_schemas import EXPOSURES, SALES
from infra.records.ab_tests import Metric, Unit
from infra.storage import Storage
from models.ab_tests.plan import Today, today_by_word

LAST_DAYS = 14  # as long as a test: its first days bring more new units than the later ones
ROWS = 65_536  # of a batch


def todays_traffic(
    storage: Storage, placements: Sequence[str], unit: Unit, metric: Metric
) -> Today | None:
    """Return what the last days with answers had; None where nobody was answered or bought.

    Units are counted once each over all these days. Whoever bought within them counts as a buyer.
    """
    record = latest(storage)
    days = sorted(record.partitions.get(EXPOSURES.name, {}) if record else ())[-LAST_DAYS:]
    try:
        units, seen, clicked = _shown(storage, days, placements, f"{unit}_key")
        bought = _buyers(storage, days, f"{unit}_key") & units
    except StorageError:
        return None
    if not units or not days:
        return None
    share = clicked / max(seen, 1) if metric == "ctr" else len(bought) / len(units)
    try:
        today = today_by_word(metric, len(units) / len(days), share)
    except InputError:
        return None  # nobody, or everybody, does it
    return replace(today, source=f"as the last {len(days)} days have it")


def _shown(
    storage: Storage, days: Sequence[str], placements: Sequence[str], key: str
) -> tuple[set[str], int, int]:
    """Return the units of the placements, and how many items they saw and clicked."""
    units, seen, clicked = set[str](), 0, 0
    for row in _rows(storage, EXPOSURES.name, days, (key, "placement", "was_seen", "was_clicked")):
        if row["placement"] in placements and row[key]:
            units.add(row[key])
            seen += row["was_seen"]
            clicked += row["was_clicked"]
    return units, seen, clicked


def _buyers(storage: Storage, days: Sequence[str], key: str) -> set[str]:
    record = latest(storage)
    known = set(record.partitions.get(SALES.name, {}) if record else ()) & {*days}
    rows = _rows(storage, SALES.name, sorted(known), (key, "event_type")) if known else ()
    return {row[key] for row in rows if row["event_type"] == "purchase" and row[key]}


def _rows(
    storage: Storage, table: str, days: Sequence[str], columns: Iterable[str]
) -> Iterator[dict[str, Any]]:
    dataset = mart(storage, table, *days)
    for batch in dataset.to_batches(columns=list(columns), batch_size=ROWS):
        yield from batch.to_pylist()
