"""Scores every candidate of a run, and the champion beside them, on the same hold-out.

The champion is scored only if it was trained on data up to a cut no later than this run's:
otherwise it may have learnt the hold-out by heart. A champion that is not scored, for this or
because its bundle is broken, is named in the notes of the record; the verdict is then `review` or
worse, so nothing replaces it without a person. A champion that was fitted again on all data knows
the hold-out; its bundle also holds the model without it, which is scored in its place.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from itertools import chain
from typing import Any

from infra.errors import BundleError, InputError, SettingsError, StorageError
from infra.ledger.live_pointer import live
from infra.ledger.run_records import RunRecords
from infra.ledger.run_rules import placements_of, rules_of
from infra.places import trained_of
from infra.records.evaluation import Anchor, EvaluationRecord
from infra.records.release import PublishRecord
from infra.records.run_rules import AnchorPlan
from infra.schemas import INTERACTIONS, STEPS
from infra.storage import Storage
from models.candidates import ANCHOR, Candidate, candidates_of
from models.data.holdout import notes_of
from models.data.run_steps import read_steps
from models.data.run_tables import RunTables, read_run
from models.evaluation.approved_numbers import approved_scores, with_approved_numbers
from models.evaluation.champion import champion_of
from models.evaluation.compare import score_of
from models.evaluation.noise_history import past_scores, with_pooled_noise
from models.evaluation.score_run import Entrant, score_run
from models.evaluation.values import save_values
from models.steps import Steps
from models.training.trained_model import Trained, load_trained, read_costs

log = logging.getLogger(__name__)


def evaluate(storage: Storage, run: str) -> EvaluationRecord:
    """Score all candidates and the champion, and save the record.

    Raises
    ------
    StorageError
        The tables of the run are missing, or a candidate was not trained.
    BundleError
        A candidate's files were changed since training.
    InputError
        The hold-out has nobody to score on, or the tables were written again since a candidate
        learnt from them.
    """
    tables, champion = read_run(storage, run), live(storage)
    past, approved = past_scores(storage, run), approved_scores(storage)
    missing: list[str] = []
    no_anchor: list[str] = []
    plan = rules_of(storage, run).anchor
    candidates = candidates_of(storage, run)
    rivals = frozenset(candidate.name for candidate in candidates if candidate.baseline)
    entrants = chain(
        (_candidate(storage, run, candidate, tables) for candidate in candidates),
        _champion(storage, champion, tables, missing),
        _anchor(storage, run, plan, tables, no_anchor),
    )
    with_past = (
        replace(
            entrant, score=with_approved_numbers(with_pooled_noise(entrant.score, past), approved)
        )
        for entrant in entrants
    )
    placements, steps = placements_of(storage, run), _steps(storage, run, tables)
    scored = score_run(tables, steps, with_past, placements, rivals, storage.settings.seed)
    holdout, facts = scored.holdout, storage.lake.manifest(INTERACTIONS.name, run)
    notes = [*notes_of(holdout, tables), *_crawlers(facts), *missing, *scored.notes]
    record = EvaluationRecord(
        run=run,
        at=datetime.now(UTC),
        cut=tables.cut,
        users=len(holdout.users),
        items=int(tables.items.recommendable.sum()),
        train_interactions=int(tables.train.weights.nnz),
        holdout_interactions=int(holdout.wanted.nnz),
        scores=scored.scores,
        champion=champion.version if champion else None,
        notes=tuple(notes),
        inputs=tables.inputs,
        judged_by=placements.judged_by,
        holdout=facts.get("holdout"),
        anchor=_anchor_facts(plan, no_anchor),
        values_sha256=save_values(storage, run, scored.values),
    )
    for note in notes:
        log.warning("%s", note)
    RunRecords(storage, run).save_evaluation(record)
    return record


def _steps(storage: Storage, run: str, tables: RunTables) -> Steps | None:
    """Read the steps of the hold-out; None of a run of an earlier Catwalk, which wrote none."""
    if run not in storage.lake.partitions(STEPS.name):
        return None
    return read_steps(storage, run, tables.items.items, "holdout")


def _crawlers(facts: dict[str, Any]) -> list[str]:
    left_out = facts.get("left_out_users") or {}
    if not left_out.get("users"):
        return []
    return [
        f"{left_out['users']} users with {left_out['events']} events were left out: they do more "
        "in a day than customers do. They get the list for strangers."
    ]


def _candidate(storage: Storage, run: str, candidate: Candidate, tables: RunTables) -> Entrant:
    name = candidate.name
    trained = _trained(storage, run, name, tables)
    costs = read_costs(storage, trained_of(run), name).metrics()
    score = score_of(name, "candidate", trained, costs)
    return Entrant(score.model_copy(update={"baseline": candidate.baseline}), trained.model)


def _trained(storage: Storage, run: str, name: str, tables: RunTables) -> Trained:
    trained = load_trained(storage, run, name)
    if trained.fit.inputs != tables.inputs:
        raise InputError(
            f"The tables of {run} were written again since {name} learnt from them.",
            "Run train again, and all that follows.",
        )
    return trained


def _anchor(
    storage: Storage, run: str, plan: AnchorPlan | None, tables: RunTables, missing: list[str]
) -> Iterator[Entrant]:
    """Give the model of the anchor's recipe, unless a candidate has the same.

    One that was not trained, for the recipe may have needed more memory than there is, is named in
    `missing`: a person is asked then, and the run goes on.
    """
    if plan is None or plan.scored_as != ANCHOR:
        return
    try:
        trained = _trained(storage, run, ANCHOR, tables)
        costs = read_costs(storage, trained_of(run), ANCHOR).metrics()
    except (BundleError, StorageError, InputError, SettingsError) as error:
        missing.append(error.fact)
        return
    yield Entrant(score_of(plan.candidate, "anchor", trained, costs), trained.model)


def _anchor_facts(plan: AnchorPlan | None, missing: list[str]) -> Anchor | None:
    if plan is None:
        return None
    anchor = Anchor.model_validate(plan.model_dump(exclude={"class_path", "parameters"}))
    lacks = {"scored_as": "", "missing": " ".join(missing)} if missing else {}
    return anchor.model_copy(update=lacks)


def _champion(
    storage: Storage, champion: PublishRecord | None, tables: RunTables, missing: list[str]
) -> Iterator[Entrant]:
    """Give the champion if there is one that can be scored; else add to `missing` why not."""
    if champion is None:
        return
    try:
        yield champion_of(storage, champion.version, tables.cut)
    except (BundleError, StorageError, InputError, SettingsError) as error:
        missing.append(f"The champion {champion.version} was not scored: {error.fact}")
