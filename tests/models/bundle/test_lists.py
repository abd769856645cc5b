"""The lists of a bundle as arrays: of each rule the longest, for all users in one order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from infra.errors import BundleError
from infra.placements import Placements
from infra.storage import Storage
from models.bundle.lists import Lists, read_lists
from tests.models.conftest import AS_OF, RUN

ITEMS = np.array(["a", "b", "c", "ü"])
PLACES: dict[str, dict[str, Any]] = {
    "home": {"length": 2, "leave_out": "bought", "within_days": 30},
    "mail": {"length": 3, "leave_out": "bought", "within_days": 30},
    "app": {"length": 2, "leave_out": "seen"},
    "again": {"length": 2, "leave_out": "nothing", "answers": "again"},
}
PLACEMENTS = Placements.model_validate(
    {
        "success": ["purchase"],
        "placements": {
            name: {"answers": "personal", "why": "x", **place} for name, place in PLACES.items()
        },
    }
)
ROWS = [
    ("home", "ü", ["c", "a"], [2.0, 1.0]),
    ("mail", "ü", ["c", "a", "b"], [2.0, 1.0, 0.5]),
    ("mail", "anna", ["ü"], [7.0]),
    ("home", "anna", ["ü"], [7.0]),
    ("app", "ü", [], []),
    ("app", "anna", ["a", "ü", "b"], [3.0, 2.0, 1.0]),
    ("again", "ü", ["b"], [1.0]),
]


def write(shop: Storage, rows: list[Any]) -> None:
    names = ("placement", "user_key", "item_ids", "scores")
    kinds = (pa.string(), pa.string(), pa.list_(pa.string()), pa.list_(pa.float32()))
    table = pa.Table.from_pylist(
        [dict(zip(names, row, strict=True)) for row in rows],
        pa.schema(list(zip(names, kinds, strict=True))),
    )
    folder = Path(shop.lake.begin("recommendations", RUN))
    folder.mkdir(parents=True)
    pq.write_table(table.slice(0, 3), folder / "part-00000.parquet")
    pq.write_table(table.slice(3), folder / "part-00001.parquet")
    shop.lake.commit("recommendations", RUN, {"written_at": AS_OF})


def test_the_longest_list_of_each_rule(shop: Storage, tmp_path: Path) -> None:
    write(shop, ROWS)
    read_lists(shop, RUN, ITEMS, PLACEMENTS).save(tmp_path)
    lists = Lists.load(tmp_path, ["bought_30", "seen"], len(ITEMS))
    assert lists.users.tolist() == [b"anna", "ü".encode()]
    assert lists.items["bought_30"].tolist() == [[3, -1, -1], [2, 0, 1]]
    assert lists.scores["bought_30"].tolist() == [[7, 0, 0], [2, 1, 0.5]]
    assert lists.items["seen"].tolist() == [[0, 3], [-1, -1]], "no longer than the placement asks"
    assert {array.dtype for array in lists.items.values()} == {np.dtype(np.int32)}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("app", "anna", ["gone"], [1.0]), "an item that is not in the catalogue"),
        (("app", "bea", ["a"], [1.0]), "lack users in some placement"),
    ],
)
def test_lists_that_do_not_fit_are_refused(shop: Storage, change: Any, says: str) -> None:
    write(shop, [*ROWS[:5], change])
    with pytest.raises(BundleError, match=says):
        read_lists(shop, RUN, ITEMS, PLACEMENTS)


@pytest.mark.parametrize("place", [-2, 4])
def test_a_file_that_does_not_fit_is_refused(place: int, tmp_path: Path) -> None:
    ones = np.ones((1, 1), np.float32)
    Lists(np.array([b"u"]), {"seen": np.full((1, 1), place, np.int32)}, {"seen": ones}).save(
        tmp_path
    )
    with pytest.raises(BundleError, match="does not fit the items"):
        Lists.load(tmp_path, ["seen"], 4)
    with pytest.raises(BundleError, match="items_nothing"):
        Lists.load(tmp_path, ["nothing"], 4)
