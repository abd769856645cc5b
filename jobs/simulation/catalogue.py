"""Simulates the catalogue: what each item is, and how price, stock and picture change by day."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

CATEGORIES = {  # name of the shelf: the word a title uses, the middle price in euro
    "dresses": ("dress", 55),
    "shirts": ("shirt", 35),
    "trousers": ("trousers", 50),
    "jeans": ("jeans", 65),
    "skirts": ("skirt", 40),
    "knitwear": ("jumper", 60),
    "jackets": ("jacket", 95),
    "coats": ("coat", 140),
    "shoes": ("shoes", 85),
    "boots": ("boots", 120),
    "bags": ("bag", 75),
    "scarves": ("scarf", 25),
    "swimwear": ("swimsuit", 38),
    "jewellery": ("necklace", 30),
}
COLOURS = ("black", "white", "navy", "grey", "beige", "red", "blue", "green", "pink", "brown")
STYLES = ("summer", "office", "party", "sport", "street", "vintage", "everyday", "evening")
MATERIALS = ("linen", "cotton", "wool", "silk", "leather", "denim", "satin", "jersey")
BRANDS = tuple(
    f"{first} {second}"
    for first in ("Alma", "Berg", "Cielo", "Dune", "Elm", "Fjord")
    for second in ("Atelier", "& Daughters", "Studio", "Nord")
)
MARKETS = (*[""] * 8, "AT", "AT,DE")  # by the last digit of the number; most are sold everywhere
NEW_A_DAY = 0.01  # of the first day's catalogue
WITHOUT_PICTURE, OUT_OF_STOCK = 0.02, 0.04
# Stock comes back in about three days, so 4% stay out when this share of the rest runs out a day.
BACK_IN_STOCK = 0.33
PRICE_MOVES = 0.02


class Catalogue:
    """Every item of the simulation, in the order of listing; the first `listed` are on sale.

    Attributes
    ----------
    attributes
        One code per item for each of category, brand, colour and style. Style shows in the title
        alone.
    popularity
        Zipf weight per item, drifting a little every day.
    cents
        Today's price per item in euro cents.
    """

    def __init__(self, items: int, days: int, rng: np.random.Generator) -> None:
        self._rng = rng
        self.size, self.listed = items, 0
        self._first = items / (1 + NEW_A_DAY * (days - 1))
        self.attributes = {
            "category": _skewed(rng, items, len(CATEGORIES), 0.4),
            "brand": _skewed(rng, items, len(BRANDS), 0.6),
            "colour": _skewed(rng, items, len(COLOURS), 0.5),
            "style": _skewed(rng, items, len(STYLES), 0.2),
        }
        self._material = rng.integers(len(MATERIALS), size=items)
        self.popularity = (10.0 + rng.permutation(items)) ** -0.85
        self._list_price = _prices(rng, self.attributes["category"], self.attributes["brand"])
        self.cents = self._list_price.copy()
        self.has_picture = rng.random(items) >= WITHOUT_PICTURE
        self.in_stock = rng.random(items) >= OUT_OF_STOCK
        self._listed_before = rng.integers(1, 400, size=items)  # days before the first day
        self._listed_day = np.zeros(items, np.int64)
        self._updated_day = np.zeros(items, np.int64)

    def open_day(self, day: int) -> None:
        """List the day's new items and let price, stock, picture and popularity move."""
        before = self.listed
        self.listed = math.ceil(self._first * (1 + NEW_A_DAY * day) - 1e-6)
        self._listed_day[before : self.listed] = day
        self._updated_day[before : self.listed] = day
        if day:
            self._updated_day[:before][self._change(before)] = day
        self.popularity *= np.exp(self._rng.normal(0, 0.03, self.size))

    def _change(self, listed: int) -> NDArray[np.bool_]:
        """Move the items listed before today; return which of them look different now."""
        chance = self._rng.random((3, listed))
        repriced = chance[0] < PRICE_MOVES
        sale = np.where(self.cents[:listed] < self._list_price[:listed], 1.0, 0.8)
        moved = (self._list_price[:listed] * sale).astype(np.int64)
        self.cents[:listed] = np.where(repriced, moved, self.cents[:listed])
        runs_out = OUT_OF_STOCK * BACK_IN_STOCK / (1 - OUT_OF_STOCK)
        turned = chance[1] < np.where(self.in_stock[:listed], runs_out, BACK_IN_STOCK)
        self.in_stock[:listed] ^= turned
        pictured = chance[2] < np.where(self.has_picture[:listed], 0.002, 0.1)
        self.has_picture[:listed] ^= pictured
        return np.asarray(repriced | turned | pictured)

    def lines(self, first_day: date) -> Iterator[str]:
        """Yield one JSON line per listed item, as known at the start of the day."""
        for item in range(self.listed):
            yield json.dumps(self._row(item, first_day), separators=(",", ":"))

    def _row(self, item: int, first_day: date) -> dict[str, object]:
        category, brand, colour, style = (int(codes[item]) for codes in self.attributes.values())
        word, _ = list(CATEGORIES.values())[category]
        material, name = MATERIALS[self._material[item]], f"i{item:06d}"
        return {
            "item_id": name,
            "title": f"{COLOURS[colour].title()} {material} {STYLES[style]} {word}",
            "brand": BRANDS[brand],
            "category": list(CATEGORIES)[category],
            "colour": COLOURS[colour],
            "price": int(self.cents[item]) / 100,
            "currency": "EUR",
            "has_picture": bool(self.has_picture[item]),
            "in_stock": bool(self.in_stock[item]),
            "listed_at": _midnight(first_day, self._days_since_start(item)),
            "updated_at": _midnight(first_day, int(self._updated_day[item])),
            "markets": MARKETS[item % len(MARKETS)],
            "url": f"/items/{name}",
            "picture_url": f"/pictures/{name}.jpg",
        }

    def _days_since_start(self, item: int) -> int:
        listed = int(self._listed_day[item])
        return listed if listed else -int(self._listed_before[item])


def _skewed(rng: np.random.Generator, size: int, kinds: int, power: float) -> NDArray[np.int64]:
    """Draw codes where code k is about (k+1)**power times rarer than code 0."""
    weights = (1.0 + np.arange(kinds)) ** -power
    return rng.choice(kinds, size=size, p=weights / weights.sum())


def _prices(
    rng: np.random.Generator, category: NDArray[np.int64], brand: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return prices in cents that end in 90: the shelf's middle, the brand's level, some noise."""
    middle = np.array([price for _, price in CATEGORIES.values()])[category]
    level = rng.uniform(0.7, 1.6, len(BRANDS))[brand]
    euro = np.round(middle * level * rng.lognormal(0, 0.25, len(category)))
    return (euro.astype(np.int64) * 100 + 90).clip(490)


def _midnight(first_day: date, day: int) -> str:
    return f"{first_day + timedelta(days=day)}T00:00:00Z"
