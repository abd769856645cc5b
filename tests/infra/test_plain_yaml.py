"""A small YAML without guesses: what is read of each spelling, and what is refused."""

from __future__ import annotations

import math
import re
from typing import Any

import pytest
import yaml

from infra.plain_yaml import Keys, load_plain

READ = {
    "a: no": "no",
    "a: Yes": "Yes",
    "a: on": "on",
    "a: y": "y",
    "a: true": True,
    "a: FALSE": False,
    "a: 10": 10,
    "a: -3": -3,
    "a: 0": 0,
    "a: 010": "010",
    "a: 0x10": "0x10",
    "a: 1_000": "1_000",
    "a: 1:30": "1:30",
    "a: 190:20:30": "190:20:30",
    "a: 0.5": 0.5,
    "a: .5": 0.5,
    "a: 1e-2": 0.01,
    "a: 1E3": 1000.0,
    "a: -.inf": -math.inf,
    "a: 2026-11-28": "2026-11-28",
    "a: 2026-11-28T10:00:00Z": "2026-11-28T10:00:00Z",
    "a: 5%": "5%",
    "a: '10'": "10",
    "a: 'null'": "null",
    "a: ''": "",
    "a: =": "=",
    "\ufeffa: 1": 1,
    "a: '5\u00a0%'": "5\u00a0%",
}
REFUSED = {
    "a:": "line 1: 'a' is empty",
    "b: 1\na: ~": "line 2: 'a' is empty",
    "a: {b: [1, ]}\nc: {d: }": r"line 2: 'c\.d' is empty",
    "a:\n  - 1\n  -": "line 3: 'a' is empty",
    "a: 1\n? \n: 2": "line 2: a key is empty",
    "? [a]\n: 2": "line 1: a key is empty, or is no single word",
    "b: 1\n\u00a0a: 2": "line 2: the key 'a' has a no-break space",
    "a:\n\u00a0\u00a0b: 1": "line 2: the key 'b' has a no-break space",
    "a:\u00a01\nb: 2": "line 1: it has a no-break space",
    "a: 1\u00a0": "line 1: the value of 'a' has a no-break space",
    "a: '\u200bx'": "line 1: the value of 'a' has a no-break space",
    "a: [1, 2\u202f]": "line 1: the value of 'a' has a no-break space",
    "a: {b: 1}\na: 2": "the key 'a' occurs twice",
    "a: {b: 1, b: 2}": "the key 'b' occurs twice",
}


@pytest.mark.parametrize("text", READ, ids=ascii)
def test_what_is_read(text: str) -> None:
    value = load_plain(text)["a"]
    assert value == READ[text] and type(value) is type(READ[text])


@pytest.mark.parametrize("text", REFUSED, ids=ascii)
def test_what_is_refused_by_line_and_name(text: str) -> None:
    with pytest.raises(yaml.MarkedYAMLError) as told:
        load_plain(text)
    mark = told.value.problem_mark
    assert mark is not None
    said = f"line {mark.line + 1}: {told.value.problem}"
    assert re.search(REFUSED[text], said), said


def test_a_word_that_looks_like_a_switch_is_a_key_like_any_other() -> None:
    assert load_plain("no: 1\non: {off: 2}\n010: 3") == {"no": 1, "on": {"off": 2}, "010": 3}


def test_an_anchor_that_holds_itself_ends() -> None:
    content: Any = load_plain("a: &here [1, *here]")
    assert content["a"][0] == 1


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n"])
def test_nothing_is_none(text: str) -> None:
    assert load_plain(text) is None


def test_mappings_know_the_lines_of_their_keys() -> None:
    content = load_plain("# words\na: 1\nb:\n  c: 2\n  d: {e: 3,\n    f: 4}\n")
    assert isinstance(content, Keys) and content.lines == {"a": 2, "b": 3}
    assert content["b"].lines == {"c": 4, "d": 5}
    assert content["b"]["d"].lines == {"e": 5, "f": 6}
