"""Builds the bundle that goes live: the model, its lists, the items, a card, and a manifest."""

from __future__ import annotations

import json
import shutil
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from infra.errors import BundleError
from infra.ledger.run_rules import placements_of
from infra.person_keys import fingerprint
from infra.placements import Placements
from infra.places import BUNDLES, bundle_key, trained_of
from infra.records.release import RefitRecord, VerdictRecord
from infra.records.serving import Override
from infra.schemas import RECOMMENDATIONS
from infra.storage import Storage
from infra.stores.digests import write_manifest
from infra.stores.object_store import MANIFEST
from infra.utc import in_utc
from models.bundle.bundle import load_recommender, todays_model
from models.bundle.card import IN_FORCE, card_page, model_card
from models.bundle.histories import read_histories
from models.bundle.lists import read_lists
from models.bundle.published_lists import Publisher, overrides_at, write_published
from models.bundle.refit_winner import refit_of
from models.bundle.served_items import read_served_items
from models.bundle_layout import (
    BESTSELLERS,
    CARD,
    CARD_PAGE,
    FALLBACK,
    JUDGED,
    KEYS,
    LISTS,
    LISTS_WRITTEN_AT,
    MODEL,
    STRANGER,
    manifest_sha256,
    version_of,
)
from models.recommender import NONE
from models.release.verdict import not_rejected
from models.training.trained_model import Fit, model_folder, read_fit


def build_bundle(storage: Storage, run: str) -> dict[str, int | str]:
    """Assemble the winner of a run and write `bundles/RUN` of the lake in one step.

    The same inputs give the same bytes, so a rerun changes nothing.

    Returns
    -------
    dict
        Address, version, number of files and their bytes.

    Raises
    ------
    ReleaseError
        The run has no verdict, or it says reject, or no refit belongs to it.
    StorageError
        The model, its lists or the tables of the run are missing.
    BundleError
        The model or the lists are not those that were judged.
    """
    verdict = not_rejected(storage, run)
    made = refit_of(verdict, storage)
    with storage.scratch() as scratch:
        model = _copy_models(made, storage, scratch)
        written_at = _lists_written_at(verdict, storage, model)
        fit = read_fit(scratch / MODEL)
        overrides = overrides_at(storage, datetime.fromisoformat(written_at))
        placements = _write_answers(storage, made, fit, overrides, scratch)
        card = model_card(verdict, made, storage, fit, placements)
        _write_card(card | {IN_FORCE: [rule.number for rule in overrides]}, scratch)
        own = {KEYS: _keys(storage), LISTS_WRITTEN_AT: written_at}
        manifest = write_manifest(scratch, {**_facts(fit), **own})
        version = version_of(scratch)
        storage.lake.begin(BUNDLES, run)  # a bucket keeps the files of an earlier writing
        storage.lake.store.put_folder(scratch, bundle_key(run))
    return {
        "address": storage.lake.address(bundle_key(run)),
        "version": version,
        "files": len(manifest.files),
        "bytes": manifest.total_bytes(),
    }


def _facts(fit: Fit) -> dict[str, str]:
    times = {name: getattr(fit, name).isoformat() for name in ("as_of", "cut")}
    return {"run": fit.run, "candidate": fit.candidate, **times}


def _keys(storage: Storage) -> str:
    return fingerprint(storage.settings.user_key_secret.get_secret_value())


def _copy_models(made: RefitRecord, storage: Storage, scratch: Path) -> str:
    """Copy the model that goes live and, if it was fitted again, the one that was scored.

    Returns
    -------
    str
        Hash of the manifest of the model that goes live: its lists name it.
    """
    sha256 = _copy_model(storage, made.folder, made.model_sha256, scratch / MODEL)
    if made.refitted:
        judged = f"{trained_of(made.run)}/{made.candidate}"
        _copy_model(storage, judged, made.judged_sha256, scratch / JUDGED)
    return sha256


def _copy_model(storage: Storage, key: str, sha256: str, target: Path) -> str:
    with model_folder(storage, *key.rsplit("/", 1)) as (folder, manifest):
        if manifest.model_sha256() != sha256:
            raise BundleError(
                f"{key} was trained again after it was judged.",
                "Run evaluate, judge_release and refit_winner again.",
            )
        shutil.copytree(folder, target, ignore=shutil.ignore_patterns(MANIFEST))
        return manifest_sha256(folder)


def _lists_written_at(verdict: VerdictRecord, storage: Storage, model: str) -> str:
    """Return when the lists of a run were written, which the model with this hash made."""
    facts = storage.lake.manifest(RECOMMENDATIONS.name, verdict.run)
    _require_made_by(verdict, model, facts)
    return str(facts["written_at"])


def _write_answers(
    storage: Storage, made: RefitRecord, fit: Fit, overrides: tuple[Override, ...], scratch: Path
) -> Placements:
    """Write all that answers come from but the model, which lies in `scratch` already."""
    items = read_served_items(storage, made.run, as_of_now=made.refitted)
    placements = placements_of(storage, made.run)
    histories = read_histories(storage, made.run, items.ids)
    lists = read_lists(storage, made.run, items.ids, placements)
    for part in (items, histories, lists):
        part.save(scratch)
    model = load_recommender(scratch / MODEL)
    as_of = in_utc(fit.as_of)
    publisher = Publisher(model, items, placements, histories, lists, as_of, overrides)
    with storage.scratch() as fetched:
        table = f"{RECOMMENDATIONS.name}/{made.run}"
        source = storage.lake.store.fetch_folder(table, fetched)
        write_published(publisher, source, scratch / LISTS)
    _write_bestsellers(publisher, scratch)
    return placements


def _require_made_by(verdict: VerdictRecord, model: str, facts: dict[str, Any]) -> None:
    run, name = verdict.run, facts.get("model")
    if name != verdict.candidate:
        fact = f"The lists of {run} come from {name}, released is {verdict.candidate}."
    elif facts.get("model_manifest_sha256") != model:
        fact = f"The lists of {run} come from another training of {name} than goes live."
    elif "written_at" not in facts:
        fact = f"The lists of {run} do not say when they were written."
    else:
        return
    raise BundleError(fact, "Run recommend_users again.")


def _write_bestsellers(publisher: Publisher, scratch: Path) -> None:
    """Write what everybody is shown whom the model does not know, and how it goes on.

    Items that the model cannot name, as they came after its data, follow in the order of their ids.
    """
    items = publisher.items
    amount = int(items.recommendable.sum())
    answer = todays_model(publisher.model, items).recommend(np.array([STRANGER]), max(amount, 1))
    named = answer.items[0][answer.items[0] != NONE]
    others = np.setdiff1d(np.flatnonzero(items.recommendable), named)
    np.savez(scratch / BESTSELLERS, items=np.append(named, others).astype(np.int32))
    content = json.dumps({"item_ids": publisher.fallback(named.tolist())}, indent=1)
    (scratch / FALLBACK).write_text(content, encoding="utf-8")


def _write_card(card: dict[str, Any], scratch: Path) -> None:
    (scratch / CARD).write_text(json.dumps(card, indent=1), encoding="utf-8")
    (scratch / CARD_PAGE).write_text(card_page(card), encoding="utf-8")
