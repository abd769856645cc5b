"""Asks the model of a version about one customer or a few items, in positions of its bundle."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeAlias

import numpy as np

from models.merchandising.arrange import Ranked
from models.merchandising.assortment import Flags
from models.recommender import NONE, ItemIds, Recommendations, Recommender, positions
from models.recommenders.capabilities import AnswersSessions, FindsSimilar, GivesReasons
from models.recommenders.one_row import AnswersItemsAtOnce, AnswersUserAtOnce, Row
from models.recommenders.todays_model import TodaysModel

OfUser: TypeAlias = Callable[[str, int, Flags], Row | None]
OfItems: TypeAlias = Callable[[list[int], int, Flags], Row | None]

OwnPlaces: TypeAlias = Callable[[str, Sequence[float]], int]


class Scorer:
    """A model beside the items of a bundle, of which it may know fewer, or more."""

    def __init__(self, model: Recommender, ids: ItemIds) -> None:
        self.model = model
        self._of_bundle = positions(ids, model.items)
        self._of_model = positions(model.items, ids)
        self._last = np.where(self._of_bundle == NONE, len(ids), self._of_bundle)
        self._of_user: OfUser = partial(_slow_user, model)
        self._of_items: OfItems = partial(_slow_items, model)
        self.own_places: OwnPlaces = _all_places
        if isinstance(model, AnswersUserAtOnce):
            self._of_user, self.own_places = model.row_of_user, model.own_places
        if isinstance(model, AnswersItemsAtOnce):
            self._of_items = model.row_of_items

    def mask(self, allowed: Flags) -> Flags:
        """Translate a flag per item of the bundle to one per item of the model."""
        mask: Flags = np.append(allowed, False)[self._last]
        return mask

    def of_user(self, key: str, k: int, mask: Flags, without: list[int]) -> Ranked | None:
        """Return a customer's best items; None for whom the model does not know."""
        row = self._of_user(key, k, self._without(mask, without))
        return row if row is None else self._ranked("personal", row)

    def of_items(
        self, source: str, places: list[int], k: int, mask: Flags, without: list[int]
    ) -> Ranked | None:
        """Return what is like these positions, without them; None if none of them says anything."""
        known = [place for place in self._of_model[places].tolist() if place != NONE]
        if not known:
            return None
        row = self._of_items(known, k, self._without(mask, [*without, *places]))
        return row if row is None else self._ranked(source, row)

    def causes(self, items: list[int], key: str, session: list[int]) -> list[int]:
        """Return which item led to each of these, of the session or else of the customer.

        -1 where the model does not know, or where the bundle does not have the item.
        """
        if not isinstance(self.model, GivesReasons):
            return [NONE] * len(items)
        places = self._of_model[items].astype(np.int32)[None]
        scores = np.zeros(places.shape, dtype=np.float32)
        lists = Recommendations(
            np.array([key]), self.model.items, places, scores, np.zeros(1, dtype=np.bool_)
        )
        known = [place for place in self._of_model[session].tolist() if place != NONE]
        sessions = [self.model.items[known]] if session else None
        causes = self.model.because(lists, sessions)[0]
        return np.where(causes == NONE, NONE, self._of_bundle[causes]).tolist()  # type: ignore[no-any-return]

    def _without(self, mask: Flags, places: list[int]) -> Flags:
        hidden = self._of_model[places] if places else ()
        if len(hidden):
            mask = mask.copy()
            mask[hidden[hidden != NONE]] = False
        return mask

    def _ranked(self, source: str, row: Row) -> Ranked:
        return Ranked(source, self._of_bundle[row.items].tolist(), row.scores.tolist())


def _all_places(user: str, scores: Sequence[float]) -> int:
    return len(scores)


def _slow_user(model: Recommender, user: str, k: int, allowed: Flags) -> Row | None:
    todays = TodaysModel(model, model.items, allowed & model.recommendable)
    return _first(todays.recommend(np.array([user]), k, exclude_seen=False))


def _slow_items(model: Recommender, items: list[int], k: int, allowed: Flags) -> Row | None:
    if not isinstance(model, FindsSimilar if len(items) == 1 else AnswersSessions):
        return None
    todays = TodaysModel(model, model.items, allowed & model.recommendable)
    return _first(todays.recommend_sessions([model.items[items]], k))


def _first(answers: Recommendations) -> Row | None:
    own = answers.own[0]
    if answers.fallback[0]:
        return None
    return Row(answers.items[0][own].astype(np.int64), answers.scores[0][own])
