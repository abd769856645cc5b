"""Text columns as numbers: however they are cut, coded or large, the same values and places."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from models.data.text_columns import coded, read_coded

WORDS = ["b", "ä", "a", "b", "c", "a", "b"]
COLUMNS = {
    "one chunk": pa.chunked_array([WORDS]),
    "a chunk each": pa.chunked_array([[word] for word in WORDS]),
    "with empty chunks": pa.chunked_array([[], WORDS[:3], [], WORDS[3:], []], pa.string()),
    "large texts": pa.chunked_array([WORDS[:3], WORDS[3:]], pa.large_string()),
    "coded": pa.chunked_array([pa.array(WORDS).dictionary_encode()]),
    "coded by a dictionary each": pa.chunked_array(
        [pa.array(part).dictionary_encode() for part in (WORDS[:2], WORDS[2:5], WORDS[5:])]
    ),
    "coded, and the dictionary holds more": pa.chunked_array(
        [pa.array(["z", "x", "0", *WORDS, "y"]).dictionary_encode().slice(3, len(WORDS))]
    ),
}


@pytest.mark.parametrize("column", COLUMNS.values(), ids=COLUMNS)
def test_values_are_sorted_and_places_lead_back(column: pa.ChunkedArray) -> None:
    values, places = coded(column)
    assert values.tolist() == sorted(set(WORDS))
    assert values[places].tolist() == WORDS
    assert (values.dtype.kind, places.dtype) == ("U", np.int64)


@pytest.mark.parametrize("kind", [pa.string(), pa.dictionary(pa.int32(), pa.string())], ids=str)
def test_no_rows_are_no_values(kind: pa.DataType) -> None:
    for column in (pa.chunked_array([], kind), pa.chunked_array([pa.array([], kind)])):
        values, places = coded(column)
        assert (len(values), len(places), values.dtype.kind) == (0, 0, "U")


def test_more_letters_than_one_array_holds() -> None:
    """As 67 million keys have; here few long ones, all chunks in the same memory."""
    chunk = pa.array([f"{number:01024d}" for number in range(2**13)])
    column = pa.chunked_array([chunk] * 260)
    assert column.nbytes > 2**31
    with pytest.raises(pa.ArrowInvalid, match="offset overflow"):
        column.combine_chunks()
    values, places = coded(column)
    assert len(values) == 2**13 and len(places) == 260 * 2**13
    np.testing.assert_array_equal(places[-(2**13) :], np.arange(2**13))


def test_files_become_one_table_with_one_dictionary_per_column(tmp_path: Path) -> None:
    parts = WORDS[:2], WORDS[2:5], WORDS[5:]
    for number, part in enumerate(parts):
        table = pa.table({"word": part, "number": list(range(len(part))), "other": part})
        pq.write_table(table, tmp_path / f"{number}.parquet")
    table = read_coded(sorted(tmp_path.glob("*.parquet")), ["word"])
    assert table["word"].to_pylist() == WORDS == table["other"].to_pylist()
    assert [chunk.dictionary.to_pylist() for chunk in table["word"].chunks] == [
        ["b", "ä", "a", "c"]
    ] * 3
    assert pa.types.is_string(table["other"].type)
