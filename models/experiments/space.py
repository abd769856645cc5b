"""The parameters that an experiment tries: values, lists of values, and ranges to search."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from pydantic import Field, model_validator

from infra.errors import SettingsError
from infra.rules import Strict

if TYPE_CHECKING:
    from optuna import Trial

MOST_VARIANTS = 12  # each is trained and scored like a candidate
Value: TypeAlias = str | int | float | bool | None
Point: TypeAlias = dict[str, Value]


class Range(Strict):
    """Numbers between two ends, both among them; whole ones where both ends are whole.

    On the scale `log`, twice as much is as far from a number as half of it.
    """

    low: int | float = Field(alias="from", allow_inf_nan=False)
    high: int | float = Field(alias="to", allow_inf_nan=False)
    scale: Literal["linear", "log"] = "linear"

    @model_validator(mode="after")
    def _is_a_range(self) -> Range:
        if not self.low < self.high:
            raise ValueError(f"from {self.low} to {self.high} is no range")
        if self.scale == "log" and self.low <= 0:
            raise ValueError("a range on the scale log starts above 0")
        return self

    def suggest(self, trial: Trial, name: str) -> int | float:
        """Let a trial choose one."""
        log = self.scale == "log"
        if isinstance(self.low, int) and isinstance(self.high, int):
            return trial.suggest_int(name, self.low, self.high, log=log)
        return trial.suggest_float(name, self.low, self.high, log=log)


Space: TypeAlias = dict[str, Value | list[Value] | Range]


def has_range(space: Space) -> bool:
    """Tell whether there is something to search; lists alone are tried one by one."""
    return any(isinstance(wish, Range) for wish in space.values())


def suggested(space: Space, trial: Trial) -> Point:
    """Let a trial choose a value for each parameter."""

    def value(name: str, wish: Value | list[Value] | Range) -> Value:
        if isinstance(wish, Range):
            return wish.suggest(trial, name)
        if isinstance(wish, list):
            chosen: Value = trial.suggest_categorical(name, wish)
            return chosen
        return wish

    return {name: value(name, wish) for name, wish in space.items()}


def corners(space: Space) -> Iterator[Point]:
    """Give points that together name every value and both ends of every range once."""
    for name, wish in space.items():
        if wish == []:
            raise _empty_list()
        ends = [wish.low, wish.high] if isinstance(wish, Range) else wish
        yield from ({name: value} for value in (ends if isinstance(ends, list) else [ends]))


def grid(space: Space) -> list[Point]:
    """Return one point for every combination of the lists, of a space without ranges.

    Raises
    ------
    SettingsError
        There are too many, or none.
    """
    lists: list[list[Any]] = [wish if isinstance(wish, list) else [wish] for wish in space.values()]
    points: list[Point] = [dict(zip(space, point, strict=True)) for point in product(*lists)]
    if len(points) > MOST_VARIANTS:
        raise SettingsError(
            f"The grid has {len(points)} points.",
            f'Try at most {MOST_VARIANTS} at once, or search a range: {{"from": 1, "to": 9}}.',
        )
    if not points:
        raise _empty_list()
    return points


def _empty_list() -> SettingsError:
    return SettingsError("A parameter has an empty list.", "Give it a value.")
