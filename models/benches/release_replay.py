"""Replays releases of one shop with known faults: which models each kind of release holds.

Models are trained and scored as a run does, on the tables of real runs.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal, TypeAlias

from infra.records.evaluation import Noise, Score
from infra.schemas import CATALOGUE, HISTORY, INTERACTIONS, ITEMS
from infra.storage import Storage
from models.benches.faulty_models import SwappedLists
from models.benches.release_windows import Pair
from models.candidates import Candidate, load_candidates, make, model_class
from models.data.run_tables import RunTables, read_run
from models.evaluation.score_run import Entrant
from models.metrics.ranking import RANKING
from models.recommender import Recommender, UserIds
from models.training.seed_noise import with_other_seed

SHARES = (0.1, 0.3, 0.5, 0.7)  # of the customers who get the list of another one
EROSION = 0.03  # more customers with each release of a chain
OTHER_SEED = 1_000
ANCHOR = "anchor"
AGAIN, SEED, MONTH_OLD = "trained again 12 hours later", "another seed", "a model of last month"
LEAKED, ONE_USER, ERODED = "a leaked hold-out", "one judged user", "a slow erosion"
Models: TypeAlias = Mapping[str, Recommender]
Role: TypeAlias = Literal["candidate", "champion", "anchor"]


def swapped(share: float) -> str:
    """Name the row of releases that fail a share of the customers.

    >>> swapped(0.3)
    "30% have another's list"
    """
    return f"{share:.0%} have another's list"


@dataclass(frozen=True)
class Scene:
    """One release to replay.

    Attributes
    ----------
    kind : str
        The row of the table that it belongs to.
    entrants : tuple of Entrant
        Candidates and champion; the anchor, where no candidate has its recipe.
    anchor : str
        The model that the recipe of a month ago is scored as; empty for a first release.
    """

    kind: str
    entrants: tuple[Entrant, ...]
    anchor: str = ""


@dataclass
class Trainer:
    """Trains the candidates of a shop on its windows, each once.

    Attributes
    ----------
    noise : dict of str to dict of str to Noise
        What training again moves each metric of a candidate by; empty for one without a seed.
    """

    storage: Storage
    candidates: tuple[Candidate, ...] = field(default_factory=load_candidates)
    noise: dict[str, dict[str, Noise]] = field(default_factory=dict)
    _models: dict[tuple[str, str, bool, int], Recommender] = field(default_factory=dict)
    _minutes: dict[str, float] = field(default_factory=dict)
    _tables: dict[tuple[str, bool], RunTables] = field(default_factory=dict)

    def models(self, run: str, *, leaked: bool = False) -> dict[str, Recommender]:
        """Return all candidates as trained for a run; leaked, they learnt its hold-out too."""
        return {
            candidate.name: self.model(run, candidate, leaked=leaked)
            for candidate in self.candidates
        }

    def model(
        self, run: str, candidate: Candidate, *, leaked: bool = False, seed: int = 0
    ) -> Recommender:
        """Return one candidate; `seed` is added to that of the shop."""
        key = (run, candidate.name, leaked, seed)
        if key not in self._models:
            tables, settings = self.tables(run, leaked=leaked), self.storage.settings
            chosen = with_other_seed(candidate, settings.seed + seed) if seed else candidate
            started = time.perf_counter()
            self._models[key] = make(chosen, settings).fit(tables.train, tables.items)
            self._minutes[candidate.name] = (time.perf_counter() - started) / 60
        return self._models[key]

    def tables(self, run: str, *, leaked: bool = False) -> RunTables:
        """Read the tables of a run; leaked, the train part holds what came after the cut."""
        if (run, leaked) not in self._tables:
            names = (HISTORY, CATALOGUE) if leaked else (INTERACTIONS, ITEMS)
            self._tables[run, leaked] = read_run(self.storage, run, *names)
        return self._tables[run, leaked]

    def named(self, name: str) -> Candidate:
        """Return a candidate by its name."""
        return next(candidate for candidate in self.candidates if candidate.name == name)

    def entrant(self, name: str, model: Recommender, role: Role = "candidate") -> Entrant:
        """Enter a model of a candidate, sound or faulty, with what is known of its training."""
        candidate = self.named(name)
        score = Score(
            name=ANCHOR if role == "anchor" else name,
            role=role,
            parameters=candidate.parameters,
            class_path=candidate.class_path,
            metrics={"training_minutes": self._minutes[name]},
            noise=self.noise.get(name, {}),
            baseline=candidate.baseline and role == "candidate",
        )
        return Entrant(score, model)


@dataclass(frozen=True)
class Live:
    """The release that is live when a run is judged: the best candidate half a day before.

    Attributes
    ----------
    name : str
        The candidate.
    approved : dict of str to dict of str to float
        What all candidates reached in its run, by their name and metric: a person approved it.
    """

    name: str
    approved: Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class Replay:
    """All releases of one pair of windows."""

    pair: Pair
    trainer: Trainer
    live: Live
    seed: int

    @cached_property
    def sound(self) -> Models:
        """What a run without any fault trains."""
        return self.trainer.models(self.pair.now.run)

    @cached_property
    def champion(self) -> Recommender:
        """The live model."""
        return self.trainer.model(self.pair.before.run, self.trainer.named(self.live.name))

    @cached_property
    def users(self) -> UserIds:
        """Everybody the models of the later window know."""
        return self.trainer.tables(self.pair.now.run).train.users

    def scenes(self) -> Iterator[Scene]:
        """Give every kind of release but those of one customer and of an erosion."""
        yield self.again()
        yield from (scene for _, scene in self.other_seeds())
        for share in SHARES:
            yield self._scene(swapped(share), self._swapped(share))
        yield self._scene(MONTH_OLD, self.trainer.models(self.pair.old.run))
        yield self._scene(LEAKED, self.trainer.models(self.pair.now.run, leaked=True))

    def again(self) -> Scene:
        """Give the release of a run without any fault."""
        return self._scene(AGAIN, self.sound)

    def eroded(self, step: int) -> Scene:
        """Give the release of a chain in which each one fails 3% more of the customers."""
        name = self.live.name
        candidates = {**self._baselines(), name: self._swapped(EROSION * step)[name]}
        scene = self._scene(ERODED, candidates, self._swap(self.champion, EROSION * (step - 1)))
        anchor = self.trainer.entrant(name, self.sound[name], "anchor")
        return replace(scene, entrants=(*scene.entrants, anchor), anchor=ANCHOR)

    def other_seeds(self) -> Iterator[tuple[str, Scene]]:
        """Give each candidate that has a seed against itself with another one, and its name."""
        for candidate in self.trainer.candidates:
            if "random_state" in model_class(candidate.class_path).model_fields:
                name = candidate.name
                other = self.trainer.model(self.pair.now.run, candidate, seed=OTHER_SEED)
                champion = self.trainer.entrant(name, self.sound[name], "champion")
                yield name, self._with(champion, SEED, {**self._baselines(), name: other})

    def _scene(self, kind: str, candidates: Models, live: Recommender | None = None) -> Scene:
        champion = self.trainer.entrant(self.live.name, live or self.champion, "champion")
        return self._with(champion, kind, candidates)

    def _with(self, champion: Entrant, kind: str, candidates: Models) -> Scene:
        entrants = (self._candidate(name, model) for name, model in candidates.items())
        return Scene(kind, (*entrants, champion), anchor=champion.score.name)

    def _candidate(self, name: str, model: Recommender) -> Entrant:
        entrant, seen = self.trainer.entrant(name, model), self.live.approved[name]
        numbers = {metric: value for metric, value in seen.items() if metric in RANKING}
        return replace(entrant, score=entrant.score.model_copy(update={"approved": numbers}))

    def _baselines(self) -> Models:
        return {
            name: model for name, model in self.sound.items() if self.trainer.named(name).baseline
        }

    def _swapped(self, share: float) -> Models:
        """Let every candidate but the baselines fail a share of the customers."""
        return {
            name: model if self.trainer.named(name).baseline else self._swap(model, share)
            for name, model in self.sound.items()
        }

    def _swap(self, model: Recommender, share: float) -> Recommender:
        return SwappedLists.of(model, self.users, share, self.seed)
