"""The items inside a bundle: their names, prices, and which of them may be shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from infra.errors import BundleError
from infra.schemas import CATALOGUE, ITEMS
from infra.storage import Storage
from models.recommender import NONE, ItemIds, positions, texts
from models.recommenders.model_files import has_array, load_arrays

AGAIN = "Build the bundle again."
Texts = NDArray[np.str_]
Flags = NDArray[np.bool_]


LATER = ("has_picture", "markets", "urls", "picture_urls")  # older bundles lack them


@dataclass(frozen=True)
class ServedItems:
    """One entry per item of the catalogue as known when the bundle was built, sorted by id.

    Attributes
    ----------
    ids : array of str, shape (n,)
    titles, brands, categories, colours : array of str, shape (n,)
        "" where unknown.
    prices : array of float64, shape (n,)
        In the shop's currency; NaN where unknown.
    has_picture : array of bool, shape (n,)
        Without one an item is not shown, whatever the stock feed says.
    recommendable, recommendable_at_cut : array of bool, shape (n,)
        Has a picture and is in stock: now, and when the data of the model ended.
    markets : array of str, shape (n,)
        Where the item is sold, sorted, separated by commas; "" is everywhere.
    urls, picture_urls : array of str, shape (n,)
        As the shop gave them; "" where unknown.
    """

    FILE: ClassVar[str] = "items.npz"

    ids: ItemIds
    titles: Texts
    brands: Texts
    categories: Texts
    colours: Texts
    prices: NDArray[np.float64]
    recommendable: Flags
    recommendable_at_cut: Flags
    has_picture: Flags
    markets: Texts
    urls: Texts
    picture_urls: Texts

    def save(self, folder: Path) -> None:
        """Write `items.npz`; equal arrays give equal bytes."""
        arrays = {field.name: getattr(self, field.name) for field in fields(self)}
        np.savez(folder / self.FILE, **arrays)

    @classmethod
    def load(cls, folder: Path) -> ServedItems:
        """Read `items.npz`; raise `BundleError` if it cannot be, or its lengths differ."""
        file, names = folder / cls.FILE, [field.name for field in fields(cls)]
        arrays = load_arrays(file, [name for name in names if name not in LATER], AGAIN)
        items = cls(**arrays, **_of_later(file, arrays))
        if {getattr(items, name).shape for name in names} != {items.ids.shape}:
            raise BundleError(f"{file} has arrays of unequal length.", AGAIN)
        return items


def read_served_items(storage: Storage, run: str, *, as_of_now: bool) -> ServedItems:
    """Read the catalogue of a run, as known at its end; raises as `read_table`.

    `as_of_now` says that the model learnt with this catalogue and not with the one at the cut.
    """
    from models.data.run_tables import read_table

    now = read_table(storage, CATALOGUE, run).sort_by("item_id")
    then = now if as_of_now else read_table(storage, ITEMS, run).sort_by("item_id")
    ids = texts(now["item_id"])
    places = positions(texts(then["item_id"]), ids)
    before = np.append(_shown(then), False)  # an item unknown at the cut reads the last entry
    words = {
        name: np.asarray([value or "" for value in now[column].to_pylist()], dtype=np.str_)
        for name, column in _TEXT_COLUMNS.items()
    }
    words["markets"] = np.asarray([_sorted(value) for value in words["markets"]], dtype=np.str_)
    return ServedItems(
        ids=ids,
        **words,
        prices=now["price"].to_numpy().astype(np.float64),
        has_picture=now["has_picture"].to_numpy(),
        recommendable=_shown(now),
        recommendable_at_cut=before[np.where(places == NONE, len(before) - 1, places)],
    )


_TEXT_COLUMNS = {
    "titles": "title",
    "brands": "brand",
    "categories": "category",
    "colours": "colour",
    "markets": "markets",
    "urls": "url",
    "picture_urls": "picture_url",
}


def _sorted(markets: str) -> str:
    """Write a list of markets in one way.

    >>> _sorted(" DE,AT,, DE")
    'AT,DE'
    """
    return ",".join(sorted({name.strip() for name in markets.split(",")} - {""}))


def _of_later(file: Path, others: Mapping[str, Any]) -> dict[str, Any]:
    """Read the arrays that older bundles lack; there what may be shown has a picture."""
    if has_array(file, LATER[0]):
        return load_arrays(file, LATER, AGAIN)
    unknown = np.full(others["ids"].shape, "", dtype="<U1")
    return {"has_picture": others["recommendable"], **dict.fromkeys(LATER[1:], unknown)}


def _shown(rows: object) -> Flags:
    flags: Flags = rows["has_picture"].to_numpy() & rows["in_stock"].to_numpy()  # type: ignore[index]
    return flags
