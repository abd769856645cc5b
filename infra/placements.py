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

    def bought_since(self, as_of: datetime) -> datetime:
        """Return from when on what was bought is left out, as of a time."""
        return as_of - timedelta(days=self.within_days)


class Placement(Strict):
    """One place of the shop that shows a list, and why it looks as it does."""

    answers: Literal["personal"]
    length: int = Field(ge=1, le=1000)
    leave_out: LeaveOut
    within_days: int | None = Field(None, ge=1, le=3650)
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
    def by_rule(self) -> Mapping[ListRule, dict[str, int]]:
        """The length of the list of each placement, by the rule that they share."""
        lengths: dict[ListRule, dict[str, int]] = {}
        for name, placement in self.placements.items():
            lengths.setdefault(placement.rule, {})[name] = placement.length
        return lengths


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
