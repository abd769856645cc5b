"""One pass over a table, in DuckDB: the row of measures that a gate judges."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from expectations.measures import Measure
from infra.storage import Storage

if TYPE_CHECKING:
    import pandas as pd


def measure(
    storage: Storage, measured: dict[str, Measure], tables: dict[str, str], facts: dict[str, Any]
) -> pd.DataFrame:
    """Return one row with every measure.

    Parameters
    ----------
    measured : dict of str to Measure
        The columns of the row.
    tables : dict of str to str
        Tables the SQL names, and the partition of each.
    facts : dict of str to object
        Columns of the one-row table `manifest` the SQL may name.
    """
    import duckdb
    import pandas as pd

    with duckdb.connect() as database:
        database.execute("set timezone = 'UTC'; set memory_limit = '2GB'")
        for table, partition in tables.items():
            database.register(table, storage.lake.dataset(table, partition))
        database.register("manifest", pd.DataFrame([facts]))
        columns = ", ".join(f'{one.sql} as "{name}"' for name, one in measured.items())
        profile: pd.DataFrame = database.execute(f"select {columns}").df()
    return profile
