"""Fits the winner of a run again on all data, and compares it with the model that was scored.

The scored model has not seen the last days, as they are the hold-out; what goes live should have.
So the same parameters are fitted again on the whole window, with the items as known now. That has
the hold-out in it, so no metric can tell whether the model is good: it must recommend what the
scored model recommends, by the limits of `refit.yaml`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from pydantic import Field

from infra.errors import ReleaseError
from infra.ledger.run_records import RunRecords
from infra.ledger.run_rules import placements_of
from infra.placements import ListRule
from infra.places import refits_of, trained_of
from infra.records.release import RefitRecord, VerdictRecord
from infra.rules import Strict, load_rules
from infra.schemas import CATALOGUE, HISTORY
from infra.storage import Storage
from infra.stores.digests import FolderManifest
from models.candidates import Candidate, make
from models.data.left_out import left_out
from models.data.run_tables import RunTables
from models.metrics.lists import overlap
from models.metrics.ranking import K
from models.recommender import Recipe, Recommender
from models.recommenders.todays_model import TodaysModel
from models.release.verdict import not_rejected
from models.training.train import fit_of, learn, read_lesson
from models.training.trained_model import Fit, Trained, keep_model, load_trained

REFIT = Path(__file__).parents[1] / "refit.yaml"
MOST_COMPARED = 2_000  # users, evenly spread: the mean overlap is then known to 0.01


class OverlapLimit(Strict):
    """The least overlap; the higher of both limits counts."""

    min: float = Field(gt=0, le=1)
    share_of_seed_overlap: float = Field(gt=0, le=1)
    why: str = Field(min_length=1)


class RefitLimits(Strict):
    """What `refit.yaml` holds."""

    overlap_at_10: OverlapLimit


@dataclass(frozen=True)
class Likeness:
    """How alike the lists of two models are.

    Attributes
    ----------
    users : int
        How many were compared.
    overlap : float
        Mean share of the places with the same items.
    by_chance : float
        The same between different users: what a mix-up of users would give.
    """

    users: int
    overlap: float
    by_chance: float


def refit_winner(storage: Storage, run: str, file: Path = REFIT) -> RefitRecord:
    """Make the model that goes live, and save the record that ties it to the scored one.

    With the setting `refit` off, it is the scored one itself.

    Raises
    ------
    ReleaseError
        The run has no verdict that lets it go on, or the two models differ too much; the record
        that says by how much is saved before.
    BundleError
        The judged model was changed since.
    SettingsError
        The limits cannot be read.
    """
    verdict = not_rejected(storage, run)
    judged = load_trained(storage, run, verdict.candidate)
    if judged.sha256 != verdict.model_sha256:
        raise ReleaseError(
            f"{verdict.candidate} of {run} was trained again after it was judged.",
            "Run evaluate and judge_release again.",
        )
    if storage.settings.refit:
        record = _fitted_again(verdict, judged, load_rules(file, RefitLimits), storage)
    else:
        record = _as_judged(verdict)
    RunRecords(storage, run).save_refit(record)
    if not record.passed:
        raise ReleaseError(
            f"{verdict.candidate} of {run}, fitted on all data, is not the model that was judged: "
            f"{record.reason}",
            f"What is live stays live. Look for a jump in the last days; the limits are in {file}.",
        )
    return record


def _as_judged(verdict: VerdictRecord) -> RefitRecord:
    return RefitRecord(
        run=verdict.run,
        at=datetime.now(UTC),
        candidate=verdict.candidate,
        refitted=False,
        folder=f"{trained_of(verdict.run)}/{verdict.candidate}",
        judged_sha256=verdict.model_sha256,
        model_sha256=verdict.model_sha256,
        passed=True,
        reason="The judged model itself goes live: CATWALK_REFIT is off.",
    )


def _fitted_again(
    verdict: VerdictRecord, judged: Trained, limits: RefitLimits, storage: Storage
) -> RefitRecord:
    place = refits_of(verdict.run)
    model, fit, tables, manifest = _fit(storage, place, judged.fit)
    alike = likeness(judged.model, model, tables, placements_of(storage, verdict.run).home.rule)
    floor, says = _floor(limits.overlap_at_10, judged.fit.seed_overlap, alike)
    return RefitRecord(
        run=verdict.run,
        at=datetime.now(UTC),
        candidate=verdict.candidate,
        refitted=True,
        folder=f"{place}/{verdict.candidate}",
        judged_sha256=verdict.model_sha256,
        model_sha256=manifest.model_sha256(),
        parameters=fit.parameters,
        interactions=fit.interactions,
        users=alike.users,
        overlap=alike.overlap,
        floor=floor,
        passed=alike.overlap >= floor,
        reason=f"{alike.overlap:.0%} of the places are the same, at least {floor:.0%} {says}.",
        why=limits.overlap_at_10.why,
    )


def _fit(
    storage: Storage, place: str, judged: Fit
) -> tuple[Recommender, Fit, RunTables, FolderManifest]:
    """Fit the judged candidate again on all data, and keep it.

    With its original parameters, and those that early stopping chose.
    """
    parameters = {**judged.parameters, **judged.settled}
    chosen = Candidate.model_validate(
        {"name": judged.candidate, "class": judged.class_path, "parameters": parameters, "why": "w"}
    )
    original = {"seed": judged.seed, "training_threads": judged.training_threads}
    settings = storage.settings.model_copy(update=original)
    recipe: Recipe = make(chosen, settings)
    lesson = read_lesson(storage, judged.run, recipe, HISTORY, CATALOGUE)
    model, costs = learn(recipe, lesson)
    noise = {"noise": judged.noise, "seed_overlap": judged.seed_overlap}
    fit = fit_of(judged.run, chosen, settings, lesson).model_copy(update=noise)
    manifest = keep_model(storage, place, model, recipe, fit, costs)
    return model, fit, lesson.tables, manifest


def likeness(
    judged: Recommender, model: Recommender, tables: RunTables, rule: ListRule
) -> Likeness:
    """Compare the lists of both models, as they would be shown, for users that both know.

    The scored one does not know what users took since its cut and what was sold out since: lists of
    both leave out what the placement says.
    """
    train, items = tables.train, tables.items
    spread = np.linspace(0, len(train.users) - 1, min(len(train.users), MOST_COMPARED))
    rows = np.unique(spread.astype(np.intp))
    rows = rows[~judged.recommend(train.users[rows], 1).fallback]
    if not rows.size:
        return Likeness(0, 0.0, 0.0)
    users, hidden = train.users[rows], left_out(tables, rule, rows)
    before, after = (
        TodaysModel(answering, items.items, items.recommendable).recommend(
            users, K, exclude_seen=False, seen=hidden
        )
        for answering in (judged, model)
    )
    of_others = replace(after, items=np.roll(after.items, 1, axis=0))
    same, by_chance = (float(overlap(before, lists).mean()) for lists in (after, of_others))
    return Likeness(len(rows), same, by_chance)


def _floor(limit: OverlapLimit, seed_overlap: float | None, alike: Likeness) -> tuple[float, str]:
    """Return the least overlap, and what asks for it."""
    floors = {"by refit.yaml": limit.min, "as other users' lists share that": alike.by_chance}
    if seed_overlap is not None:
        share = limit.share_of_seed_overlap
        wording = f"({share:.0%} of the {seed_overlap:.0%} that another seed leaves)"
        floors[wording] = share * seed_overlap
    says = max(floors, key=floors.__getitem__)
    return floors[says], says


def refit_of(verdict: VerdictRecord, storage: Storage) -> RefitRecord:
    """Return the record of the model that goes live; raise `ReleaseError` unless it may."""
    made = RunRecords(storage, verdict.run).load_refit()
    refusal = refit_refusal(verdict, made)
    if made is None or refusal is not None:
        raise refusal or _not_refitted(verdict)
    return made


def refit_refusal(verdict: VerdictRecord, made: RefitRecord | None) -> ReleaseError | None:
    """Say why a refitted model may not go live.

    It may if it was made from the very model that the verdict judged, and is like it.
    """
    judged = (verdict.run, verdict.candidate, verdict.model_sha256)
    if made is None or (made.run, made.candidate, made.judged_sha256) != judged:
        return _not_refitted(verdict)
    if made.passed and (made.refitted or made.model_sha256 == made.judged_sha256):
        return None
    return ReleaseError(
        f"The refit of {verdict.run} is not the model that was judged: {made.reason}",
        "Read its report; what is live stays live.",
    )


def _not_refitted(verdict: VerdictRecord) -> ReleaseError:
    return ReleaseError(
        f"{verdict.candidate} of {verdict.run} was not refitted since it was judged.",
        "Run refit_winner first.",
    )
