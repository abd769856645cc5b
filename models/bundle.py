"""Everything that serves one model, in one folder that proves itself: no byte of it is trusted.

| what | where |
|---|---|
| the model, arrays and JSON | `model/` |
| the list of every user | `recommendations/*.parquet` |
| the items as known now | `items.npz` |
| where it comes from, what it can and cannot do | `card.json` |
| sha256 and size of all of them | `_manifest.json` |
"""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from infra.errors import BundleError, ReleaseError
from infra.records import VerdictRecord
from infra.run_records import RunRecords
from infra.schemas import RECOMMENDATIONS
from infra.storage import Storage
from infra.stores.object_store import MANIFEST
from models.card import model_card
from models.digests import MAX_FILE_BYTES, FolderManifest, verified, write_manifest
from models.items import ServedItems, read_served_items
from models.judging import outcome_of
from models.recommender import Recommendations, Recommender, UserIds, positions
from models.train import Fit, candidate_folder, read_fit, read_model

MODEL, LISTS, CARD = "model", "recommendations", "card.json"
LISTS_WRITTEN_AT = "lists_written_at"  # fact of the manifest: says which lists these are


@dataclass(frozen=True)
class Bundle:
    """A verified bundle, ready to answer.

    Attributes
    ----------
    model_sha256 : str
        Digest of the files of the model, as in the verdict.
    card : dict
        What `models.card` wrote.
    """

    folder: Path
    manifest: FolderManifest
    model_sha256: str
    card: dict[str, Any]
    items: ServedItems
    recommender: Recommender

    def recommend(self, users: UserIds, k: int, *, exclude_seen: bool = True) -> Recommendations:
        """Answer as the model does, without the items that were withdrawn since its cut."""
        gone = int((self.items.recommendable_at_cut & ~self.items.recommendable).sum())
        given = self.recommender.recommend(users, k + gone, exclude_seen=exclude_seen)
        return given.kept(self.shown(given), k)

    def shown(self, given: Recommendations) -> NDArray[np.bool_]:
        """Tell which places of the lists hold an item customers may see today, (n, k)."""
        places = positions(self.items.ids, given.catalogue)
        allowed = (places >= 0) & self.items.recommendable[places]
        marked: NDArray[np.bool_] = allowed[given.items] & (given.items >= 0)
        return marked


def build_bundle(run: str, storage: Storage) -> dict[str, int | str]:
    """Assemble the winner of a run and write `bundles/RUN` of the lake in one step.

    The same inputs give the same bytes, so a rerun changes nothing.

    Returns
    -------
    dict
        Address, version, number of files and their bytes.

    Raises
    ------
    ReleaseError
        The run has no verdict, or it says reject.
    StorageError
        The model, its lists or the tables of the run are missing.
    BundleError
        The model or the lists are not those that were judged.
    """
    verdict = not_rejected(run, storage)
    with storage.scratch() as scratch:
        model = _copy_model(verdict, storage, scratch / MODEL)
        written_at = _copy_lists(verdict, storage, model, scratch / LISTS)
        read_served_items(storage, run).save(scratch)
        fit = read_fit(scratch / MODEL)
        card = json.dumps(model_card(verdict, storage, fit), indent=1)
        (scratch / CARD).write_text(card, encoding="utf-8")
        manifest = write_manifest(scratch, {**_facts(fit), LISTS_WRITTEN_AT: written_at})
        version = version_of(scratch)
        storage.lake.begin("bundles", run)  # a bucket keeps files of before
        storage.lake.store.put_folder(scratch, bundle_key(run))
    return {
        "address": storage.lake.address(bundle_key(run)),
        "version": version,
        "files": len(manifest.files),
        "bytes": manifest.total_bytes(),
    }


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
    for name in (CARD, ServedItems.FILE):
        if name not in manifest.files:
            raise BundleError(f"{folder} has no {name}.", "Build the bundle again.")
    return Bundle(
        folder=folder,
        manifest=manifest,
        model_sha256=manifest.model_sha256(f"{MODEL}/"),
        card=_card(folder / CARD),
        items=ServedItems.load(folder),
        recommender=load_recommender(folder / MODEL),
    )


def load_recommender(folder: Path) -> Recommender:
    """Load the model of a folder that `models.train` wrote; raises as `read_model` does."""
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


def _card(file: Path) -> dict[str, Any]:
    try:
        card: dict[str, Any] = json.loads(file.read_bytes())
    except ValueError as error:
        raise BundleError(f"{file} is not JSON.", "Build the bundle again.") from error
    return card


def _facts(fit: Fit) -> dict[str, str]:
    times = {name: getattr(fit, name).isoformat() for name in ("as_of", "cut")}
    return {"run": fit.run, "candidate": fit.candidate, **times}


def _copy_model(verdict: VerdictRecord, storage: Storage, target: Path) -> str:
    """Copy the model that was judged and return the hash of its manifest."""
    with candidate_folder(storage, verdict.run, verdict.candidate) as (folder, manifest):
        if manifest.model_sha256() != verdict.model_sha256:
            raise BundleError(
                f"{verdict.candidate} of {verdict.run} was trained again after it was judged.",
                "Run evaluate and judge_release again.",
            )
        shutil.copytree(folder, target, ignore=shutil.ignore_patterns(MANIFEST))
        return manifest_sha256(folder)


def _copy_lists(verdict: VerdictRecord, storage: Storage, model: str, target: Path) -> str:
    """Copy the lists that `model` made, and return when they were written.

    Only the Parquet files; Spark leaves checksums and markers beside them.
    """
    table = RECOMMENDATIONS.name
    said = storage.lake.manifest(table, verdict.run)
    _require_made_by(verdict, model, said)
    target.mkdir()
    with storage.scratch() as scratch:
        folder = storage.lake.store.fetch_folder(f"{table}/{verdict.run}", scratch)
        for number, file in enumerate(sorted(folder.glob("*.parquet"))):
            shutil.copyfile(file, target / f"part-{number:05d}.parquet")
    return str(said["written_at"])


def _require_made_by(verdict: VerdictRecord, model: str, said: dict[str, Any]) -> None:
    run, name = verdict.run, said.get("model")
    if name != verdict.candidate:
        fact = f"The lists of {run} come from {name}, released is {verdict.candidate}."
    elif said.get("model_manifest_sha256") != model:
        fact = f"The lists of {run} come from another training of {name} than was judged."
    elif "written_at" not in said:
        fact = f"The lists of {run} do not say when they were written."
    else:
        return
    raise BundleError(fact, "Run recommend_users again.")
