"""Rules files: an error names the file, the line and what is wrong, in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.errors import SettingsError
from infra.rules import Strict, load_rules


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
