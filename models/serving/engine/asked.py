"""A question beside what a version knows of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from infra.errors import InputError
from infra.placements import Placement
from models.bundle.histories import History
from models.merchandising.arrange import CANDIDATES
from models.merchandising.shop_rules import ShopRules
from models.recommender import NONE
from models.serving.engine.frames import Frame
from models.serving.question import Question
from models.serving.version import Version


@dataclass
class Asked:
    """A question beside what the version knows of it, in positions.

    Attributes
    ----------
    key : str
        Of the customer that the version knows; "" for strangers.
    row : int
        Of the customer in the ready lists.
    k : int
        How many items.
    items, session : list of int
        Those of the question that are items.
    """

    version: Version
    question: Question
    place: Placement
    frame: Frame
    key: str
    row: int
    k: int
    items: list[int]
    session: list[int]

    @property
    def visit(self) -> list[int]:
        """What this visit is about."""
        return self.session or self.items

    @property
    def items_of_session(self) -> list[int]:
        """What the places of the source `session` were chosen by."""
        return self.items if self.place.answers == "together" else self.visit

    def shows_own(self, item: int) -> bool:
        """Tell whether an item is shown because the customer looked at it herself."""
        return self.place.answers == "looked_at" and bool((self.history.items == item).any())

    @cached_property
    def excluded(self) -> set[int]:
        """What is never shown: what the question excludes, and what it is about."""
        excluded = set(self.version.assortment.known(self.question.exclude))
        if self.place.answers in ("similar", "together"):
            excluded.update(self.items)
        elif not self.key:
            excluded.update(self.visit)
        return excluded

    @property
    def candidates(self) -> int:
        """How many candidates of a source are enough: more where some may not be shown."""
        every = self.frame.is_clear and not self.frame.scope.boosted
        return self.k if every else max(CANDIDATES, self.k)

    @cached_property
    def history(self) -> History:
        """What the customer did."""
        return self.version.histories.of(self.key)

    @cached_property
    def left_out(self) -> list[int]:
        """What the placement does not show this customer."""
        return self.history.left_out(self.place.rule, self.version.as_of)


def understood(version: Version, rules: ShopRules, question: Question, now: datetime) -> Asked:
    """Look up what a question names; raises as `answer` does."""
    place = version.placements.placements.get(question.placement)
    if place is None:
        raise InputError(
            "There is no placement of this name.", "GET /v1/placements lists those there are."
        )
    if place.within == "category" and not question.category:
        raise InputError("This placement needs a category.", "Send `category`.")
    scope = (question.placement, question.market, question.category)
    frame = version.frames.of(rules, now, *scope)
    items = version.assortment.known(question.item_ids)
    if place.same and items:
        frame = frame.only(version.alike(items[0], place.same))
    session = version.assortment.known(question.session_items)
    k = question.k or place.length
    return Asked(version, question, place, frame, *_person(version, question), k, items, session)


def _person(version: Version, question: Question) -> tuple[str, int]:
    """Return the key and the row in the lists of whom the version knows; "" and -1 for nobody."""
    for key in (question.user_key, question.visitor_key):
        row = version.lists.row(key) if key else NONE
        if row != NONE:
            return key, row
    return "", NONE
