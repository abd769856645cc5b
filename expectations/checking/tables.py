"""Opens the tables of a gate in DuckDB: its measures, rows that break a rule, wrong columns."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import groupby
from typing import TYPE_CHECKING, Any

from expectations.checking.measure import FACTS, Measure
from infra.records.gates import MOST_EXAMPLES, Example
from infra.schemas import TABLES, Table
from infra.storage import Storage

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection
    from pyarrow import DataType
    from pyarrow.dataset import Dataset

Values = dict[str, float | None]

_MEMORY = "1GB"  # of DuckDB, which spills beyond; 10 million events need 0.7 GB
_LONGEST = 64  # letters of an example's value: ids fit, texts do not
_KINDS = {
    "STRING": "string",
    "TIMESTAMP": "timestamp",
    "DATE": "date32[day]",
    "INT": "int32",
    "BIGINT": "int64",
    "DOUBLE": "double",
    "FLOAT": "float",
    "BOOLEAN": "bool",
    "BINARY": "binary",
    "ARRAY<STRING>": "list<string>",
    "ARRAY<FLOAT>": "list<float>",
    "MAP<STRING,DOUBLE>": "map<string, double>",
    "MAP<STRING,BIGINT>": "map<string, int64>",
}


class Tables:
    """Finished tables of the lake, as DuckDB sees them."""

    def __init__(self, database: DuckDBPyConnection, datasets: Mapping[str, Dataset]) -> None:
        self._database = database
        self._datasets = datasets

    def know(self, facts: Mapping[str, Any]) -> None:
        """Make what is known beside the tables a table too, of one row."""
        import pandas as pd

        self._database.register(FACTS, pd.DataFrame([facts]))

    def measure(self, measures: Mapping[str, Measure]) -> Values:
        """Return every measure, None where there is no number: nobody may take it for a pass."""
        values: Values = {}
        by_rows = sorted(measures.items(), key=lambda pair: pair[1].of)
        for rows, group in groupby(by_rows, key=lambda pair: pair[1].of):
            columns = ", ".join(f'{measure.sql} as "{name}"' for name, measure in group)
            values |= self.query(f"select {columns} from {rows}")[0]
        return {name: number(values[name]) for name in measures}

    def examples(self, measure: Measure) -> tuple[Example, ...]:
        """Return a few rows that break a rule, always the same ones of a table."""
        if not measure.shows:
            return ()
        rows = self.query(
            f"select distinct {measure.shows} from {measure.shown_of or measure.of}"
            f" where {measure.breaks} order by all limit {MOST_EXAMPLES}"
        )
        return tuple({name: _plain(value) for name, value in row.items()} for row in rows)

    def query(self, sql: str) -> list[dict[str, Any]]:
        """Return the rows of a query by their columns' names."""
        answer = self._database.execute(sql)
        names = [column[0] for column in answer.description or ()]
        return [dict(zip(names, row, strict=True)) for row in answer.fetchall()]

    def wrong_columns(self, tables: Mapping[str, Table]) -> list[str]:
        """Name the columns that are missing, unknown or of another type, file by file."""
        wrong = {
            f"{name}.{column}"
            for name, table in tables.items()
            for schema in _schemas(self._datasets[name])
            for column in _differing(table, schema)
        }
        return sorted(wrong)


class Reader:
    """One DuckDB, which opens partitions one after the other: starting it takes 20 ms of CPU."""

    def __init__(self, storage: Storage, database: DuckDBPyConnection) -> None:
        self.storage = storage
        self._database = database

    @contextmanager
    def open(self, partitions: Mapping[str, str]) -> Iterator[Tables]:
        """Open a partition of each table.

        Raises
        ------
        StorageError
            One of them was never finished.
        """
        for name, partition in partitions.items():
            self.storage.lake.manifest(name, partition)
        with self.open_finished(partitions) as opened:
            yield opened

    @contextmanager
    def open_finished(self, partitions: Mapping[str, str]) -> Iterator[Tables]:
        """Open partitions whose manifests were read before; they are not read again."""
        lake = self.storage.lake
        datasets = {name: lake.finished_dataset(name, part) for name, part in partitions.items()}
        with self._database.cursor() as cursor:
            for name, dataset in datasets.items():
                cursor.register(name, _relation(cursor, self.storage, name, dataset))
            yield Tables(cursor, datasets)


@contextmanager
def open_reader(storage: Storage) -> Iterator[Reader]:
    """Start a DuckDB with little memory, which spills to the scratch folder."""
    import duckdb

    with storage.scratch() as scratch, duckdb.connect() as database:
        database.execute(f"set global timezone = 'UTC'; set memory_limit = '{_MEMORY}'")
        spilled = str(scratch).replace("'", "''")
        database.execute(f"set temp_directory = '{spilled}'; set preserve_insertion_order = false")
        yield Reader(storage, database)


def number(value: Any) -> float | None:
    """Return a finite number, or None: infinity stays inside a range that is open above."""
    if value is None or not math.isfinite(value):
        return None
    return float(value)


def _relation(database: DuckDBPyConnection, storage: Storage, name: str, dataset: Dataset) -> Any:
    """Read files on a disk by DuckDB itself, which takes half of Arrow's time and memory.

    Columns that files of an earlier version lack are null.
    """
    files = [fragment.path for fragment in dataset.get_fragments()]
    local = files and "://" not in storage.lake.address()
    nulls = [
        f"cast(null as {table.kinds[column]}) as {column}"
        for table in TABLES
        for column in table.added
        if table.name == name and column not in dataset.schema.names
    ]
    if local:
        relation = database.read_parquet(files, hive_partitioning=False)
    elif nulls:
        relation = database.from_arrow(dataset)
    else:
        return dataset
    return relation.project(", ".join(["*", *nulls]))


def _schemas(dataset: Dataset) -> list[Any]:
    """Return the schema of every file; an empty one where there are no files."""
    return [fragment.physical_schema for fragment in dataset.get_fragments()] or [dataset.schema]


def _differing(table: Table, schema: Any) -> set[str]:
    wanted = {name: _KINDS[kind] for name, kind in table.kinds.items()}
    present = {field.name: _kind(field.type) for field in schema}
    absent = set(table.added) - present.keys()
    return {name for name, _ in wanted.items() ^ present.items()} - absent


def _kind(type_: DataType) -> str:
    """Name an Arrow type as far as readers care: without the unit of a time."""
    from pyarrow import types

    if types.is_timestamp(type_):
        return "timestamp"
    if types.is_map(type_):
        return f"map<{type_.key_type}, {type_.item_type}>"
    return f"list<{type_.value_type}>" if types.is_list(type_) else str(type_)


def _plain(value: Any) -> str | int | float | bool | None:
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return number(value)
    text = str(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
