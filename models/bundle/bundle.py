"""Opens a bundle, the folder that serves one model, after checking every byte of it.

| what | where |
|---|---|
| the model, arrays and JSON | `model/` |
| the model that was scored, if it was fitted again since | `judged/` |
| the lists of every user, one for each placement | `recommendations/*.parquet` |
| the list of everybody else | `fallback.json` |
| the items as known now | `items.npz` |
| what each user is not shown at `home`, see `left_out.py` | `left_out.npz` |
| where it comes from, what it can and cannot do | `card.json`, and `card.md` to read |
| sha256 and size of all of them | `_manifest.json` |
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from infra.errors import BundleError
from infra.stores.digests import MAX_FILE_BYTES, FolderManifest, verified
from models.bundle.left_out import LeftOut
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
    left_out : LeftOut or None
        What each user is not shown; None in bundles of earlier versions, which leave out whatever
        the model knows that a user had.
    """

    folder: Path
    manifest: FolderManifest
    model_sha256: str
    card: dict[str, Any]
    items: ServedItems
    recommender: Recommender
    fallback: tuple[str, ...]
    left_out: LeftOut | None

    def recommend(self, users: UserIds, k: int) -> Recommendations:
        """Answer as the lists of `home` do; the answers point into the ids of `items`."""
        if self.left_out is None:
            return self._todays.recommend(users, k)
        seen = self.left_out.of(users)
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
    items = ServedItems.load(folder)
    knows = LeftOut.FILE in manifest.files
    return Bundle(
        folder=folder,
        manifest=manifest,
        model_sha256=manifest.model_sha256(f"{MODEL}/"),
        card=_json(folder / CARD),
        items=items,
        recommender=load_recommender(folder / MODEL),
        fallback=tuple(_json(folder / FALLBACK).get("item_ids", ())),
        left_out=LeftOut.load(folder, len(items.ids)) if knows else None,
    )


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
