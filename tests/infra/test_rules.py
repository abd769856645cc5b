"""Rules files: an error names the file, the line and what is wrong, in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.errors import SettingsError, StorageError
from infra.rules import Strict, load_mapping, load_rules, parse_json, parse_rules


class Limits(Strict):
    """A file of one key."""

    least: int


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"least: 1\nmost: [1,\n  2\n", r"line 4: expected ',' or '\]', but got .*"),
        (b"least: 1\n\tmost: 2\n", r"line 2: found character '\\t' that cannot start any token"),
        (b"least: 1\nleast: 2\n", r"line 1: the key 'least' occurs twice"),
        (b"least: !!python/object:os.system 1\n", r"line 1: could not determine a constructor .*"),
        (b"least: \x01\n", r"cannot be read as YAML: unacceptable character .*"),
        (b"least: \xff\n", r"cannot be read as YAML: 'utf-8' codec can't decode .*"),
    ],
)
def test_what_is_no_yaml_is_told_in_one_line(content: bytes, says: str, tmp_path: Path) -> None:
    file = tmp_path / "limits.yaml"
    file.write_bytes(content)
    with pytest.raises(SettingsError) as told:
        load_rules(file, Limits)
    assert "\n" not in str(told.value)
    with pytest.raises(SettingsError, match=rf"^{file} {says}\. Correct it\.$"):
        load_rules(file, Limits)


class Limit(Strict):
    """A number, one that may be missing, and a switch."""

    least: float
    most: int | None = None
    on: bool = False
    either: bool | int = 0


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"b: {least: 1}\na:\n  least: no\n", r"key 'least': .*valid number.* \(line 3: no\)"),
        (b"a:\n  least: true\n", r"key 'least': .*true is no number \(line 2: True\)"),
        (b"a: {least: 1,\n  most: false}\n", r"key 'most': .*false is no number \(line 2: False\)"),
        (b"a:\n  least: 1\n  mots: 3\n", r"unknown key 'mots', did you mean most\? \(line 3: 3\)"),
        (b"a:\n  most: 3\n", r"key 'least' is missing"),
        (b"a: 3\n", r"key 'the file': .*"),
        (b"a:\n  least: [1]\n", r"key 'least': .* \(line 2\)"),
        (b"a:\n  least: " + b"9x" * 30, r"key 'least': .* \(line 2\)"),
    ],
)
def test_a_wrong_value_is_told_with_its_line_and_if_short_itself(
    content: bytes, says: str, tmp_path: Path
) -> None:
    file = tmp_path / "limits.yaml"
    file.write_bytes(content)
    whole = rf"^{file}, '[ab]': {says}\. Correct it and run again\.$"
    with pytest.raises(SettingsError, match=whole):
        load_mapping(file, Limit)


def test_true_is_a_value_of_a_switch_also_of_one_that_may_be_a_number() -> None:
    content = {"least": 1, "on": True, "either": True}
    assert parse_rules(content, Limit, "x") == Limit(least=1, on=True, either=True)
    assert isinstance(parse_rules(content, Limit, "x").either, bool)


def test_a_record_repeats_no_value() -> None:
    with pytest.raises(StorageError, match="key 'least'") as told:
        parse_json(b'{"least": "secret"}', Limit, "The record x", "Cure.")
    assert "secret" not in str(told.value)
