"""A question beside what a version knows of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from infra.errors import InputError
from infra.placements import Placement
from models.merchandising.shop_rules import ShopRules
from models.serving.frames import Frame
from models.serving.people import History
from models.serving.question import Question
from models.serving.version import Version


@dataclass
class Asked:
    """A question beside what the version knows of it, in positions.

    Attributes
    ----------
    key : str
        Of the customer that the version knows; "" for strangers.
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
    if getattr(place, "within", None) == "category" and not question.category:
        raise InputError("This placement needs a category.", "Send `category`.")
    scope = (question.placement, question.market, question.category)
    frame = version.frames.of(rules, now, *scope)
    items = version.assortment.known(question.item_ids)
    same = getattr(place, "same", ())
    if same and items:
        frame = frame.only(version.alike(items[0], same))
    session = version.assortment.known(question.session_items)
    keys = (question.user_key, question.visitor_key)
    key = next((key for key in keys if key and version.lists.knows(key)), "")
    return Asked(version, question, place, frame, key, question.k or place.length, items, session)
