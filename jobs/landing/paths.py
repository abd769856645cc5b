"""Reads a field that is a path into nested JSON: `user.id`, `items[].price`, `items[0].price`.

A step is the name of a value within an object, or says which element of a list is meant: `[]` each
of the list that a source takes apart, `[0]` the one at a place, `[key=page]` the first whose `key`
is `page`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

_NAME, _WORD = r"[^.\[\]`]+", r"[^\[\]`]*"
_ELEMENT = rf"\[(?:\d{{1,9}}|[^.\[\]`=]+={_WORD})?\]"
_PATH = re.compile(rf"{_NAME}(?:{_ELEMENT})*(?:\.{_NAME}(?:{_ELEMENT})*)*")
_STEP = re.compile(rf"(?P<element>{_ELEMENT})|\.?(?P<name>{_NAME})")
_NO_PATH = re.compile(r"\[(?:\*|-\d+)?\]|\]\.|\.\.")  # more like a path than like a name


@dataclass(frozen=True)
class Element:
    """A step into a list: each element, the one at a place, or the first that has a value."""

    place: int | None = None
    name: str = ""
    value: str = ""


EACH = Element()
Path = tuple[str | Element, ...]


def path_of(field: str) -> Path:
    """Return the steps of a field; a field that is no path is one step.

    Raises
    ------
    ValueError
        It looks like a path and cannot be read as such.

    >>> path_of("items[].price")
    ('items', Element(place=None, name='', value=''), 'price')
    >>> path_of("params[key=page.url].value")[1:]
    (Element(place=None, name='key', value='page.url'), 'value')
    >>> path_of("Price [EUR]")
    ('Price [EUR]',)
    """
    if _PATH.fullmatch(field):
        return tuple(
            _element(step["element"]) if step["element"] else step["name"]
            for step in _STEP.finditer(field)
        )
    if _NO_PATH.search(field):
        raise ValueError(
            f"'{field}' is no path: write it as user.id, items[].price, items[0].price or "
            "params[key=page].value"
        )
    return (field,)


def _element(text: str) -> Element:
    inside = text[1:-1]
    if not inside:
        return EACH
    if inside.isdecimal():
        return Element(place=int(inside))
    name, _, value = inside.partition("=")
    return Element(name=name, value=value)


def names_alone(path: Path) -> bool:
    """Tell a path without lists, which may also be the name of a value at the top, dots and all."""
    return all(isinstance(step, str) for step in path)


def require_paths(fields: Iterable[str], explode: str | None) -> None:
    """Hold the paths of a source against the list it takes apart.

    Raises
    ------
    ValueError
        A field is no path, or one of each element of a list that `explode` does not name.
    """
    taken_apart = path_of(explode) if explode else ()
    if EACH in taken_apart:
        raise ValueError(f"explode: write the list without brackets: {explode.removesuffix('[]')}")  # type: ignore[union-attr]
    for field in fields:
        path = path_of(field)
        if EACH not in path:
            continue
        place = path.index(EACH)
        if path[:place] != taken_apart:
            list_ = field[: field.index("[]")]
            cure = f"name the list (explode: {list_}), or one element ({list_}[0])"
            raise ValueError(f"'{field}' is of each element of '{list_}': {cure}")
        if EACH in path[place + 1 :]:
            raise ValueError(f"'{field}' has a list within a list: one can be taken apart")


def value_at(value: Any, path: Path) -> Any:
    """Return what a parsed JSON value has at a path, None if nothing; of each element a list.

    >>> value_at({"items": [{"price": 9}, {"price": 5}]}, path_of("items[].price"))
    [9, 5]
    """
    for place, step in enumerate(path):
        if step == EACH:
            rest, value = path[place + 1 :], _opened(value)
            return [value_at(each, rest) for each in value] if isinstance(value, list) else None
        value = _inside(value, step)
    return value


def _opened(value: Any) -> Any:
    """Return what a text of JSON holds, as Spark reads it; other values as they are."""
    if not isinstance(value, str) or not value.lstrip().startswith(("{", "[")):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def _inside(value: Any, step: str | Element) -> Any:
    value = _opened(value)
    if isinstance(step, str):
        return value.get(step) if isinstance(value, dict) else None
    if not isinstance(value, list):
        return None
    if step.place is not None:
        return value[step.place] if step.place < len(value) else None
    having = (each for each in value if _written(_inside(each, step.name)) == step.value)
    return next(having, None)


def _written(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
