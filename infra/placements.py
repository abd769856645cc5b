"""Reads the placements of a shop: where lists are shown, how long they are, what they leave out.

Evaluation, `recommend_users`, the gate on lists, `check_serving` and the bundle all obey the same
entry of the same file, so that what is scored is what customers are shown.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from infra.rules import Strict, parse_rules, parse_yaml, read_rules
from infra.schemas import EVENT_TYPES

HOME = "home"  # the placement that releases are judged by
NO_SUCCESS = ("impression", "return")  # the shop's own act, and the opposite of a success
_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")

LeaveOut = Literal["bought", "seen", "nothing"]
Answers = Literal["personal", "similar", "together", "again", "looked_at"]
Same = Literal["brand", "colour"]
PERSONAL, AGAIN, LOOKED_AT = "personal", "again", "looked_at"
OF_HISTORY = (AGAIN, LOOKED_AT)  # shows the customer's own items, which `seen` would leave out
OF_CUSTOMERS = (PERSONAL, *OF_HISTORY)


@dataclass(frozen=True)
class ListRule:
    """What a list leaves out: placements with equal rules share one computation.

    Attributes
    ----------
    leave_out : str
        `bought` in the last `within_days`, `seen` in the whole window, or `nothing`.
    within_days : int
        0 unless `leave_out` is `bought`.
    """

    leave_out: LeaveOut
    within_days: int = 0

    @property
    def name(self) -> str:
        """Short name: `seen`, `nothing` or, of 30 days, `bought_30`."""
        return f"{self.leave_out}_{self.within_days}" if self.within_days else self.leave_out

    def bought_since(self, as_of: datetime) -> datetime:
        """Return from when on what was bought is left out, as of a time."""
        return as_of - timedelta(days=self.within_days)


class Placement(Strict):
    """One place of the shop that shows a list, and why it looks as it does.

    Attributes
    ----------
    answers : str
        `personal`: what the model thinks this customer wants. `similar`: items like one item.
        `together`: what is bought together with some items. `again`: what this customer has bought.
        `looked_at`: what this customer looked at and never bought.
    within : str or None
        A question must name a category, and nothing else is shown.
    same : tuple of str
        What a similar item must share with the item of the question.
    """

    answers: Answers
    length: int = Field(ge=1, le=1000)
    leave_out: LeaveOut
    within_days: int | None = Field(None, ge=1, le=3650)
    within: Literal["category"] | None = None
    same: tuple[Same, ...] = ()
    why: str = Field(min_length=1)

    @model_validator(mode="after")
    def _days_of_bought(self) -> Self:
        if self.leave_out == "bought" and self.within_days is None:
            raise ValueError("'leave_out: bought' needs 'within_days', such as 30")
        if self.leave_out != "bought" and self.within_days is not None:
            raise ValueError(
                f"'within_days' belongs to 'leave_out: bought', not to '{self.leave_out}'"
            )
        return self

    @model_validator(mode="after")
    def _keys_of_what_it_answers(self) -> Self:
        if self.same and self.answers != "similar":
            raise ValueError(f"'same' belongs to 'answers: similar', not to '{self.answers}'")
        if len(set(self.same)) != len(self.same):
            raise ValueError("'same' names something twice")
        if self.leave_out == "seen" and self.answers in OF_HISTORY:
            raise ValueError(
                f"'leave_out: seen' leaves nothing of 'answers: {self.answers}'; write 'nothing'"
            )
        return self

    @property
    def is_listed(self) -> bool:
        """Whether a list for every customer is published; the others need more of a question."""
        return self.answers in OF_CUSTOMERS and self.within is None

    @property
    def rule(self) -> ListRule:
        """What the list leaves out."""
        return ListRule(self.leave_out, self.within_days or 0)


class Placements(Strict):
    """All placements of a shop, and what counts as a success there."""

    success: tuple[str, ...] = Field(min_length=1)
    judged_by: str = Field("ndcg_at_10", pattern=r"^[a-z][a-z0-9_]*$")
    placements: dict[str, Placement]

    @field_validator("success")
    @classmethod
    def _types_that_can_be_a_success(cls, types: tuple[str, ...]) -> tuple[str, ...]:
        return require_success(types)

    @field_validator("placements")
    @classmethod
    def _named_and_with_home(cls, placements: dict[str, Placement]) -> dict[str, Placement]:
        for name in placements:
            if not _NAME.fullmatch(name):
                raise ValueError(
                    f"'{name}' is no name: up to 40 small letters, digits and _, a letter first"
                )
        if HOME not in placements:
            raise ValueError(f"'{HOME}' is missing, the placement that releases are judged by")
        if placements[HOME].answers != PERSONAL or not placements[HOME].is_listed:
            raise ValueError(
                f"'{HOME}' must be personal, and not within a category: releases are judged by it"
            )
        return placements

    @property
    def home(self) -> Placement:
        """The placement that releases are judged by."""
        return self.placements[HOME]

    @property
    def longest(self) -> int:
        """The length of the longest list."""
        return max(placement.length for placement in self.placements.values())

    @property
    def listed(self) -> Mapping[str, Placement]:
        """The placements whose lists are published, by name."""
        return {name: place for name, place in self.placements.items() if place.is_listed}

    @property
    def by_rule(self) -> Mapping[ListRule, dict[str, int]]:
        """The length of the list of each listed personal placement, by the rule that they share."""
        lengths: dict[ListRule, dict[str, int]] = {}
        for name, placement in self.listed.items():
            if placement.answers == PERSONAL:
                lengths.setdefault(placement.rule, {})[name] = placement.length
        return lengths

    @property
    def of_history(self) -> Mapping[str, Placement]:
        """The listed placements that show customers their own items, by name."""
        return {name: p for name, p in self.listed.items() if p.answers in OF_HISTORY}


def require_success(types: tuple[str, ...]) -> tuple[str, ...]:
    """Return types of events that can be a success; raise `ValueError` for any other word."""
    possible = [name for name in EVENT_TYPES if name not in NO_SUCCESS]
    for name in types:
        if name not in possible:
            raise ValueError(f"'{name}' is no success; possible are {', '.join(possible)}")
    if len(set(types)) != len(types):
        raise ValueError("a type of event is named twice")
    return types


def parse_placements(content: bytes, origin: str) -> Placements:
    """Parse the bytes of a placements file; `origin` names where they came from in the error.

    Raises
    ------
    SettingsError
        It is not YAML, or holds an unknown key or a wrong value; names the file and the key.
    """
    return parse_rules(parse_yaml(content, origin), Placements, origin)


def load_placements(file: Path) -> Placements:
    """Read a placements file; raises as `parse_placements`, or where the file is missing."""
    return parse_placements(read_rules(file), str(file))
