"""The gate of the marts: checks what a build wrote, and lets it count only if that holds.

It fails closed: until it passes, readers see the build before. A table of which a build wrote no
row, as no day of it was touched, is not judged.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from expectations.checking.gate import enforce, inform, limits_of, with_examples, write_record
from expectations.checking.measure import Measure, count, fact, incomplete, repeats
from expectations.checking.suite import Profile, check_limits
from expectations.checking.tables import Tables, Values, open_reader
from infra.ledger.marts import built_by, show
from infra.ledger.served import DayOfLog, days_of_log, served_manifests
from infra.mart_schemas import (
    CUSTOMERS_DAILY,
    EXPOSURES,
    KPI_DAILY,
    MARTS,
    PERSON_DAYS,
    SALES,
    TEST_UNITS,
)
from infra.records.gates import GateRecord
from infra.records.marts import MartsRecord, build_of
from infra.storage import Storage
from infra.table import Table

_LOG_DAYS = 7  # of which gaps are looked at
_KEYS = {
    EXPOSURES.name: "request_id, item_id",
    KPI_DAILY.name: "day, placement, version, test, phase, arm, market",
    SALES.name: "day, event_id, event_type, event_time, item_id, order_key, quantity, revenue",
    PERSON_DAYS.name: "day, kind, person_key",
    CUSTOMERS_DAILY.name: "day",
}
_COUNTED = {"BIGINT", "INT", "DOUBLE"}
_TOGETHER = f"""(select abs((select sum(items_shown) from {KPI_DAILY.name}
    where day in (select day from {EXPOSURES.name}))
    - (select count(*) from {EXPOSURES.name}
    where day in (select day from {KPI_DAILY.name}))) as apart)"""


def _below_zero(table: Table) -> Measure:
    """Measure how many rows have a count or an amount below zero, or one that is no number."""
    numbers = [name for name, kind in table.kinds.items() if kind in _COUNTED]
    wrong = " or ".join(f"{name} < 0 or not isfinite({name}::double)" for name in numbers)
    return count(f"rows of {table.name} with a number below zero", wrong, table.name)


OF_LOG = {
    "missing_share": fact("missing_share", "answers of the last days that never arrived"),
    "missing_share_of_a_day": fact("missing_share_of_a_day", "the same of the worst of these days"),
    "unknown_units": fact("unknown_units", "units of A/B tests more or fewer than were counted"),
    "wrong_columns": fact("wrong_columns", "columns that are missing, unknown or of another type"),
}
OF_TABLE = {
    table.name: {
        f"incomplete_{table.name}": incomplete(
            f"rows of {table.name} without a value that each must have",
            table,
            table.required[0],
        ),
        f"below_zero_{table.name}": _below_zero(table),
    }
    for table in MARTS
} | {
    "": {
        f"repeated_{name}": repeats(f"rows of {name} that another has the key of", key, name)
        for name, key in _KEYS.items()
    }
    | {
        "items_apart": Measure(
            "items that the KPIs count and the exposures do not, or the other way round",
            "coalesce(max(apart), 0)",
            _TOGETHER,
        ),
        "people_apart": count(
            "days whose new and returning people are not all people",
            "people <> new_people + returning_people or buyers > people",
            CUSTOMERS_DAILY.name,
            "day, people, new_people, returning_people",
        ),
        "units_in_no_arm": count(
            "units in an arm of another name",
            "arm not in ('control', 'treatment')",
            TEST_UNITS.name,
        ),
    }
}
MEASURES = OF_LOG | {name: made for made_ in OF_TABLE.values() for name, made in made_.items()}


def gate_marts(storage: Storage, run: str) -> GateRecord:
    """Check what a run built, and show it to readers.

    Raises
    ------
    GateError
        A critical rule is broken; the build does not count.
    """
    begun = datetime.now(UTC)
    record = built_by(storage, run)
    build = build_of(record.number)
    present = {
        table.name: table
        for table in MARTS
        if record.number in record.partitions.get(table.name, {}).values()
    }
    limits = limits_of("marts", MEASURES)
    with open_reader(storage) as reader, reader.open(dict.fromkeys(present, build)) as opened:
        profile = _profile(opened, storage, record, present)
        checks = check_limits([profile], MEASURES, limits)
        shown = with_examples(opened, checks, MEASURES)
    gate = write_record(storage, run, "marts", begun, (build,), shown)
    enforce(gate, "The build before counts. Mend the cause, then clear build_marts of this run.")
    show(storage, record)
    return gate


def _profile(
    opened: Tables, storage: Storage, record: MartsRecord, present: Mapping[str, Table]
) -> Profile:
    wrong = inform(opened, present, _facts(storage, record, opened, present))
    asked = {name: made for name, made in MEASURES.items() if not _absent(made, present)}
    if wrong:
        asked = {name: made for name, made in asked.items() if name in OF_LOG}
    values: Values = {**dict.fromkeys(MEASURES), **opened.measure(asked)}
    skipped = {
        name: "this build has no rows of it"
        for name, made in MEASURES.items()
        if _absent(made, present)
    }
    return Profile(values, build_of(record.number), skipped)


def _absent(measure: Measure, present: Mapping[str, Table]) -> bool:
    """Tell whether a measure looks at a table of which there is no row."""
    return any(table.name in measure.of and table.name not in present for table in MARTS)


def _facts(
    storage: Storage, record: MartsRecord, opened: Tables, present: Mapping[str, Table]
) -> dict[str, Any]:
    days = [*days_of_log(served_manifests(storage)).values()][-_LOG_DAYS:]
    return {
        "missing_share": _share(days),
        "missing_share_of_a_day": max((_share([day]) for day in days), default=0.0),
        "unknown_units": abs(_units_noted(storage, record) - _units(opened, present)),
    }


def _share(days: list[DayOfLog]) -> float:
    missing = sum(day.missing for day in days)
    return missing / max(missing + sum(day.answers for day in days), 1)


def _units_noted(storage: Storage, record: MartsRecord) -> int:
    if record.number not in record.partitions.get(TEST_UNITS.name, {}).values():
        return 0
    noted = storage.lake.manifest(TEST_UNITS.name, build_of(record.number))["tests"]
    return sum(test["units"] for test in noted.values())


def _units(opened: Tables, present: Mapping[str, Table]) -> int:
    if TEST_UNITS.name not in present:
        return 0
    return int(opened.query(f"select count(*) as units from {TEST_UNITS.name}")[0]["units"])
