"""Reads the table `steps` of a run into arrays: its train part, its hold-out, or both."""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from infra.errors import InputError
from infra.schemas import EVENT_TYPES, STEPS
from infra.storage import Storage
from models.data.run_tables import held_to_schema
from models.data.text_columns import coded
from models.recommender import NONE, ItemIds, positions
from models.steps import Steps

Part: TypeAlias = Literal["train", "holdout"]
_WORDS = ("person_key", "session", "item_id", "event_type", "part")  # each is stored once in memory


def read_steps(storage: Storage, run: str, items: ItemIds, part: Part | None = None) -> Steps:
    """Read and check the steps of a run, over the given sorted items.

    A visit that the cut divides has its first steps in the train part, the others in the hold-out.

    Parameters
    ----------
    part : str, optional
        `train` or `holdout`; None reads both, as a refit does. The answer may have no step.

    Raises
    ------
    StorageError
        The table was never finished.
    InputError
        It lacks a column or a required value, repeats a place of a visit, or has an unknown type.
    """
    storage.lake.manifest(STEPS.name, run)
    wanted = None if part is None else [("part", "==", part)]
    with storage.scratch() as scratch:
        folder = storage.lake.store.fetch_folder(f"{STEPS.name}/{run}", scratch)
        files = sorted(folder.glob("*.parquet"))
        how = {"partitioning": None, "read_dictionary": list(_WORDS), "filters": wanted}
        rows = pa.concat_tables([pq.read_table(file, **how) for file in files])
    return steps_of(held_to_schema(rows, STEPS, STEPS.name, run), items)


def steps_of(rows: pa.Table, items: ItemIds) -> Steps:
    """Turn rows of the table into arrays over the given sorted items; raises as `read_steps`."""
    persons, person = coded(rows["person_key"])
    _, session = coded(rows["session"])
    times = rows["event_time"].cast(pa.timestamp("us")).to_numpy()
    order, starts = _by_visit(person, session, rows["position"].to_numpy(), times)
    return Steps(
        persons=persons,
        items=items,
        visitors=person[order][starts[:-1]],
        starts=starts,
        item=_positions(items, rows["item_id"])[order],
        kind=_kinds(rows["event_type"])[order],
        times=times[order],
        quantity=_numbers(rows["quantity"])[order],
        unit_price=_numbers(rows["unit_price"])[order],
    )


def _by_visit(
    person: NDArray[np.int64],
    session: NDArray[np.int64],
    position: NDArray[np.int32],
    times: NDArray[np.datetime64],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the order of the rows, and where in it each visit starts, with the end at last."""
    order = np.lexsort((position, session, person))
    same = (np.diff(person[order]) == 0) & (np.diff(session[order]) == 0)
    if (same & (np.diff(position[order]) == 0)).any():
        raise InputError("A place of a visit is in steps twice.", "Build the interactions again.")
    starts = np.flatnonzero(np.concatenate([[True], ~same])) if len(order) else order
    lengths = np.diff(np.append(starts, len(order)))
    began = np.repeat(times[order][starts], lengths)
    by_time = np.lexsort((position[order], session[order], began, person[order]))
    first = np.lexsort((session[order][starts], times[order][starts], person[order][starts]))
    return order[by_time], np.concatenate([[0], np.cumsum(lengths[first])]).astype(np.int64)


def _positions(items: ItemIds, column: pa.ChunkedArray) -> NDArray[np.int64]:
    values, codes = coded(column)
    return positions(items, values)[codes]


def _kinds(column: pa.ChunkedArray) -> NDArray[np.int8]:
    values, codes = coded(column)
    places = [EVENT_TYPES.index(value) if value in EVENT_TYPES else NONE for value in values]
    if NONE in places:
        raise InputError(
            f"'{values[places.index(NONE)]}' in steps is no event type.",
            "Build the interactions again.",
        )
    return np.array(places, dtype=np.int8)[codes]


def _numbers(column: pa.ChunkedArray) -> NDArray[np.float64]:
    """Return numbers, NaN where a row has no number."""
    numbers: NDArray[np.float64] = column.cast(pa.float64()).to_numpy()
    return numbers
