"""Reads the newest days of the marts for pages: with Arrow alone, and bounded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from infra.errors import StorageError
from infra.ledger.marts import latest, mart
from infra.mart_schemas import CUSTOMERS_DAILY, KPI_DAILY
from infra.records.marts import MartsRecord
from infra.storage import Storage
from infra.table import Table

MOST_ROWS = 100_000  # about 200 bytes each; a shop with 20 markets has some 500 a day
Row = Mapping[str, Any]


@dataclass(frozen=True)
class MartRows:
    """The newest days of the marts, as they are shown; a day without a row had no answer.

    Attributes
    ----------
    kpis, customers : tuple of mapping
        Rows of `kpi_daily` and `customers_daily`, by day; of the first a map is a dict.
    first, last : date
        The first and the last day asked for and there.
    kpis_final, customers_final : date or None
        The last day that is complete; None before there is any.
    """

    kpis: tuple[Row, ...]
    customers: tuple[Row, ...]
    first: date
    last: date
    kpis_final: date | None
    customers_final: date | None

    @property
    def days(self) -> tuple[date, ...]:
        """Every day from the first to the last."""
        return tuple(
            self.first + timedelta(days=n) for n in range((self.last - self.first).days + 1)
        )


def read_mart_rows(storage: Storage, days: int) -> MartRows | None:
    """Return the newest days of the marts; None where nothing was built yet.

    Raises
    ------
    StorageError
        They cannot be read, or have more rows than a page may read.
    """
    record = latest(storage)
    shown = sorted(record.partitions.get(KPI_DAILY.name, ())) if record else []
    if record is None or not shown:
        return None
    last = date.fromisoformat(shown[-1])
    first = max(date.fromisoformat(shown[0]), last - timedelta(days=days - 1))
    return MartRows(
        kpis=_rows(storage, record, KPI_DAILY, first),
        customers=_rows(storage, record, CUSTOMERS_DAILY, first),
        first=first,
        last=last,
        kpis_final=record.final_until.get(KPI_DAILY.name),
        customers_final=record.final_until.get(CUSTOMERS_DAILY.name),
    )


def _rows(storage: Storage, record: MartsRecord, table: Table, first: date) -> tuple[Row, ...]:
    shown = sorted(record.partitions.get(table.name, ()))
    names = [name for name in shown if name >= first.isoformat()]
    if not names:
        return ()
    maps = [name for name, kind in table.kinds.items() if kind.startswith("MAP")]
    found = mart(storage, table.name, *names).head(MOST_ROWS + 1, columns=list(table.columns))
    if found.num_rows > MOST_ROWS:
        raise StorageError(
            f"{table.name} has over {MOST_ROWS:,} rows since {first}.",
            "Ask for fewer days, or read the table itself.",
        )
    rows = [{**row, **{name: dict(row[name] or ()) for name in maps}} for row in found.to_pylist()]
    return tuple(sorted(rows, key=lambda row: row["day"]))
