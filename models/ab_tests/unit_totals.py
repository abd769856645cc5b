"""Reads what the units of a phase did, as moments by arm: memory follows the buyers alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from infra.records.ab_tests import ArmName, Metric
from infra.utc import in_utc
from models.ab_tests.statistics import Measure, Moments, cap_of, moments_of

if TYPE_CHECKING:
    from pyarrow.dataset import Dataset

ARMS: tuple[ArmName, ArmName] = ("control", "treatment")
MEASURES: dict[Metric, Measure] = {
    "conversion": Measure("conversion", before="conversion_before"),
    "revenue": Measure("revenue", before="revenue_before"),
    "orders": Measure("orders", before="orders_before"),
    "units": Measure("units", before="units_before"),
    "ctr": Measure("clicks", "impressions", before="orders_before"),
}
COUNTED = ("orders", "units", "clicks", "impressions", "orders_before", "units_before")
COLUMNS = (*COUNTED, "conversion", "conversion_before", "revenue", "revenue_before")
READ = (
    *("arm", "arms", "first_exposed", "is_mature"),
    *COUNTED,
    *("gross_revenue", "returned_revenue", "gross_revenue_before", "returned_revenue_before"),
)
ROWS = 65_536  # of a batch
Which = Literal["exposed", "mature"]
Columns = dict[str, NDArray[Any]]
Totals = dict[ArmName, Moments]


@dataclass(frozen=True)
class UnitTotals:
    """Both arms of a phase.

    Attributes
    ----------
    exposed : dict of str to Moments
        Of all units that were first exposed in the days that count.
    mature : dict of str to Moments
        Of those of them whose days are over and complete.
    in_two_arms : int
        Units that were answered by more than one arm.
    known_until : str
        All that happened before it is counted.
    last_exposed : datetime or None
        When the last unit came; None without units.
    """

    exposed: Totals
    mature: Totals
    in_two_arms: int
    known_until: str = ""
    last_exposed: datetime | None = None


def read_units(units: Dataset, until: datetime) -> UnitTotals:
    """Read units twice, in batches: first what revenue is capped at, then the totals.

    Parameters
    ----------
    until : datetime
        Units that are first exposed from then on do not count.
    """

    def batches() -> Iterator[Columns]:
        for batch in units.to_batches(columns=list(READ), batch_size=ROWS):
            yield _counted(batch, until)

    return replace(totals_of(batches), last_exposed=_last_exposed(units, until))


def _last_exposed(units: Dataset, until: datetime) -> datetime | None:
    import pyarrow as pa
    import pyarrow.compute as pc

    newest: datetime | None = None
    for batch in units.to_batches(columns=["first_exposed"], batch_size=ROWS):
        times = batch.column(0)
        last = pc.max(times.filter(pc.less(times, pa.scalar(until, type=times.type)))).as_py()
        if last is not None:
            newest = max(in_utc(last), newest or in_utc(last))
    return newest


def totals_of(batches: Callable[[], Iterator[Columns]]) -> UnitTotals:
    """Return the totals of units, whose columns are given twice: `COLUMNS`, arm, arms, is_mature.

    Revenue comes as it is, and is capped here.
    """
    caps = _caps(batches())
    empty = moments_of(COLUMNS, np.zeros((0, len(COLUMNS))))
    totals: dict[Which, Totals] = {w: dict.fromkeys(ARMS, empty) for w in ("exposed", "mature")}
    in_two_arms = 0
    for columns in batches():
        in_two_arms += int((columns["arms"] > 1).sum())
        for which, sums in totals.items():
            rows = columns["is_mature"] if which == "mature" else np.ones(len(columns["arm"]), bool)
            values = _capped(columns, caps[which])
            for arm in ARMS:
                sums[arm] = sums[arm] + moments_of(COLUMNS, values[rows & (columns["arm"] == arm)])
    return UnitTotals(totals["exposed"], totals["mature"], in_two_arms)


def _counted(batch: Any, until: datetime) -> Columns:
    """Return the columns of the units that count, revenue net of what was sent back."""
    import pyarrow as pa
    import pyarrow.compute as pc

    table = pa.Table.from_batches([batch])
    limit = pa.scalar(until, type=table.schema.field("first_exposed").type)
    table = table.filter(pc.less(table["first_exposed"], limit))
    columns = {name: table[name].to_numpy() for name in READ if name != "first_exposed"}
    for end in ("", "_before"):
        net = columns[f"gross_revenue{end}"] - columns[f"returned_revenue{end}"]
        columns[f"revenue{end}"] = net
        columns[f"conversion{end}"] = columns[f"orders{end}"] > 0
    return columns


def _caps(batches: Iterator[Columns]) -> dict[Which, tuple[float, float]]:
    """Return what revenue, and that of the days before, is capped at: of both arms together."""
    spent: dict[tuple[Which, str], list[NDArray[Any]]] = {}
    for columns in batches:
        for name in ("revenue", "revenue_before"):
            values, mature = columns[name], columns["is_mature"]
            spent.setdefault(("exposed", name), []).append(values[values != 0])
            spent.setdefault(("mature", name), []).append(values[mature & (values != 0)])

    def cap(which: Which, name: str) -> float:
        return cap_of(np.concatenate(spent.get((which, name), [np.zeros(0)])))

    kinds: tuple[Which, Which] = ("exposed", "mature")
    return {which: (cap(which, "revenue"), cap(which, "revenue_before")) for which in kinds}


def _capped(columns: Columns, caps: tuple[float, float]) -> NDArray[np.float64]:
    """Return the units as rows of `COLUMNS`."""
    limits = dict(zip(("revenue", "revenue_before"), caps, strict=True))
    return np.column_stack(
        [np.minimum(columns[name].astype(np.float64), limits.get(name, np.inf)) for name in COLUMNS]
    )
