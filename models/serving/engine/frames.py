"""What the rules of the shop allow in each scope, kept as long as the rules stay the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from models.merchandising.assortment import Assortment, Flags
from models.merchandising.scope import Scope, Stock, scope_of, stock_of
from models.merchandising.shop_rules import ShopRules
from models.serving.engine.scorer import Scorer

MOST = 64  # scopes kept: of a million items each takes some megabytes
FILLING = 200  # bestsellers of a scope that are kept as plain numbers


@dataclass(frozen=True)
class Frame:
    """A scope as the scorer needs it."""

    scope: Scope
    scorer: Scorer
    everything: NDArray[np.int32]

    @cached_property
    def open(self) -> Flags:
        """Which items of the model may be candidates."""
        return self.scorer.mask(self.scope.open)

    @cached_property
    def clear(self) -> Flags:
        """Which items of the model may be shown."""
        return self.open if self.is_clear else self.scorer.mask(self.scope.clear)

    @property
    def is_clear(self) -> bool:
        """Nothing is sold out or blocked: every candidate may be shown."""
        return self.scope.clear is self.scope.open

    @property
    def bestsellers(self) -> Iterator[list[int]]:
        """Give what sells best in the scope, in two parts: nearly always the first is enough."""
        yield self._first_bestsellers
        yield self._bestsellers[FILLING:].tolist()

    @cached_property
    def _first_bestsellers(self) -> list[int]:
        return list(self._bestsellers[:FILLING].tolist())

    @cached_property
    def _bestsellers(self) -> NDArray[np.int32]:
        return self.everything[self.scope.open[self.everything]]

    def only(self, allowed: Flags) -> Frame:
        """Return the frame without all other items."""
        return Frame(self.scope.only(allowed), self.scorer, self.everything)


@dataclass(frozen=True)
class _Made:
    """The frames of one snapshot of the rules, until an override begins or ends."""

    rules: ShopRules
    since: datetime
    until: datetime
    stock: Stock
    frames: dict[tuple[str, str, str], Frame]


class Frames:
    """Makes frames when they are asked for, and keeps the last ones."""

    def __init__(self, items: Assortment, scorer: Scorer, bestsellers: NDArray[np.int32]) -> None:
        self._items, self._scorer, self._bestsellers = items, scorer, bestsellers
        self._made: _Made | None = None
        self._stocks: tuple[tuple[Mapping[str, bool], Stock], ...] = ()

    def of(
        self, rules: ShopRules, now: datetime, placement: str, market: str, category: str
    ) -> Frame:
        """Return the frame of a scope at a time."""
        made = self._of_rules(rules, now)
        frame = made.frames.get((placement, market, category))
        if frame is None:
            overrides = rules.in_force(made.since)
            scope = scope_of(self._items, made.stock, overrides, placement, market, category)
            frame = Frame(scope, self._scorer, self._bestsellers)
            if len(made.frames) >= MOST:
                made.frames.clear()
            made.frames[placement, market, category] = frame
        return frame

    def prepare(self, rules: ShopRules) -> None:
        """Look up the stock of other rules; a thread does it before they count."""
        self._stock(rules.in_stock)

    def _of_rules(self, rules: ShopRules, now: datetime) -> _Made:
        made = self._made
        if made is None or made.rules is not rules or not made.since <= now < made.until:
            stock = self._stock(rules.in_stock)
            made = self._made = _Made(rules, now, rules.next_change(now), stock, {})
        return made

    def _stock(self, in_stock: Mapping[str, bool]) -> Stock:
        """Return the stock in positions; of 20,000 items that takes some 10 ms."""
        for known, stock in self._stocks:
            if known is in_stock:
                return stock
        stock = stock_of(self._items, in_stock)
        self._stocks = ((in_stock, stock), *self._stocks[:1])  # the one before may still count
        return stock
