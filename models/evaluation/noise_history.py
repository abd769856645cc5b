"""Pools what training again moved in the last runs: two or three refits a run are then enough."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from infra.errors import CatwalkError
from infra.ledger.decision_log import entries
from infra.ledger.run_records import RunRecords
from infra.records.evaluation import Noise, Score
from infra.storage import Storage
from models.metrics.noise import pooled

RUNS = 10


def past_scores(storage: Storage, run: str) -> tuple[Score, ...]:
    """Return the candidates of the last runs before one that were judged, the newest run first.

    What cannot be read is passed over: fewer refits make intervals wider, never narrower.
    """
    try:
        runs = list(islice(_judged_runs(storage, run), RUNS))
    except CatwalkError:
        return ()
    return tuple(score for past in runs for score in candidates_scored(storage, past))


def with_pooled_noise(score: Score, past: Sequence[Score]) -> Score:
    """Add to a score what its own run and earlier ones with equal parameters measured together."""
    alike = [*(earlier for earlier in past if _are_alike(earlier, score)), score]
    metrics = {metric for trained in alike for metric in trained.noise or {}}
    together = {metric: pooled(_measured(metric, alike)) for metric in sorted(metrics)}
    known = {metric: noise for metric, noise in together.items() if noise is not None}
    return score.model_copy(update={"pooled": known})


def _are_alike(earlier: Score, score: Score) -> bool:
    """Tell whether two have one recipe; records of an earlier Catwalk do not name the class."""
    same = (earlier.name, earlier.parameters) == (score.name, score.parameters)
    return same and earlier.class_path in ("", score.class_path)


def _measured(metric: str, alike: Sequence[Score]) -> Iterator[Noise]:
    """Give one measurement per training: a champion was measured as a candidate of its own run.

    The digest of a model tells the trainings apart, as two runs may measure equal numbers.
    """
    once = {score.model_sha256: score.noise for score in alike if metric in (score.noise or {})}
    return (noise[metric] for noise in once.values() if noise)


def _judged_runs(storage: Storage, run: str) -> Iterator[str]:
    seen = {run}
    for _, decision in entries(storage.reports):
        if decision.what == "verdict" and decision.about not in seen:
            seen.add(decision.about)
            yield decision.about


def candidates_scored(storage: Storage, run: str) -> tuple[Score, ...]:
    """Return the candidates of a run as they were scored; none if its record cannot be read."""
    try:
        record = RunRecords(storage, run).load_evaluation()
    except CatwalkError:
        return ()
    scores = record.scores if record else ()
    return tuple(score for score in scores if score.role == "candidate")
