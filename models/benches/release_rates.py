"""Judges replayed releases for many crowds of customers, and counts how they were decided."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from infra.records.evaluation import Anchor, EvaluationRecord, Score
from infra.records.release import Outcome
from models.benches.release_replay import ANCHOR, EROSION, Replay, Scene
from models.benches.release_scores import Scorer
from models.evaluation.compare import CHAMPION, entry_of
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
    """

    record: EvaluationRecord
    values: UserValues

    @classmethod
    def of(cls, scene: Scene, scorer: Scorer) -> Release:
        """Score a scene on a window."""
        scores, values = scorer.score(scene.entrants)
        return cls(_record(scene, scores, scorer), values)

    def ruling(self, rules: ReleaseRules) -> Ruling:
        """Judge it for its own customers."""
        return judge(self.record, self.values, rules)

    def outcomes(self, rules: ReleaseRules, crowds: int, seed: int) -> Iterator[Outcome]:
        """Judge it for its own customers, then for crowds drawn from them with replacement."""
        yield self.ruling(rules).outcome
        random, users = np.random.default_rng(seed), self.record.users
        for _ in range(crowds - 1):
            yield self.of_users(random.integers(0, users, users)).ruling(rules).outcome

    def of_users(self, rows: NDArray[np.int64]) -> Release:
        """Return the release as these of its customers would have scored it."""
        by_metric = {
            metric: {entry: values[rows] for entry, values in entries.items()}
            for metric, entries in self.values.by_metric.items()
        }
        scores = tuple(_with_means(score, by_metric) for score in self.record.scores)
        record = self.record.model_copy(update={"scores": scores, "users": len(rows)})
        return Release(record, UserValues(self.values.seed, by_metric))


def stops(replay: Replay, scorer: Scorer, rules: ReleaseRules, crowds: int) -> list[float]:
    """Release worse and worse models, and return the share lost by the first that is not released.

    Returns
    -------
    list of float
        One share per crowd of customers.
    """
    stopped: dict[int, float] = {}
    for step in range(1, MOST_STEPS + 1):
        release = Release.of(replay.eroded(step), scorer)
        for crowd, outcome in enumerate(release.outcomes(rules, crowds, replay.seed)):
            if outcome != UNASKED:
                stopped.setdefault(crowd, EROSION * step)
        if len(stopped) == crowds:
            break
    return [stopped.get(crowd, EROSION * (MOST_STEPS + 1)) for crowd in range(crowds)]


def _record(scene: Scene, scores: tuple[Score, ...], scorer: Scorer) -> EvaluationRecord:
    tables, holdout = scorer.data.tables, scorer.data.holdout
    anchor, live = None, next((score for score in scores if score.role == CHAMPION), None)
    if live:
        anchor = Anchor(version=ANCHOR, live_at=tables.cut, candidate=live.name)
        anchor = anchor.model_copy(update={"scored_as": scene.anchor})
    return EvaluationRecord(
        run=scene.kind,
        at=datetime.now(UTC),
        cut=tables.cut,
        users=len(holdout.users),
        items=int(tables.items.recommendable.sum()),
        train_interactions=int(tables.train.weights.nnz),
        holdout_interactions=int(holdout.wanted.nnz),
        scores=scores,
        champion=live.name if live else None,
        judged_by=scorer.judged_by,
        anchor=anchor,
    )


def _with_means(score: Score, by_metric: dict[str, dict[str, NDArray[np.float64]]]) -> Score:
    entry = entry_of(score)
    means = {metric: float(entries[entry].mean()) for metric, entries in by_metric.items()}
    return score.model_copy(update={"metrics": {**score.metrics, **means}})
