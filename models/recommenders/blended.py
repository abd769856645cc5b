"""A fitted blend: what its models propose, in the order of a ranker, then what sells most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from infra.errors import BundleError
from infra.records.evaluation import Learning
from models.recommender import NONE, ItemIds, Recommendations, Recommender, UserIds, positions
from models.recommenders.bestsellers import bestsellers, with_strangers
from models.recommenders.capabilities import (
    GivesReasons,
    LeavesOut,
    Sessions,
    recommend_sessions,
    similar_items,
)
from models.recommenders.first_stage import NAMES, PROPOSERS, SESSIONS, FirstStage, Known, start_of
from models.recommenders.model_files import load_arrays, require_shapes
from models.recommenders.one_row import Flags, Row, best_of, one_hash, place_of
from models.recommenders.top_k import Vectors, top_k_of
from models.ties import Hashes, Ties, hashes

FILE, RANKER = "blended.npz", "ranker.txt"
END_OF_TREES = "end of trees"  # of LightGBM's format: a file that was cut off lacks it
END = "pandas_categorical"  # its last line
PROPOSED = 200_000  # proposals at a time, at most: 30 MB of features
LEAST = 1e-30  # of what is proposed: 0 and below is what fills a list


@dataclass(frozen=True)
class Blended:
    """The fitted model.

    Attributes
    ----------
    stage : FirstStage
    items : array of str, shape (n_items,)
    popularity : array of float32, shape (n_items,)
    recommendable : array of bool, shape (n_items,)
    places : int
        How many new items of each model are ranked.
    ranker : str
        LightGBM's own text; empty where the reciprocal ranks are summed.
    curve : tuple of float
        See `capabilities.TellsHowItLearnt`. Not saved: `fit.json` of the training holds it.
    """

    stage: FirstStage
    items: ItemIds
    popularity: Vectors
    recommendable: NDArray[np.bool_]
    places: int
    ranker: str
    curve: tuple[float, ...] = ()

    def recommend(self, users: UserIds, k: int, *, exclude_seen: bool = True) -> Recommendations:
        """See `models.recommender.Recommender.recommend`."""
        known = positions(self.stage.known.users, users) != NONE
        asked = users[known]
        hidden = None
        if exclude_seen:
            hidden = self.stage.known.had[positions(self.stage.known.users, asked)]

        def score(rows: slice) -> Vectors:
            return self._scores(asked[rows])

        items, scores = bestsellers(
            self.popularity, self._hashes, self.recommendable, k, len(users)
        )
        ties = Ties(hashes(asked), self._hashes)
        best = top_k_of(score, len(asked), k, self.recommendable, hidden, ties)
        items[known], scores[known] = best
        filled = (scores < 0) & (items != NONE)
        return Recommendations(users, self.items, items, scores, ~known | filled[:, 0], filled)

    def scores_of(self, users: UserIds) -> tuple[Vectors, Ties]:
        """See `models.recommenders.capabilities.ScoresAll`."""
        known = positions(self.stage.known.users, users) != NONE
        own, allowed = self._scores(users[known]), self.recommendable
        return with_strangers(users, known, own, self.popularity, self._hashes, allowed)

    def only(self, shown: Flags) -> Blended:
        """See `models.recommenders.capabilities.LeavesOut`."""
        models = {
            name: model.only(shown) if isinstance(model, LeavesOut) else model
            for name, model in self.stage.models.items()
        }
        stage = replace(self.stage, models=models)
        return replace(self, stage=stage, recommendable=self.recommendable & shown)

    def recommend_sessions(self, sessions: Sessions, k: int) -> Recommendations:
        """See `models.recommenders.capabilities.AnswersSessions`."""
        return recommend_sessions(self._of_visits, sessions, k)

    def similar_items(self, items: ItemIds, k: int) -> Recommendations:
        """See `models.recommenders.capabilities.FindsSimilar`."""
        return similar_items(self._of_visits, items, k)

    def row_of_user(self, user: str, k: int, allowed: Flags) -> Row | None:
        """See `models.recommenders.one_row.AnswersUserAtOnce`."""
        if place_of(self.stage.known.users, user) == NONE:
            return None
        proposed, ranked = self._ranked(np.array([user]), allowed)
        return best_of(ranked, proposed, k, one_hash(user), self._hashes)

    def own_places(self, user: str, scores: Sequence[float]) -> int:
        """See `models.recommenders.one_row.AnswersUserAtOnce`: what fills a row is below 0."""
        known = place_of(self.stage.known.users, user) != NONE
        return sum(score > 0 for score in scores) if known else 0

    def row_of_items(self, items: list[int], k: int, allowed: Flags) -> Row | None:
        """See `models.recommenders.one_row.AnswersItemsAtOnce`."""
        row: Row | None = self._of_visits.row_of_items(items, k, allowed)
        return row

    def because(
        self, lists: Recommendations, sessions: Sessions | None = None
    ) -> NDArray[np.int32]:
        """See `capabilities.GivesReasons`: the reason of the first model that has one."""
        if sessions is not None:
            causes: NDArray[np.int32] = self._of_visits.because(lists, sessions)
            return causes
        causes = np.full(lists.items.shape, NONE, dtype=np.int32)
        for model in self.stage.models.values():
            if isinstance(model, GivesReasons):
                causes = np.where(causes == NONE, model.because(lists), causes).astype(np.int32)
        return causes

    def learning(self) -> Learning:
        """See `models.recommenders.capabilities.TellsHowItLearnt`: the gain of each feature."""
        gains = self._booster.feature_importance("gain") if self._booster else np.zeros(0)
        if not gains.sum():
            return Learning(curve=self.curve)
        parts = zip(NAMES, gains / gains.sum(), strict=True)
        importances = {name: float(part) for name, part in parts if part}
        return Learning(curve=self.curve, importances=importances)

    def save(self, folder: Path) -> None:
        """Write a folder per model, `first_stage.npz`, `blended.npz` and `ranker.txt`."""
        for name, model in self.stage.models.items():
            (folder / name).mkdir()
            model.save(folder / name)
        self.stage.known.save(folder)
        names = ("items", "popularity", "recommendable")
        arrays: dict[str, Any] = {name: getattr(self, name) for name in names}
        np.savez(folder / FILE, **arrays, places=np.array([self.places]))
        (folder / RANKER).write_text(self.ranker, encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Blended:
        """Read what `save` wrote; raise `BundleError` where a file is missing or broken."""
        file = folder / FILE
        arrays = load_arrays(file, ["items", "popularity", "recommendable", "places"])
        amount = (len(arrays["items"]),)
        shapes = {"popularity": amount, "recommendable": amount, "places": (1,)}
        require_shapes(file, arrays, shapes)
        models: dict[str, Recommender] = {
            name: recipe.load(folder / name) for name, recipe in PROPOSERS.items()
        }
        stage = FirstStage(models, Known.load(folder))
        places = int(arrays.pop("places")[0])
        return cls(stage, **arrays, places=places, ranker=_read_ranker(folder / RANKER))

    def _scores(self, users: UserIds) -> Vectors:
        """Score the recommendable items: above 0 what is proposed, below 0 by what sells."""
        columns = np.flatnonzero(self.recommendable)
        sold = self.popularity[columns]
        filling = (0.5 * sold / sold.max(initial=1e-30) - 1).astype(np.float32)
        scores = np.tile(filling, (len(users), 1))
        place = np.full(len(self.items), NONE)
        place[columns] = np.arange(len(columns))
        step = max(1, PROPOSED // max(1, self._most_proposed))
        for start in range(0, len(users), step):
            part = users[start : start + step]
            proposals = self.stage.propose(part, self.places, self.recommendable)
            order = self._order(proposals)
            scores[start + proposals.rows, place[proposals.columns]] = order
        return scores

    @cached_property
    def _most_proposed(self) -> int:
        """How many proposals a user can have: all, or what each model adds to the longest past."""
        longest = int(np.diff(self.stage.known.starts).max(initial=0))
        new = self.places * len(self.stage.models)
        return min(int(self.recommendable.sum()), new + longest)

    def _ranked(self, users: UserIds, allowed: Flags) -> tuple[NDArray[np.int64], Vectors]:
        proposals = self.stage.propose(users, self.places, allowed)
        return proposals.columns, self._order(proposals)

    def _order(self, proposals: Any) -> Vectors:
        """Return the ranker's scores between 0 and 1, in a form that keeps their order."""
        if self._booster is None or not len(proposals.rows):
            # An item of their own that no model knows, such as one back in stock, has no votes.
            return np.asarray(np.maximum(proposals.votes, LEAST), dtype=np.float32)
        raw = self._booster.predict(proposals.features, num_threads=1)
        raw += start_of(proposals.features)
        return np.asarray(np.maximum(1 / (1 + np.exp(-raw)), LEAST), dtype=np.float32)

    @property
    def _of_visits(self) -> Any:
        return self.stage.models[SESSIONS]

    @cached_property
    def _booster(self) -> Any:
        return booster(self.ranker) if self.ranker else None

    @cached_property
    def _hashes(self) -> Hashes:
        return hashes(self.items)


def booster(ranker: str) -> Any:
    """Return LightGBM's model of its text."""
    from lightgbm import Booster

    return Booster(model_str=ranker)


def _read_ranker(file: Path) -> str:
    """Read LightGBM's text; raise `BundleError` if it was cut off or has other features."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BundleError(f"{file} cannot be read: {error}.", "Train again.") from error
    whole = END_OF_TREES in text and END in text.rstrip().rpartition("\n")[2]
    # By name: other features of the same number would rank by what they do not mean.
    if text and not (whole and f"\nfeature_names={' '.join(NAMES)}\n" in text):
        raise BundleError(f"{file} is no ranker of these {len(NAMES)} features.", "Train again.")
    return text
