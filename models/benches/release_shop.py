"""Replays all kinds of releases of one shop, and counts how they were decided."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from infra.ledger.run_rules import RELEASE
from infra.placements import load_placements
from infra.records.evaluation import Noise
from infra.records.release import Outcome
from infra.rules import read_rules
from infra.storage import Storage
from models.benches.release_rates import Release, Row, stops
from models.benches.release_replay import ONE_USER, Live, Replay, Scene, Trainer
from models.benches.release_scores import Scorer
from models.benches.release_windows import Pair, Window
from models.metrics.noise import noise_of, pooled
from models.metrics.ranking import NEXT_ITEM
from models.release.thresholds import ReleaseRules, parse_thresholds

NOT_REPLAYED = (*NEXT_ITEM, "peak_memory_mb", "model_mb")


@dataclass
class ShopReplay:
    """The releases of one shop, by the rules that are shipped.

    Attributes
    ----------
    crowds : int
        How many crowds of customers decide each scored release.
    rows : dict of str to Row
        By the kind of release.
    stopped : list of float
        The share lost at which each chain of a slow erosion was stopped.
    """

    name: str
    storage: Storage
    crowds: int
    rows: dict[str, Row] = field(default_factory=dict)
    stopped: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Read the rules."""
        self._trainer = Trainer(self.storage)
        self._placements = load_placements(self.storage.settings.placements)
        self._rules = replayable(parse_thresholds(read_rules(RELEASE), str(RELEASE)))
        self._scorers: dict[str, Scorer] = {}

    def run(self, pairs: Sequence[Pair]) -> Iterator[int]:
        """Train, score and judge every release of every pair of windows; gives how many so far."""
        replays = [self._prepared(number, pair) for number, pair in enumerate(pairs, 1)]
        self._trainer.noise.update(self._noise(replays))
        for replay in replays:
            started = time.monotonic()
            self._judge(replay)
            self._say(f"pair {replay.seed} of {len(pairs)}, {replay.live.name} is live", started)
            yield replay.seed

    def _prepared(self, number: int, pair: Pair) -> Replay:
        """Train all that the first run of a pair needs, and see what it would release."""
        started = time.monotonic()
        models = self._trainer.models(pair.before.run)
        entrants = tuple(self._trainer.entrant(name, model) for name, model in models.items())
        first = Release.of(Scene("", entrants), self._scorer(pair.before))
        best = first.ruling(self._rules).candidate
        approved = {score.name: score.metrics for score in first.record.scores}
        self._say(f"models of {pair.before.as_of:%Y-%m-%d %H:%M}, {best} is the best", started)
        return Replay(pair, self._trainer, Live(best, approved), seed=number)

    def _judge(self, replay: Replay) -> None:
        """Judge all releases of a pair; what is measured of its faulty models is then forgotten."""
        scorer, seed = self._scorer(replay.pair.now).branch(), replay.seed
        for scene in replay.scenes():
            release = Release.of(scene, scorer)
            self._count(scene.kind, release, release.outcomes(self._rules, self.crowds, seed))
        sound = Release.of(replay.again(), scorer)
        for customer in np.random.default_rng(seed).integers(0, sound.record.users, self.crowds):
            release = sound.of_users(np.array([customer]))
            self._count(ONE_USER, release, [release.ruling(self._rules).outcome])
        self.stopped += stops(replay, scorer, self._rules, self.crowds)

    def _count(self, kind: str, release: Release, outcomes: Iterable[Outcome]) -> None:
        row = self.rows.setdefault(kind, Row(self.name, kind))
        row.add(release.record.users, outcomes)

    def _scorer(self, window: Window) -> Scorer:
        if window.run not in self._scorers:
            tables, seed = self._trainer.tables(window.run), self.storage.settings.seed
            self._scorers[window.run] = Scorer.of(tables, self._placements, seed)
        return self._scorers[window.run]

    def _say(self, what: str, started: float) -> None:
        print(f"{self.name}: {what}, {time.monotonic() - started:.0f} s", flush=True)

    def _noise(self, replays: Sequence[Replay]) -> dict[str, dict[str, Noise]]:
        """Pool what another seed moves over all windows, as runs do over the last ten."""
        measured: dict[str, dict[str, list[Noise]]] = defaultdict(lambda: defaultdict(list))
        for name, metric, noise in self._moves(replays):
            measured[name][metric].append(noise)
        return {
            name: {
                metric: together
                for metric, noises in by_metric.items()
                if (together := pooled(noises)) is not None
            }
            for name, by_metric in measured.items()
        }

    def _moves(self, replays: Sequence[Replay]) -> Iterator[tuple[str, str, Noise]]:
        for replay in replays:
            started = time.monotonic()
            for name, scene in replay.other_seeds():
                values = Release.of(scene, self._scorer(replay.pair.now)).values
                for metric, entries in values.by_metric.items():
                    trainings = np.array([entries[name], entries["champion"]])
                    yield name, metric, noise_of(trainings)
            self._say(f"other seeds of {replay.pair.now.as_of:%Y-%m-%d %H:%M}", started)


def replayable(rules: ReleaseRules) -> ReleaseRules:
    """Leave out the limits on slices, and those on metrics that a replay does not measure."""
    thresholds = {
        metric: threshold.model_copy(update={"slices": {}})
        for metric, threshold in rules.thresholds.items()
        if metric not in NOT_REPLAYED
    }
    return replace(rules, thresholds=thresholds)
