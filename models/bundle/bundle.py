"""Opens a bundle, the folder that serves one model, after checking every byte of it.

| what | where |
|---|---|
| the model, arrays and JSON | `model/` |
| the model that was scored, if it was fitted again since | `judged/` |
| the lists of every user, one for each placement | `recommendations/*.parquet` |
| the same lists as arrays, without overrides, see `lists.py` | `lists.npz` |
| the list of everybody else, and all items in its order | `fallback.json`, `bestsellers.npz` |
| the items as known now, see `served_items.py` | `items.npz` |
| what each user did, see `histories.py` | `histories.npz` |
| where it comes from, what it can and cannot do | `card.json`, and `card.md` to read |
| sha256 and size of all of them | `_manifest.json` |
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from infra.errors import BundleError
from infra.placements import Placements
from infra.rules import describe
from infra.stores.digests import MAX_FILE_BYTES, FolderManifest, verified
from infra.utc import in_utc
from models.bundle.histories import Histories
from models.bundle.lists import Lists
from models.bundle.served_items import ServedItems
from models.bundle_layout import CARD, FALLBACK, MODEL
from models.recommender import ItemIds, Recommendations, Recommender, UserIds
from models.recommenders.todays_model import TodaysModel
from models.training.trained_model import read_model


@dataclass(frozen=True)
class Bundle:
    """A verified bundle, ready to answer.

    Attributes
    ----------
    model_sha256 : str
        Digest of the files of the model, as in the record of the refit.
    card : dict
        What `models.bundle.card` wrote.
    fallback : tuple of str
        The items for those the model does not know, best first.
    placements : Placements or None
        As the run kept them; None in bundles that are older than placements.
    """

    folder: Path
    manifest: FolderManifest
    model_sha256: str
    card: dict[str, Any]
    items: ServedItems
    recommender: Recommender
    fallback: tuple[str, ...]
    placements: Placements | None

    @cached_property
    def histories(self) -> Histories | None:
        """What each user did; None in bundles of earlier versions. Raises `BundleError`."""
        if Histories.FILE not in self.manifest.files:
            return None
        return Histories.load(self.folder, len(self.items.ids))

    @cached_property
    def lists(self) -> Lists | None:
        """The ready lists; None in bundles of earlier versions. Raises `BundleError`."""
        if self.placements is None or Lists.FILE not in self.manifest.files:
            return None
        rules = [rule.name for rule in self.placements.by_rule]
        return Lists.load(self.folder, rules, len(self.items.ids))

    @property
    def as_of(self) -> datetime:
        """The end of the data, in UTC: from then on the days of `leave_out: bought` count."""
        return in_utc(datetime.fromisoformat(self.manifest.facts["as_of"]))

    def recommend(self, users: UserIds, k: int) -> Recommendations:
        """Answer as the lists of `home` do; the answers point into the ids of `items`.

        A bundle of an earlier version leaves out whatever its model knows that a user had.
        """
        if self.histories is None or self.placements is None:
            return self._todays.recommend(users, k)
        seen = self.histories.left_out(users, self.placements.home.rule, self.as_of)
        return self._todays.recommend(users, k, exclude_seen=False, seen=seen)

    @cached_property
    def _todays(self) -> TodaysModel:
        return todays_model(self.recommender, self.items)


def todays_model(model: Recommender, items: ServedItems) -> TodaysModel:
    """Let a model name only the items that a bundle may show."""
    return TodaysModel(model, items.ids, items.recommendable)


def open_bundle(folder: Path, max_file_bytes: int = MAX_FILE_BYTES) -> Bundle:
    """Open a bundle after checking every byte of it.

    Raises
    ------
    BundleError
        A file is changed, missing, extra, oversized or outside the folder, the format version
        is unknown, or the content does not fit together.
    SettingsError
        This Catwalk has no class of that name.
    """
    manifest = verified(folder, max_file_bytes)
    for name in (CARD, FALLBACK, ServedItems.FILE):
        if name not in manifest.files:
            raise BundleError(f"{folder} has no {name}.", "Build the bundle again.")
    card = _json(folder / CARD)
    return Bundle(
        folder=folder,
        manifest=manifest,
        model_sha256=manifest.model_sha256(f"{MODEL}/"),
        card=card,
        items=ServedItems.load(folder),
        recommender=load_recommender(folder / MODEL),
        fallback=tuple(_json(folder / FALLBACK).get("item_ids", ())),
        placements=_placements(card, folder) if "placements" in card else None,
    )


def _placements(card: dict[str, Any], folder: Path) -> Placements:
    try:
        return Placements.model_validate(card["placements"])
    except ValidationError as error:
        raise BundleError(
            f"The placements of {folder / CARD} cannot be read: {describe(error)}",
            "Build the bundle again.",
        ) from error


def load_recommender(folder: Path) -> Recommender:
    """Load the model of a folder that training wrote; raises as `read_model` does."""
    return read_model(folder)[0]


def load_todays(folder: Path, shown: ItemIds) -> TodaysModel:
    """Load a model that names only the items of `shown`, sorted ids; raises as `read_model`."""
    return TodaysModel(load_recommender(folder), shown, np.ones(len(shown), dtype=np.bool_))


def _json(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_bytes())
    except ValueError as error:
        raise BundleError(f"{file} is not JSON.", "Build the bundle again.") from error
    if not isinstance(content, dict):
        raise BundleError(f"{file} holds no names.", "Build the bundle again.")
    return content
