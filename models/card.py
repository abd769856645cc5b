"""The model card: where a model comes from, what it was measured at, what it cannot do.

Source: M. Mitchell et al., Model Cards for Model Reporting, 2019.
"""

from __future__ import annotations

from typing import Any

from infra.errors import ReleaseError
from infra.records import VerdictRecord
from infra.run_records import RunRecords
from infra.schemas import INTERACTIONS
from infra.storage import Storage
from models.train import Fit

CANNOT = (
    "Users without events before the cut get the list of what sells most.",
    "Items that came after the cut are never recommended by this model.",
    "Numbers come from what customers did with the lists they saw; they are not an A/B test.",
)


def model_card(verdict: VerdictRecord, storage: Storage, fit: Fit) -> dict[str, Any]:
    """Return the card of a released model as JSON types; no clock, so that bundles repeat.

    Raises
    ------
    ReleaseError
        The released model is not in the evaluation.
    """
    evaluation = RunRecords(storage, verdict.run).load_evaluation()
    scores = evaluation.scores if evaluation else ()
    metrics = [score.metrics for score in scores if score.model_sha256 == verdict.model_sha256]
    if evaluation is None or not metrics:
        raise ReleaseError(f"{verdict.candidate} was judged by no evaluation.", "Evaluate again.")
    facts = storage.lake.manifest(INTERACTIONS.name, verdict.run)
    return {
        "run": verdict.run,
        "model": fit.model_dump(mode="json"),
        "data": {
            "window": {name: str(facts.get(name)) for name in ("start", "cut", "as_of")},
            "batches": list(verdict.batches),
            "sources": list(storage.settings.sources),
            "columns": list(verdict.columns),
        },
        "metrics": metrics[0],
        "judged": {
            "users": evaluation.users,
            "items": evaluation.items,
            "notes": list(evaluation.notes),
        },
        "thresholds_sha256": verdict.thresholds_sha256,
        "limits": [judgement.model_dump(mode="json") for judgement in verdict.judgements],
        "cannot": list(CANNOT),
    }
