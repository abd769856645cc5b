"""Compares the columns a model learnt from with the champion's: a difference needs a person."""

from __future__ import annotations

import json

from infra.errors import StorageError
from infra.places import version_key
from infra.records.release import Judgement
from infra.schemas import INTERACTIONS, ITEMS
from infra.storage import Storage

NAME = "data_schema"
WHY = "a model that learnt from other columns is no like-for-like measure of this one"


def columns_of(storage: Storage, run: str) -> tuple[str, ...]:
    """Return `table.column type` of the tables a run learns from, sorted.

    Raises
    ------
    StorageError
        A table of the run is missing.
    """
    return tuple(
        sorted(
            f"{table}.{column.name} {column.type}"
            for table in (INTERACTIONS.name, ITEMS.name)
            for column in storage.lake.dataset(table, run).schema
        )
    )


def columns_of_version(storage: Storage, version: str) -> tuple[str, ...] | None:
    """Return what the card of a published version says of its columns; None if it says nothing."""
    try:
        card = json.loads(storage.published.read(f"{version_key(version)}/card.json"))
        return tuple(map(str, card["data"]["columns"])) or None
    except (StorageError, ValueError, KeyError, TypeError):
        return None


def judge_columns(now: tuple[str, ...], champion: tuple[str, ...] | None) -> Judgement:
    """Hold the columns of a run to those of what is live; a person looks at any difference."""
    if champion is None:
        reason = "nobody wrote down which columns the live model learnt from"
    elif now == champion:
        reason = "they are the same"
    else:
        new, gone = sorted({*now} - {*champion}), sorted({*champion} - {*now})
        reason = "; ".join(
            f"{word} {', '.join(names)}"
            for word, names in (("new:", new), ("gone:", gone))
            if names
        )
    same = now == champion
    return Judgement(
        metric=NAME,
        value=None,
        limit="the columns of the champion",
        result="not judged" if champion is None else "met" if same else "missed",
        outcome="release" if same else "review",
        reason=f"The columns of the data, held to those of the live model: {reason}.",
        why=WHY,
    )
