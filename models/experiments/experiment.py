"""Tries variants of a candidate on the tables of a run: scored as in a run, never released.

An experiment keeps everything below `experiments/NAME` of the lake and of the reports, where no
step of a release looks: so it never gets a verdict and never becomes a bundle.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from infra.errors import InputError
from infra.ledger.record_files import RecordFiles
from infra.ledger.run_rules import placements_of
from infra.places import COMPARISON, PAGE
from infra.records.evaluation import ExperimentRecord
from infra.schemas import STEPS
from infra.storage import Storage
from models.candidates import make
from models.data.holdout import notes_of
from models.data.run_steps import read_steps
from models.data.run_tables import RunTables
from models.evaluation.compare import score_of
from models.evaluation.score_run import Entrant, score_run
from models.experiments.plan import MODELS, Plan, key_of, read_plan, read_sample
from models.experiments.sample import in_sample
from models.recommender import Recipe
from models.recommenders.capabilities import LearnsFromSteps
from models.steps import Steps
from models.tracking.runs import Evaluated, track_scores
from models.training.train import Lesson, array_lesson, learn_and_keep, steps_lesson
from models.training.trained_model import load_kept, read_costs

MLFLOW_EXPERIMENT = "experiment"
SHARE_TAG = "catwalk.share"


def try_variant(storage: Storage, run: str, name: str) -> dict[str, Any]:
    """Train one variant of a planned experiment, and keep it; a rerun replaces it."""
    chosen = read_plan(storage, run)
    candidate = next(variant for variant in chosen.variants if variant.name == name)
    tables, _ = read_sample(storage, chosen)
    recipe = make(candidate, storage.settings)
    lesson = _lesson(storage, chosen, tables, recipe)
    place = key_of(chosen.experiment, MODELS)
    return learn_and_keep(storage, chosen.run, candidate, recipe, lesson, place)


def _lesson(storage: Storage, chosen: Plan, tables: RunTables, recipe: Recipe) -> Lesson:
    """Let a variant learn from what its recipe learns from in a run, of the sampled users alone."""
    if not isinstance(recipe, LearnsFromSteps):
        return array_lesson(tables)
    steps = read_steps(storage, chosen.run, tables.items.items, "train")
    return steps_lesson(tables, steps.of_persons(in_sample(steps.persons, chosen.share)))


def _holdout_steps(storage: Storage, chosen: Plan, tables: RunTables) -> Steps | None:
    """Read the steps of the hold-out, of the sampled people alone; None where none were written."""
    if chosen.run not in storage.lake.partitions(STEPS.name):
        return None
    steps = read_steps(storage, chosen.run, tables.items.items, "holdout")
    return steps.of_persons(in_sample(steps.persons, chosen.share))


def compare_variants(storage: Storage, run: str) -> dict[str, Any]:
    """Score all variants side by side; write the page, the record, and MLflow's runs."""
    from infra.report.experiment import render_experiment

    chosen = read_plan(storage, run)
    tables, _ = read_sample(storage, chosen)
    entrants = (_entrant(storage, chosen, variant.name) for variant in chosen.variants)
    rivals = {variant.name for variant in chosen.variants if variant.baseline}
    rivals |= {chosen.candidate, chosen.live} - {""}
    seed, placements = storage.settings.seed, placements_of(storage, chosen.run)
    steps = _holdout_steps(storage, chosen, tables)
    scored = score_run(tables, steps, entrants, placements, frozenset(rivals), seed)
    record = ExperimentRecord(
        experiment=chosen.experiment,
        run=chosen.run,
        candidate=chosen.candidate,
        share=chosen.share,
        at=datetime.now(UTC),
        cut=tables.cut,
        users=len(scored.holdout.users),
        items=int(tables.items.recommendable.sum()),
        train_interactions=int(tables.train.weights.nnz),
        scores=scored.scores,
        notes=tuple(notes_of(scored.holdout, tables)),
        judged_by=placements.judged_by,
        live=chosen.live,
        tried=chosen.tried,
    )
    files, page = RecordFiles(storage.reports, chosen.experiment), render_experiment(record)
    files.write(COMPARISON, record)
    files.write_text(PAGE, page)
    texts = {COMPARISON: record.model_dump_json(indent=1), PAGE: page}
    evaluated = Evaluated(
        chosen.experiment, record.at, chosen.run, texts, {SHARE_TAG: f"{chosen.share:g}"}
    )
    track_scores(storage, MLFLOW_EXPERIMENT, evaluated, record.scores)
    return {"variants": len(record.scores), "users": record.users, "page": files.address(PAGE)}


def _entrant(storage: Storage, chosen: Plan, name: str) -> Entrant:
    place = key_of(chosen.experiment, MODELS)
    trained = load_kept(storage, place, name)
    if trained.fit.run != chosen.run:
        raise InputError(f"{name} learnt from {trained.fit.run}.", "Clear the tasks try_variant.")
    costs = read_costs(storage, place, name).metrics()
    return Entrant(score_of(name, "candidate", trained, costs), trained.model)
