"""The items of a version as the rules of the shop see them, by their positions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from models.recommender import NONE, ItemIds

Flags = NDArray[np.bool_]
Texts = NDArray[np.str_]


@dataclass(frozen=True)
class Assortment:
    """What a shop sells.

    Attributes
    ----------
    ids : array of str, shape (n,)
        Sorted.
    shown : array of bool, shape (n,)
        Had a picture and was in stock when the version was built.
    has_picture : array of bool, shape (n,)
    categories : array of str, shape (n,)
        "" where unknown.
    markets : array of str, shape (n,)
        Where an item is sold, by comma; "" for everywhere.
    """

    ids: ItemIds
    shown: Flags
    has_picture: Flags
    categories: Texts
    markets: Texts

    def places(self, item_ids: Sequence[str]) -> list[int]:
        """Return the position of each id; -1 for what is no item."""
        return places_of(self.ids, item_ids)

    def known(self, item_ids: Iterable[str]) -> list[int]:
        """Return the positions of those ids that are items."""
        wanted = list(item_ids)
        return [place for place in self.places(wanted) if place != NONE] if wanted else []

    def sold_in(self, market: str) -> Flags | None:
        """Say of every item whether it is sold in a market; None if all are."""
        if not market or not self._market_words:
            return None
        sells = [not words or market in words.split(",") for words in self._market_words]
        return np.array(sells, dtype=np.bool_)[self._market_codes]

    def in_category(self, category: str) -> Flags | None:
        """Say of every item whether it is in a category; None if no category is asked for."""
        return self.categories == category if category else None

    @cached_property
    def _markets(self) -> tuple[Texts, NDArray[np.intp]]:
        words, codes = np.unique(self.markets, return_inverse=True)
        return words, codes

    @property
    def _market_words(self) -> list[str]:
        words: list[str] = self._markets[0].tolist()
        return words if words != [""] else []

    @property
    def _market_codes(self) -> NDArray[np.intp]:
        return self._markets[1]


def places_of(ids: ItemIds, wanted: Sequence[str]) -> list[int]:
    """Return the position of each wanted id in sorted ids; -1 where it is not among them.

    An id longer than all others is not looked for: numpy would copy all of them to its length.

    >>> places_of(np.array(["a", "c"]), ["c", "b", "something long"])
    [1, -1, -1]
    """
    if not ids.size or not wanted:
        return [NONE] * len(wanted)
    longest = ids.dtype.itemsize // 4
    words = np.array([word if len(word) <= longest else "" for word in wanted], dtype=ids.dtype)
    found = np.searchsorted(ids, words)
    found[found == len(ids)] = 0
    places: list[int] = np.where(ids[found] == words, found, NONE).tolist()
    return places
