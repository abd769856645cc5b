"""Everything that serves one model, in one folder that proves itself: no byte of it is trusted.

| what | where |
|---|---|
| the model, arrays and JSON | `model/` |
| the one that was judged, if the model was fitted again since | `judged/` |
| the list of every user | `recommendations/*.parquet` |
| the list of everybody else | `fallback.json` |
| the items as known now | `items.npz` |
| where it comes from, what it can and cannot do | `card.json`, and `card.md` to read |
| sha256 and size of all of them | `_manifest.json` |
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from infra.errors import BundleError, ReleaseError
from infra.ledger.run_records import RunRecords
from infra.records.release import VerdictRecord
from infra.storage import Storage
from infra.stores.digests import MAX_FILE_BYTES, FolderManifest, verified
from infra.stores.object_store import MANIFEST
from models.bundle.served_items import ServedItems
from models.recommender import Recommendations, Recommender, UserIds, positions
from models.release.judging import outcome_of
from models.training.train import read_model

MODEL, JUDGED, LISTS = "model", "judged", "recommendations"
CARD, CARD_PAGE, FALLBACK = "card.json", "card.md", "fallback.json"
LISTS_WRITTEN_AT = "lists_written_at"  # fact of the manifest: says which lists these are
STRANGER = "nobody-ever-had-this-key"


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
    """

    folder: Path
    manifest: FolderManifest
    model_sha256: str
    card: dict[str, Any]
    items: ServedItems
    recommender: Recommender
    fallback: tuple[str, ...]

    def recommend(self, users: UserIds, k: int, *, exclude_seen: bool = True) -> Recommendations:
        """See `answer`."""
        return answer(self.recommender, self.items, users, k, exclude_seen=exclude_seen)


def answer(
    model: Recommender, items: ServedItems, users: UserIds, k: int, *, exclude_seen: bool = True
) -> Recommendations:
    """Answer as the model does, without the items that were withdrawn since it was fitted."""
    gone = int((items.recommendable_at_cut & ~items.recommendable).sum())
    given = model.recommend(users, k + gone, exclude_seen=exclude_seen)
    places = positions(items.ids, given.catalogue)
    allowed = (places >= 0) & items.recommendable[places]
    return given.kept(allowed[given.items] & (given.items >= 0), k)


def open_bundle(folder: Path, max_file_bytes: int = MAX_FILE_BYTES) -> Bundle:
    """Open a bundle after checking every byte of it.

    Raises
    ------
    BundleError
        A file is changed, missing, extra, oversized or outside the folder, the format version
        is unknown, or the content does not fit together.
    SettingsError
        The class of the model is none of this Catwalk's.
    """
    manifest = verified(folder, max_file_bytes)
    for name in (CARD, FALLBACK, ServedItems.FILE):
        if name not in manifest.files:
            raise BundleError(f"{folder} has no {name}.", "Build the bundle again.")
    return Bundle(
        folder=folder,
        manifest=manifest,
        model_sha256=manifest.model_sha256(f"{MODEL}/"),
        card=_json(folder / CARD),
        items=ServedItems.load(folder),
        recommender=load_recommender(folder / MODEL),
        fallback=tuple(_json(folder / FALLBACK).get("item_ids", ())),
    )


def load_recommender(folder: Path) -> Recommender:
    """Load the model of a folder that training wrote; raises as `read_model` does."""
    return read_model(folder)[0]


def not_rejected(run: str, storage: Storage) -> VerdictRecord:
    """Return the verdict of a run: release, or review, which a person has to approve.

    Raises
    ------
    ReleaseError
        It says reject, or not what its own judgements say, or there is none.
    """
    verdict = RunRecords(storage, run).load_verdict()
    if verdict is None or verdict.run != run:
        raise ReleaseError(f"{run} has no release verdict.", "Run judge_release first.")
    judged = outcome_of(verdict.judgements)
    if "reject" in (verdict.outcome, judged) or verdict.outcome != judged:
        failed = [judgement.metric for judgement in verdict.judgements if not judgement.passed]
        raise ReleaseError(
            f"The verdict on {verdict.candidate} of {run} is {verdict.outcome}"
            f" ({', '.join(failed) or 'no threshold'} missed).",
            "Read its report; what is live stays live.",
        )
    return verdict


def bundle_key(run: str) -> str:
    """Return the folder of a run's bundle in the lake."""
    return f"bundles/{run}"


def version_of(folder: Path) -> str:
    """Name a bundle by its time and its content: `20261124T000000Z-0123456789ab`."""
    manifest = json.loads((folder / MANIFEST).read_bytes())
    as_of = datetime.fromisoformat(manifest["facts"]["as_of"]).astimezone(UTC)
    return f"{as_of:%Y%m%dT%H%M%SZ}-{manifest_sha256(folder)[:12]}"


def manifest_sha256(folder: Path) -> str:
    """Hash the manifest, which names the hash of everything else."""
    return hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest()


def _json(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_bytes())
    except ValueError as error:
        raise BundleError(f"{file} is not JSON.", "Build the bundle again.") from error
    if not isinstance(content, dict):
        raise BundleError(f"{file} holds no names.", "Build the bundle again.")
    return content
