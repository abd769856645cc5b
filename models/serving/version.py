"""A version that answers: its arrays, mapped from files that all workers of a machine share."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from infra.errors import BundleError
from infra.placements import Placements
from infra.rules import describe
from infra.stores.object_store import MANIFEST
from models.bundle.histories import REBUILD, Histories
from models.bundle.lists import Lists
from models.bundle.served_items import ServedItems
from models.bundle_layout import BESTSELLERS, CARD, MODEL, version_of
from models.merchandising.assortment import Assortment, Flags
from models.recommenders.model_files import load_arrays
from models.serving.engine.frames import Frames
from models.serving.engine.scorer import Scorer
from models.training.trained_model import read_model

EARLIER = {
    "success": ["purchase"],
    "placements": {
        "home": {"answers": "personal", "length": 20, "leave_out": "seen", "why": "as it was"}
    },
}


@dataclass(frozen=True, eq=False)  # arrays: a version is equal to itself alone
class Version:
    """What is released, ready to answer.

    Attributes
    ----------
    name : str
        Such as `20261124T000000Z-0123456789ab`.
    as_of : datetime
        The end of its data.
    card : dict
        See `models.bundle.card`.
    placements : Placements
        As the run had them that made it.
    items : ServedItems
    assortment : Assortment
        The same items as the rules of the shop see them.
    lists : Lists
    histories : Histories
    bestsellers : array of int32
        Every item that may be shown, as strangers are answered.
    scorer : Scorer
    frames : Frames
        What the rules of the shop allow in each scope, made when it is asked for first.
    """

    name: str
    as_of: datetime
    card: dict[str, Any]
    placements: Placements
    items: ServedItems
    assortment: Assortment
    lists: Lists
    histories: Histories
    bestsellers: NDArray[np.int32]
    scorer: Scorer
    frames: Frames = field(repr=False)

    def alike(self, item: int, attributes: tuple[str, ...]) -> Flags:
        """Say which items share these attributes with an item, where it has them."""
        alike = np.ones(len(self.items.ids), dtype=np.bool_)
        columns = {"brand": self.items.brands, "colour": self.items.colours}
        for column in (columns[name] for name in attributes):
            if column[item]:
                alike &= column == column[item]
        return alike

    @classmethod
    def open(cls, folder: Path) -> Version:
        """Open an unpacked bundle; whoever unpacked it has checked its bytes.

        Raises
        ------
        BundleError
            A file is missing or does not fit the others.
        SettingsError
            This Catwalk has no such model.
        """
        placements = placements_of(folder)
        items = ServedItems.load(folder)
        bestsellers = load_arrays(folder / BESTSELLERS, ["items"], REBUILD)["items"]
        listed = [rule.name for rule in placements.by_rule]
        scorer = Scorer(read_model(folder / MODEL)[0], items.ids)
        assortment = assortment_of(items)
        return cls(
            name=version_of(folder),
            as_of=as_of(folder),
            card=_read(folder / CARD),
            placements=placements,
            items=items,
            assortment=assortment,
            lists=Lists.open(folder, listed),
            histories=Histories.open(folder, len(items.ids)),
            bestsellers=bestsellers,
            scorer=scorer,
            frames=Frames(assortment, scorer, bestsellers),
        )


def placements_of(folder: Path) -> Placements:
    """Return the placements of a bundle; those of an earlier Catwalk have one, `home`."""
    said = _read(folder / CARD).get("placements", EARLIER)
    try:
        return Placements.model_validate(said)
    except ValidationError as error:
        raise BundleError(
            f"The placements of {folder / CARD} cannot be read: {describe(error)}", REBUILD
        ) from error


def as_of(folder: Path) -> datetime:
    """Return the end of the data of a bundle."""
    return datetime.fromisoformat(_read(folder / MANIFEST)["facts"]["as_of"])


def assortment_of(items: ServedItems) -> Assortment:
    """Return the items of a bundle as the rules of the shop see them."""
    shown, words = (items.recommendable, items.has_picture), (items.categories, items.markets)
    return Assortment(items.ids, *shown, *words)


def _read(file: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(file.read_bytes())
    except (OSError, ValueError) as error:
        raise BundleError(f"{file} cannot be read: {error}.", REBUILD) from error
    return content
