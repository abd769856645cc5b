"""Judges replayed releases for many crowds of customers, and counts how they were decided."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from infra.placements import Placements
from infra.records.evaluation import Anchor, EvaluationRecord, Score
from infra.records.release import Outcome
from models.benches.release_replay import ANCHOR, EROSION, Replay, Scene
from models.evaluation.compare import CHAMPION, entry_of
from models.evaluation.score_run import ScoredRun, score_run
from models.evaluation.values import UserValues
from models.release.judging import Ruling, judge
from models.release.thresholds import ReleaseRules

MOST_STEPS = 10  # of a chain; a third of the customers is lost then
UNASKED: Outcome = "release"


@dataclass
class Row:
    """How the releases of one kind were decided in one shop.

    Attributes
    ----------
    users : list of int
        Judged customers of each scored release.
    outcomes : Counter of str
        Of all releases and crowds.
    """

    shop: str
    kind: str
    users: list[int] = field(default_factory=list)
    outcomes: Counter[Outcome] = field(default_factory=Counter)

    def add(self, users: int, outcomes: Iterable[Outcome]) -> None:
        """Count one scored release and how its crowds decided it."""
        self.users.append(users)
        self.outcomes.update(outcomes)


@dataclass(frozen=True)
class Release:
    """A scored release with the values by which it is judged.

    Attributes
    ----------
    record : EvaluationRecord
    values : UserValues
    users : array of str, shape (record.users,)
        The judged customers.
    """

    record: EvaluationRecord
    values: UserValues
    users: NDArray[np.str_]

    @classmethod
    def of(cls, scene: Scene, placements: Placements, seed: int) -> Release:
        """Score a scene as a run does, but for the new customers, whom no limit is about."""
        names = (entrant.score.name for entrant in scene.entrants if entrant.score.baseline)
        rivals = frozenset(names)
        scored = score_run(scene.tables, None, scene.entrants, placements, rivals, seed)
        record = _record(scene, scored, placements.judged_by)
        return cls(record, scored.values, scored.holdout.users)

    def ruling(self, rules: ReleaseRules) -> Ruling:
        """Judge it for its own customers."""
        return judge(self.record, self.values, rules)

    def outcomes(self, rules: ReleaseRules, crowds: int, seed: int) -> Iterator[Outcome]:
        """Judge it for its own customers, then for crowds drawn from them with replacement."""
        yield self.ruling(rules).outcome
        random, users = np.random.default_rng(seed), len(self.users)
        for _ in range(crowds - 1):
            yield self._of(random.integers(0, users, users)).ruling(rules).outcome

    def _of(self, rows: NDArray[np.int64]) -> Release:
        """Return the release as these customers would have scored it."""
        by_metric = {
            metric: {entry: values[rows] for entry, values in entries.items()}
            for metric, entries in self.values.by_metric.items()
        }
        scores = tuple(_with_means(score, by_metric) for score in self.record.scores)
        record = self.record.model_copy(update={"scores": scores})
        return Release(record, UserValues(self.values.seed, by_metric), self.users[rows])


def stops(
    replay: Replay, placements: Placements, rules: ReleaseRules, crowds: int, seed: int
) -> list[float]:
    """Release worse and worse models, and return the share lost by the first that is not released.

    Returns
    -------
    list of float
        One share per crowd of customers.
    """
    stopped: dict[int, float] = {}
    for step in range(1, MOST_STEPS + 1):
        release = Release.of(replay.eroded(step), placements, seed)
        for crowd, outcome in enumerate(release.outcomes(rules, crowds, seed)):
            if outcome != UNASKED:
                stopped.setdefault(crowd, EROSION * step)
        if len(stopped) == crowds:
            break
    return [stopped.get(crowd, EROSION * (MOST_STEPS + 1)) for crowd in range(crowds)]


def _record(scene: Scene, scored: ScoredRun, judged_by: str) -> EvaluationRecord:
    tables, roles = scene.tables, {score.role: score for score in scored.scores}
    anchor = None
    if ANCHOR in roles:
        anchor = Anchor(version=ANCHOR, live_at=tables.cut, candidate=ANCHOR, scored_as=ANCHOR)
    return EvaluationRecord(
        run=scene.kind,
        at=datetime.now(UTC),
        cut=tables.cut,
        users=len(scored.holdout.users),
        items=int(tables.items.recommendable.sum()),
        train_interactions=int(tables.train.weights.nnz),
        holdout_interactions=int(scored.holdout.wanted.nnz),
        scores=scored.scores,
        champion=CHAMPION if CHAMPION in roles else None,
        notes=scored.notes,
        judged_by=judged_by,
        anchor=anchor,
    )


def _with_means(score: Score, by_metric: dict[str, dict[str, NDArray[np.float64]]]) -> Score:
    entry = entry_of(score)
    means = {metric: float(entries[entry].mean()) for metric, entries in by_metric.items()}
    return score.model_copy(update={"metrics": {**score.metrics, **means}})
