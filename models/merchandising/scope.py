"""The rules of the shop for one placement, market and category, as positions of items."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from infra.records.serving import Override
from models.merchandising.assortment import Assortment, Flags


@dataclass(frozen=True)
class Pin:
    """An item that a curator puts at a place, counted from 0; `rule` is its name in answers."""

    place: int
    item: int
    rule: str


@dataclass(frozen=True)
class Stock:
    """What the shop's stock says of an assortment, as positions.

    Attributes
    ----------
    sold_out : frozenset of int
        Shown when the version was built, and sold out since.
    back : tuple of int
        Not in stock then, and now it is; all have a picture.
    """

    sold_out: frozenset[int] = frozenset()
    back: tuple[int, ...] = ()


@dataclass(frozen=True)
class Scope:
    """What may be shown here, and what curators want.

    Attributes
    ----------
    open : array of bool, shape (n,)
        Has a picture, was in stock when the version was built or is again, and is sold in the
        market and category.
    sold_out : frozenset of int
    blocked : mapping of int to str
        The rule by item.
    pins : tuple of Pin
        The newest rule first.
    boosted : mapping of int to str
        The rule by item.
    """

    open: Flags
    sold_out: frozenset[int] = frozenset()
    blocked: Mapping[int, str] | None = None
    pins: tuple[Pin, ...] = ()
    boosted: Mapping[int, str] | None = None

    @cached_property
    def clear(self) -> Flags:
        """What may be shown in the end: open, not sold out and not blocked, shape (n,)."""
        hidden = [*self.sold_out, *(self.blocked or ())]
        if not hidden:
            return self.open
        clear = self.open.copy()
        clear[hidden] = False
        return clear

    @property
    def hides(self) -> bool:
        """Whether an item that is open may not be shown."""
        return bool(self.sold_out or self.blocked)

    def only(self, allowed: Flags) -> Scope:
        """Return the scope without all other items."""
        return replace(self, open=self.open & allowed)


def stock_of(items: Assortment, in_stock: Mapping[str, bool]) -> Stock:
    """Compare the stock with what the version was built with."""
    if not in_stock:
        return Stock()
    places = np.array(items.places(list(in_stock)), dtype=np.int64)
    now = np.fromiter(in_stock.values(), dtype=np.bool_, count=len(places))
    known = places >= 0
    out, back = places[known & ~now], places[known & now]
    return Stock(
        frozenset(out[items.shown[out]].tolist()),
        tuple(back[items.has_picture[back] & ~items.shown[back]].tolist()),
    )


def scope_of(
    items: Assortment,
    stock: Stock,
    overrides: Iterable[Override],
    placement: str,
    market: str = "",
    category: str = "",
) -> Scope:
    """Return what may be shown in a scope.

    Parameters
    ----------
    overrides : iterable of Override
        Those in force, in the order of their numbers: of two pins to a place, the newer gets it.
    """
    chosen = [rule for rule in overrides if rule.concerns(placement, market, category)]
    allowed = items.shown
    if stock.back:
        allowed = items.shown.copy()
        allowed[list(stock.back)] = True
    for part in (items.sold_in(market), items.in_category(category)):
        allowed = allowed if part is None else allowed & part
    return Scope(
        open=allowed,
        sold_out=stock.sold_out,
        blocked=_items_of(items, chosen, "block"),
        pins=tuple(_pins(items, chosen)),
        boosted=_items_of(items, chosen, "boost"),
    )


def _items_of(items: Assortment, rules: Iterable[Override], action: str) -> dict[int, str]:
    return {
        place: f"{action}:{rule.number}"
        for rule in rules
        if rule.action == action
        for place in items.known(rule.item_ids)
    }


def _pins(items: Assortment, rules: list[Override]) -> Iterable[Pin]:
    for rule in reversed(rules):
        if rule.action == "pin" and rule.place is not None:
            for after, place in enumerate(items.known(rule.item_ids)):
                yield Pin(rule.place - 1 + after, place, f"pin:{rule.number}")
