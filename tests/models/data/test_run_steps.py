"""The steps of a run as arrays: visits in order, and bad tables named."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pyarrow as pa
import pytest

from infra.errors import InputError, StorageError
from infra.schemas import EVENT_TYPES
from infra.storage import Storage
from models.data.run_steps import read_steps, steps_of
from models.steps import Steps
from tests.models.conftest import AS_OF, RUN, STEP_TYPES, Row, WriteRun, step

ITEMS = np.array(["x", "y", "z"])
LATER = AS_OF - timedelta(days=2)
# "s9" of ann comes before her "s1", which the cut divides; bob's visit has the name of hers
ROWS = [
    step("bob", "x", event_type="purchase", quantity=2, unit_price=9.5),
    step("ann", "y", 1),
    step("ann", "x", 0),
    step("ann", "unknown", 2, part="holdout", event_time=LATER),
    step("ann", "z", 0, session="s9", event_time=AS_OF - timedelta(days=9)),
    step("cleo", "z", 0, part="holdout", event_time=LATER),
]


def visits(steps: Steps) -> list[tuple[str, list[str]]]:
    """Return the person and the items of every visit; an unknown item has an empty name."""
    ids = [str(steps.items[place]) if place >= 0 else "" for place in steps.item]
    parts = zip(steps.starts[:-1], steps.starts[1:], strict=True)
    whose = (str(steps.persons[place]) for place in steps.visitors)
    return [(person, ids[a:b]) for person, (a, b) in zip(whose, parts, strict=True)]


def test_a_part_holds_its_own_events_in_order(shop: Storage, write_run: WriteRun) -> None:
    write_run(steps=ROWS)
    train, holdout, both = (read_steps(shop, RUN, ITEMS, part) for part in PARTS)
    assert visits(train) == [("ann", ["z"]), ("ann", ["x", "y"]), ("bob", ["x"])]
    assert visits(holdout) == [("ann", [""]), ("cleo", ["z"])]
    assert visits(both) == [
        ("ann", ["z"]),
        ("ann", ["x", "y", ""]),
        ("bob", ["x"]),
        ("cleo", ["z"]),
    ]


PARTS = ("train", "holdout", None)


def test_what_a_step_says() -> None:
    steps = steps_of(table(ROWS), ITEMS)
    assert EVENT_TYPES[steps.kind[4]] == "purchase" and EVENT_TYPES[steps.kind[0]] == "view"
    assert steps.quantity[4] == 2 and steps.unit_price[4] == 9.5
    assert np.isnan(steps.quantity[:4]).all() and np.isnan(steps.unit_price[:4]).all()
    assert steps.times[3] == np.datetime64(LATER.replace(tzinfo=None), "us")
    assert steps.visits.tolist() == [0, 1, 1, 1, 2, 3]


def table(rows: list[Row]) -> pa.Table:
    return pa.Table.from_pylist(rows, STEP_TYPES)


def test_some_persons_keep_their_visits() -> None:
    steps = steps_of(table(ROWS), ITEMS)
    some = steps.of_persons(steps.persons != "ann")
    assert visits(some) == [("bob", ["x"]), ("cleo", ["z"])]
    assert some.quantity[0] == 2 and some.persons.tolist() == ["bob", "cleo"]


def test_no_step_is_no_visit(shop: Storage, write_run: WriteRun) -> None:
    write_run(steps=[])
    steps = read_steps(shop, RUN, ITEMS, "holdout")
    assert visits(steps) == [] and steps.starts.tolist() == [0] and not len(steps.visits)


BAD = {
    "an empty person_key": [step("ann", "x"), step("", "x") | {"person_key": None}],
    "in steps twice": [step("ann", "x"), step("ann", "y")],
    "'stare' in steps": [step("ann", "x", event_type="stare")],
}


@pytest.mark.parametrize("message", BAD)
def test_bad_rows_are_named(message: str, shop: Storage, write_run: WriteRun) -> None:
    write_run(steps=BAD[message])
    with pytest.raises(InputError, match=message):
        read_steps(shop, RUN, ITEMS)


def test_a_run_of_an_earlier_version_has_no_steps(shop: Storage) -> None:
    with pytest.raises(StorageError, match="steps"):
        read_steps(shop, RUN, ITEMS)
