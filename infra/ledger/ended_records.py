"""Numbered records of the published folder that a later record in the same folder may end."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Generic, TypeVar

from infra.errors import InputError
from infra.records.serving import Ending, Override, Token
from infra.rules import parse_json
from infra.stores.numbered import after, append, key
from infra.stores.object_store import ObjectStore

CURE = "Restore it from a backup of the published folder."
Record = TypeVar("Record", Override, Token)


@dataclass(frozen=True)
class Known(Generic[Record]):
    """All records of a folder up to a number.

    Attributes
    ----------
    last : int
        The number of the newest record of either kind; 0 without one.
    records : mapping of int to Record
        By number, also the ended ones.
    endings : mapping of int to Ending
        The first ending of each record that has one, by the number of the record.
    """

    last: int = 0
    records: Mapping[int, Record] = field(default_factory=lambda: MappingProxyType({}))
    endings: Mapping[int, Ending] = field(default_factory=lambda: MappingProxyType({}))


def read_on(
    store: ObjectStore, folder: str, kind: type[Record], known: Known[Record]
) -> Known[Record]:
    """Return what is known with all that came since; the same object if nothing did.

    Raises
    ------
    StorageError
        The storage fails, or a record cannot be understood.
    """
    last, records, endings = known.last, dict(known.records), dict(known.endings)
    for last, content in after(store, folder, known.last):
        name = f"The record {key(folder, last)}"
        if _is_ending(content):
            ending = parse_json(content, Ending, name, CURE)
            endings.setdefault(ending.ends, ending)
        else:
            records[last] = parse_json(content, kind, name, CURE)
    return known if last == known.last else Known(last, records, endings)


def add(store: ObjectStore, folder: str, record: Record) -> Record:
    """Write a record, and return it with its number; raise as `append` does."""
    number = append(store, folder, lambda number: _content(record, number))
    return record.model_copy(update={"number": number})


def end(store: ObjectStore, folder: str, known: Known[Record], ending: Ending) -> Ending:
    """Write the ending of a record, and return it with its number.

    Parameters
    ----------
    known : Known
        As read just now.

    Raises
    ------
    InputError
        There is no such record, or it has an ending already.
    """
    if ending.ends not in known.records:
        raise InputError(f"{folder} has no record {ending.ends}.", "Name a number that it has.")
    if ending.ends in known.endings:
        by = known.endings[ending.ends].by
        raise InputError(f"{by} ended {ending.ends} of {folder} already.", "Nothing is to be done.")
    number = append(store, folder, lambda number: _content(ending, number))
    return ending.model_copy(update={"number": number})


def _content(record: Override | Token | Ending, number: int) -> bytes:
    return record.model_copy(update={"number": number}).model_dump_json(indent=1).encode()


def _is_ending(content: bytes) -> bool:
    try:
        loaded = json.loads(content)
    except ValueError:
        return False  # `parse_json` says what is wrong
    return isinstance(loaded, dict) and "ends" in loaded
