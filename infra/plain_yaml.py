"""Reads YAML as people mean it: what is no number and no `true` or `false` is a text.

YAML 1.1, which PyYAML reads, takes `no` for false, `1:30` for 90, `010` for 8 and an empty value
for nothing at all. In a file that decides what customers see, such a guess is worse than an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import yaml

# by the characters that a value of the kind may start with
_PLAIN = {
    "tag:yaml.org,2002:bool": (r"true|True|TRUE|false|False|FALSE", "tTfF"),
    "tag:yaml.org,2002:int": (r"[-+]?(0|[1-9][0-9]*)", "-+0123456789"),
    "tag:yaml.org,2002:float": (
        r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?"
        r"|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        "-+.0123456789",
    ),
    "tag:yaml.org,2002:null": (r"~|null|Null|NULL|", "~nN\0"),
}
_NULL = "tag:yaml.org,2002:null"
# spaces that look like a space or like nothing, as text programs write them
_ODD_SPACE = re.compile("[\u00a0\u2000-\u200d\u202f\u205f\u2060\u3000\ufeff]")
_ORDINARY = "a no-break space or another odd one: write ordinary spaces"
_VALUE = "write a value, in a number with a point and no comma, or leave the key out"


class Keys(dict[Any, Any]):
    """A mapping that remembers in which line each of its keys is."""

    lines: dict[Any, int]


class _PlainLoader(yaml.SafeLoader):
    """Refuses a key that occurs twice too: YAML lets the last one win silently."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        repeated = {str(key) for key in keys if keys.count(key) > 1}
        if repeated:
            raise _wrong(node, f"the key '{sorted(repeated)[0]}' occurs twice")
        return super().construct_mapping(node, deep)

    def construct_keys(self, node: yaml.MappingNode) -> Iterator[Keys]:
        content = Keys()
        yield content
        content.update(self.construct_mapping(node))
        marks = {self.construct_object(key): key.start_mark for key, _ in node.value}
        content.lines = {key: mark.line + 1 for key, mark in marks.items()}


_PlainLoader.yaml_implicit_resolvers = {}  # none of YAML 1.1
_PlainLoader.add_constructor("tag:yaml.org,2002:map", _PlainLoader.construct_keys)
for _tag, (_pattern, _starts) in _PLAIN.items():
    _PlainLoader.add_implicit_resolver(
        _tag, re.compile(rf"(?:{_pattern})\Z"), [start.strip("\0") for start in _starts]
    )


def load_plain(text: str) -> Any:
    """Return what a file holds, its mappings as `Keys`.

    Raises
    ------
    yaml.YAMLError
        It is not YAML, a key occurs twice, a key or a value is empty, or has an odd space.
    """
    loader = _PlainLoader(text.removeprefix("\ufeff"))
    try:
        root = loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        raise _by_odd_space(text, error) from error
    if root is None:
        return None
    if not isinstance(root, yaml.ScalarNode):
        _require_spaces(root)
        _require_values(root)
    return loader.construct_document(root)


def _require_spaces(root: yaml.Node) -> None:
    """Refuse odd spaces where they change what is read."""
    for key, node in _places(root):
        if isinstance(node, yaml.MappingNode):
            for name, _ in node.value:
                if isinstance(name, yaml.ScalarNode) and _ODD_SPACE.search(name.value):
                    plain = _ODD_SPACE.sub(" ", name.value).strip()
                    raise _wrong(name, f"the key '{plain}' has {_ORDINARY}")
        elif isinstance(node, yaml.ScalarNode) and _is_odd(node):
            raise _wrong(node, f"the value of '{key}' has {_ORDINARY}")


def _require_values(root: yaml.Node) -> None:
    """Refuse what is empty, and keys that are no single word."""
    for key, node in _places(root):
        if isinstance(node, yaml.MappingNode):
            for name, _ in node.value:
                if not isinstance(name, yaml.ScalarNode) or name.tag == _NULL:
                    raise _wrong(name, "a key is empty, or is no single word")
        elif node.tag == _NULL:
            raise _wrong(node, f"'{key}' is empty: {_VALUE}")


def _places(root: yaml.Node) -> Iterator[tuple[str, yaml.Node]]:
    """Give each node with the keys that lead to it, joined by dots; an alias is given once."""
    waiting, given = [("", root)], set()
    while waiting:
        key, node = waiting.pop(0)
        if id(node) in given:
            continue
        given.add(id(node))
        yield key, node
        if isinstance(node, yaml.MappingNode):
            waiting += [(f"{key}.{name.value}".strip("."), value) for name, value in node.value]
        elif isinstance(node, yaml.SequenceNode):
            waiting += [(key, value) for value in node.value]


def _is_odd(node: yaml.ScalarNode) -> bool:
    """Tell of an odd space in a bare value, or at an end of a quoted one; inside, it is meant."""
    inside = node.value.strip(" ") if node.style is None else node.value[:1] + node.value[-1:]
    return bool(_ODD_SPACE.search(inside))


def _by_odd_space(text: str, error: yaml.MarkedYAMLError) -> yaml.MarkedYAMLError:
    """Blame an odd space if one is in the line where reading ended, or above it."""
    last = error.problem_mark.line + 1 if error.problem_mark else 0
    for number, line in enumerate(text.splitlines()[:last]):
        if _ODD_SPACE.search(line):
            mark = yaml.Mark("", 0, number, 0, None, 0)
            return yaml.constructor.ConstructorError(None, None, f"it has {_ORDINARY}", mark)
    return error


def _wrong(node: yaml.Node, problem: str) -> yaml.constructor.ConstructorError:
    return yaml.constructor.ConstructorError(None, None, problem, node.start_mark)
