"""Bad tables are named before anything is trained on them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from infra.errors import InputError, StorageError
from infra.schemas import INTERACTIONS
from infra.storage import Storage
from models.candidates import candidate_named, load_candidates, model_class
from models.data.run_tables import price_bands, read_run, read_table
from models.training.train import train
from tests.models.conftest import (
    AS_OF,
    INTERACTION_TYPES,
    RUN,
    WriteRun,
    arrays,
    interaction,
    item,
    let_all_compete,
)

SHOWN = [item(name) for name in "xyz"]
GOOD = [interaction("a", "x"), interaction("b", "y"), interaction("a", "z", "holdout")]


def with_weight(weight: float | None) -> list[dict[str, object]]:
    return [*GOOD, {**interaction("b", "z"), "weight": weight}]


BAD = {
    "no row": ([], SHOWN),
    "no row before the cut": ([interaction("a", "x", "holdout")], SHOWN),
    "1 interaction weights": (with_weight(np.nan), SHOWN),
    "1 interaction weights are": (with_weight(np.inf), SHOWN),
    "1 interaction weights are negative": (with_weight(-1.0), SHOWN),
    "an empty weight": (with_weight(None), SHOWN),
    "an empty user_key": ([*GOOD, {**GOOD[0], "user_key": None}], SHOWN),
    "item is there twice": ([*GOOD, GOOD[0]], SHOWN),
    "item is in the catalogue twice": (GOOD, [*SHOWN, SHOWN[0]]),
    "an empty in_stock": (GOOD, [*SHOWN, item("w", in_stock=None)]),
    "Only one user": ([interaction("a", "x"), interaction("a", "y", "holdout")], SHOWN),
    "None of 1 hold-out users": ([*GOOD[:2], interaction("c", "z", "holdout")], SHOWN),
    "None of 0 hold-out users": (GOOD[:2], SHOWN),
    "No item may be recommended": (GOOD, [item(name, has_picture=False) for name in "xyz"]),
}

CASES = [
    (message, candidate.name)
    for message in BAD
    for candidate in load_candidates(every=True)
    if (message, candidate.name) != ("item is there twice", "spark_als")  # batches cannot show it
]


@pytest.mark.parametrize(("message", "candidate"), CASES, ids=str)
def test_refused_before_training(
    message: str, candidate: str, shop: Storage, write_run: WriteRun
) -> None:
    pairs, items = BAD[message]
    let_all_compete(shop, write_run(pairs, items))

    def fit(*given: object) -> None:
        raise AssertionError("training started")

    trainer = model_class(candidate_named(candidate).class_path)
    with pytest.MonkeyPatch.context() as patch:
        for method in {"fit", "fit_table"} & set(dir(trainer)):
            patch.setattr(trainer, method, fit)
        with pytest.raises(InputError, match=message):
            train(shop, RUN, candidate)
    assert shop.lake.partitions("candidates") == []


def test_good_tables_pass(shop: Storage, write_run: WriteRun) -> None:
    write_run(GOOD, SHOWN)
    assert train(shop, RUN, "popularity")["interactions"] == 2


def test_unfinished_tables(shop: Storage, write_run: WriteRun) -> None:
    write_run()
    shop.lake.begin("items", RUN)
    with pytest.raises(StorageError, match="not finished"):
        read_run(shop, RUN)


def test_a_missing_column(shop: Storage, write_run: WriteRun) -> None:
    import pyarrow.parquet as pq

    write_run()
    for file in Path(shop.lake.address("interactions", RUN)).glob("*.parquet"):
        pq.write_table(pq.read_table(file, partitioning=None).drop_columns("weight"), file)
    with pytest.raises(InputError, match="lacks the column weight"):
        read_run(shop, RUN)


def test_what_was_sent_back_alone_is_nothing_to_learn_from(
    shop: Storage, write_run: WriteRun
) -> None:
    nothing = {**interaction("a", "z"), "weight": 0.0, "successes": 0, "purchases": 1}
    write_run([*GOOD, nothing], SHOWN)
    train_ = read_run(shop, RUN).train
    assert train_.weights.toarray().tolist() == [[1, 0, 0], [0, 1, 0]]


def test_tables_of_before_are_read_as_they_were_meant(shop: Storage, write_run: WriteRun) -> None:
    import pyarrow.parquet as pq

    write_run(GOOD, SHOWN)
    later = ["successes", "purchases", "bought_time"]
    for file in Path(shop.lake.address("interactions", RUN)).glob("*.parquet"):
        pq.write_table(pq.read_table(file, partitioning=None).drop_columns(later), file)
    rows = read_table(shop, INTERACTIONS, RUN).to_pylist()
    assert [[row[name] for name in later] for row in rows] == [[1, 0, None]] * 3
    assert read_run(shop, RUN).holdout.items.tolist() == ["z"]


def test_arrays_say_what_the_rows_say() -> None:
    pairs = [
        interaction("ü", "b", weight=2),
        interaction("a", "z9", weight=3),
        interaction("a", "b", weight=4),
    ]
    catalogue = [item("b", brand="B"), item("c", brand=None, in_stock=False)]
    train_, items = arrays(pairs, catalogue)
    assert train_.users.tolist() == ["a", "ü"] and train_.items.tolist() == ["b", "c", "z9"]
    assert train_.weights.toarray().tolist() == [[4, 0, 3], [2, 0, 0]]
    assert len(train_.last_times) == 3
    assert items.recommendable.tolist() == [True, False, False]
    named = {
        str(name): {items.names[column] for column in items.matrix[row].indices}
        for row, name in enumerate(items.items)
    }
    assert "brand=B" in named["b"] and "category=coats" in named["c"] and named["z9"] == set()


def test_times_are_utc(shop: Storage, write_run: WriteRun) -> None:
    write_run(as_of=AS_OF.replace(tzinfo=None))
    assert read_run(shop, RUN).as_of == AS_OF


def test_price_bands_of_odd_prices() -> None:
    odd = pa.chunked_array([[None, float("nan"), -1.0, float("inf")]], pa.float64())
    assert price_bands(odd).to_pylist() == [None] * 4
    same = price_bands(pa.chunked_array([[5.0, 5.0]])).to_pylist()
    assert len(set(same)) == 1


def test_the_fixture_follows_the_schema() -> None:
    assert tuple(INTERACTION_TYPES.names) == INTERACTIONS.columns
