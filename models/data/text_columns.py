"""Turns text columns of any size into numbers: each distinct text once, and its place per row.

Arrow counts the letters of one array of texts in 31 bits: 67 million keys of 32 letters are too
many for one array. So texts are coded while a file is read, and are never put into one array.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from models.recommender import texts


def read_coded(files: Sequence[Path], columns: Sequence[str]) -> pa.Table:
    """Read Parquet files as one table whose text columns are coded, each by one dictionary."""
    rows = [pq.read_table(file, partitioning=None, read_dictionary=list(columns)) for file in files]
    return pa.concat_tables(rows).unify_dictionaries()


def coded(column: pa.ChunkedArray) -> tuple[NDArray[np.str_], NDArray[np.int64]]:
    """Return the sorted distinct values, and for every row the position of its value.

    The column may be coded already, by other dictionaries in each chunk and by ones that hold more.
    """
    is_coded = pa.types.is_dictionary(column.type)
    chunks = (column if is_coded else column.dictionary_encode()).unify_dictionaries().chunks
    if not chunks:
        return np.array([], dtype=np.str_), np.array([], dtype=np.int64)
    dictionary = chunks[0].dictionary
    codes = np.concatenate([chunk.indices.to_numpy() for chunk in chunks])
    used = np.flatnonzero(np.bincount(codes, minlength=len(dictionary)))
    values = texts(dictionary.take(pa.array(used)))
    order = np.argsort(values)
    rank = np.empty(len(dictionary), dtype=np.int64)
    rank[used[order]] = np.arange(len(order))
    return values[order], rank[codes]
