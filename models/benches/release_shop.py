"""Replays all kinds of releases of one shop, and counts how they were decided."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from infra.ledger.run_rules import RELEASE
from infra.placements import load_placements
from infra.records.evaluation import Noise
from infra.rules import read_rules
from infra.storage import Storage
from models.benches.release_rates import Release, Row, stops
from models.benches.release_replay import Replay, Scene, Trainer
from models.benches.release_windows import Pair
from models.metrics.noise import noise_of, pooled
from models.release.thresholds import ReleaseRules, parse_thresholds


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
        self._rules: ReleaseRules = parse_thresholds(read_rules(RELEASE), str(RELEASE))

    def run(self, pairs: Sequence[Pair]) -> Iterator[int]:
        """Train, score and judge every release of every pair of windows; gives how many so far."""
        best = [self._best(pair) for pair in pairs]
        self._trainer.noise.update(self._noise(pairs, best))
        for number, (pair, name) in enumerate(zip(pairs, best, strict=True), 1):
            print(f"{self.name}: pair {number} of {len(pairs)}, {name} is live", flush=True)
            replay = Replay(pair, self._trainer, name, seed=number)
            for scene in replay.scenes():
                self._count(scene, number)
            self._count(replay.one_user(self._customer(replay, number)), number)
            self.stopped += stops(replay, self._placements, self._rules, self.crowds, number)
            yield number

    def _count(self, scene: Scene, seed: int) -> None:
        release = Release.of(scene, self._placements, seed)
        row = self.rows.setdefault(scene.kind, Row(self.name, scene.kind))
        row.add(release.record.users, release.outcomes(self._rules, self.crowds, seed))

    def _customer(self, replay: Replay, seed: int) -> str:
        """Draw one of the customers that the whole run is judged on."""
        users = Release.of(next(replay.scenes()), self._placements, seed).users
        return str(np.random.default_rng(seed).choice(users))

    def _best(self, pair: Pair) -> str:
        """Return the candidate that is live: the one that a first run would release."""
        models = self._trainer.models(pair.now.run)
        entrants = tuple(self._trainer.entrant(name, model) for name, model in models.items())
        scene = Scene("", self._trainer.tables(pair.now.run), entrants)
        return Release.of(scene, self._placements, seed=1).ruling(self._rules).candidate

    def _noise(self, pairs: Sequence[Pair], best: Sequence[str]) -> dict[str, dict[str, Noise]]:
        """Pool what another seed moves over all windows, as runs do over the last ten."""
        measured: dict[str, dict[str, list[Noise]]] = defaultdict(lambda: defaultdict(list))
        for name, metric, noise in self._moves(pairs, best):
            measured[name][metric].append(noise)
        return {
            name: {
                metric: together
                for metric, noises in by_metric.items()
                if (together := pooled(noises)) is not None
            }
            for name, by_metric in measured.items()
        }

    def _moves(
        self, pairs: Sequence[Pair], best: Sequence[str]
    ) -> Iterator[tuple[str, str, Noise]]:
        for pair, live in zip(pairs, best, strict=True):
            for name, scene in Replay(pair, self._trainer, live, seed=1).other_seeds():
                values = Release.of(scene, self._placements, seed=1).values
                for metric, entries in values.by_metric.items():
                    trainings = np.array([entries[name], entries["champion"]])
                    yield name, metric, noise_of(trainings)
