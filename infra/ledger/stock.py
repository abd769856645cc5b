"""What the stock feed said last of each item: numbered changes, now and then one with all of them.

A server reads on from what it knows: `known = read_stock(storage, known)`. It wins over the
catalogue of a release, until the feed says something else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from infra.errors import StorageError
from infra.places import STOCK
from infra.records.serving import StockChange
from infra.rules import parse_json
from infra.storage import Storage
from infra.stores.numbered import append, key, numbers

CURE = "Restore it from a backup of the published folder."
WHOLE_EVERY = 100  # so many records are read at most; older ones are deleted


@dataclass(frozen=True)
class Stock:
    """What is known up to a number.

    Attributes
    ----------
    last : int
        The number of the newest record; 0 without one.
    in_stock : mapping of str to bool
        By item; of an item that is missing, the feed said nothing.
    """

    last: int = 0
    in_stock: Mapping[str, bool] = field(default_factory=lambda: MappingProxyType({}))


NOTHING = Stock()


def read_stock(storage: Storage, known: Stock = NOTHING) -> Stock:
    """Return what is known with all that came since; the same object if nothing did.

    Raises
    ------
    StorageError
        The storage fails, or a record cannot be understood.
    """
    changes = list(_changes_since(storage, known.last))  # newest first
    if not changes:
        return known
    told = {} if changes[-1].whole else dict(known.in_stock)
    for change in reversed(changes):
        told |= change.in_stock
    return Stock(changes[0].number, told)


def change_stock(storage: Storage, change: StockChange, known: Stock = NOTHING) -> int:
    """Write what is new in a change, and return the number of the newest record.

    What is known already is not written again. Every hundredth record says all that is known; when
    it is there, the records before the last such one are deleted.

    Parameters
    ----------
    known : Stock
        What the caller read before; it saves reading that again.

    Raises
    ------
    StorageError
        The storage fails, or many write at once, or records are gone that the caller read before:
        so it looks where a disk is not mounted.
    """
    before = known

    def content(number: int) -> bytes | None:
        nonlocal before
        if number <= known.last:
            raise StorageError(f"{storage.published.address}/{STOCK} lost its records.", CURE)
        before = read_stock(storage, before)
        news = {item: is_in for item, is_in in change.in_stock.items() if _is_new(item, is_in)}
        if not news:
            return None
        whole = number % WHOLE_EVERY == 0
        told = {**before.in_stock, **news} if whole else news
        record = change.model_copy(update={"number": number, "in_stock": told, "whole": whole})
        return record.model_dump_json().encode()

    def _is_new(item: str, is_in: bool) -> bool:
        return before.in_stock.get(item) is not is_in

    number = append(storage.published, STOCK, content)
    if number % WHOLE_EVERY == 0:
        _delete_before(storage, number - WHOLE_EVERY)
    return number


def _changes_since(storage: Storage, last: int) -> Iterator[StockChange]:
    """Give the changes after a number, newest first, back to the newest that says all."""
    for number in reversed(numbers(storage.published, STOCK)):
        if number <= last:
            return
        place = key(STOCK, number)
        content = storage.published.read(place)
        change = parse_json(content, StockChange, f"The record {place}", CURE)
        yield change.model_copy(update={"number": number})
        if change.whole:
            return


def _delete_before(storage: Storage, whole: int) -> None:
    for number in numbers(storage.published, STOCK):
        if number < whole:
            storage.published.delete(key(STOCK, number))
