"""Scores every candidate of a run, and the champion beside them, on the same hold-out.

The champion is scored only if it was trained on data up to a cut no later than this run's:
otherwise it may have learnt the hold-out by heart. A champion that is not scored, for this or
because its bundle is broken, is named in the notes of the record; the verdict is then `review` or
worse, so nothing replaces it without a person. A champion that was fitted again on all data knows
the hold-out; its bundle also holds the model without it, which is scored in its place.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime

from infra.errors import BundleError, InputError, SettingsError, StorageError
from infra.ledger.live_pointer import live
from infra.ledger.run_records import RunRecords
from infra.places import candidates_of
from infra.records.evaluation import EvaluationRecord
from infra.storage import Storage
from models.candidates import load_candidates
from models.data.holdout import Holdout, left_out, select
from models.data.run_tables import RunTables, read_run
from models.evaluation.champion import score_champion
from models.evaluation.compare import Scored, compared, score_of
from models.evaluation.measure import measure
from models.training.trained_model import load_trained, read_costs

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
    tables = read_run(storage, run)
    holdout = select(tables)
    scored = [
        _candidate(storage, run, candidate.name, holdout, tables) for candidate in load_candidates()
    ]
    champion = live(storage)
    notes = left_out(holdout, tables)
    if champion is not None:
        try:
            scored.append(score_champion(storage, champion.version, holdout, tables))
        except (BundleError, StorageError, InputError, SettingsError) as error:
            notes.append(f"The champion {champion.version} was not scored: {error.fact}")
    scores = compared(scored, holdout, tables, storage.settings.seed)
    record = EvaluationRecord(
        run=run,
        at=datetime.now(UTC),
        cut=tables.cut,
        users=len(holdout.users),
        items=int(tables.items.recommendable.sum()),
        train_interactions=int(tables.train.weights.nnz),
        holdout_interactions=int(holdout.wanted.nnz),
        scores=scores,
        champion=champion.version if champion else None,
        notes=tuple(notes),
        inputs=tables.inputs,
    )
    for note in notes:
        log.warning("%s", note)
    RunRecords(storage, run).save_evaluation(record)
    return record


def _candidate(
    storage: Storage, run: str, name: str, holdout: Holdout, tables: RunTables
) -> Scored:
    trained = load_trained(storage, run, name)
    if trained.fit.inputs != tables.inputs:
        raise InputError(
            f"The tables of {run} were written again since {name} learnt from them.",
            "Run train again, and all that follows.",
        )
    costs = read_costs(storage, candidates_of(run), name).metrics()
    return score_of(name, "candidate", trained, costs), measure(trained.model, holdout, tables)
