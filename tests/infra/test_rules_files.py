"""Every file that people edit: what is written is what is meant, or file, key and line are named.

Each value of each real file is replaced by what people write by mistake or by habit, and the file
is read by its own reader.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from expectations import event_measures, interactions, items, marts, recommendations, steps
from expectations.checking.suite import load_limits
from infra.errors import SettingsError
from infra.ledger.run_rules import CANDIDATES, RELEASE
from infra.placements import load_placements
from infra.rules import load_rules, read_rules
from infra.shop import historic_shops
from jobs import weights
from jobs.landing import sources
from models.bundle.refit_winner import REFIT, RefitLimits
from models.candidates import load_candidates, make
from models.release.thresholds import parse_thresholds
from tests.conftest import REPOSITORY, shop_at

Read = Callable[[Path], Any]


def read_candidates(file: Path) -> Any:
    """Read and make them, as `keep_rules` does: their parameters are known to their classes."""
    with pytest.MonkeyPatch.context() as patch:
        settings = shop_at(file.parent / "shop", patch).settings
    return [make(candidate, settings) for candidate in load_candidates(file, every=True)]


def read_release(file: Path) -> Any:
    return parse_thresholds(read_rules(file), str(file))


def read_refit(file: Path) -> Any:
    return load_rules(file, RefitLimits)


READERS: Mapping[Path, Read] = {
    CANDIDATES: read_candidates,
    RELEASE: read_release,
    REPOSITORY / "models/placements.yaml": load_placements,
    REPOSITORY / "models/placements_buy_again.yaml": load_placements,
    REFIT: read_refit,
    weights.WEIGHTS: weights.load_weights,
    sources.FILE: partial(sources.load_sources, ("shop", "online_retail")),
    historic_shops.FILE: historic_shops.load_demo_shops,
    **{
        REPOSITORY / f"expectations/{gate}.yaml": partial(load_limits, measures=measures)
        for gate, measures in {
            "events": event_measures.MEASURES,
            "items": items.MEASURES,
            "interactions": interactions.MEASURES,
            "recommendations": recommendations.MEASURES,
            "steps": steps.MEASURES,
            "marts": marts.MEASURES,
        }.items()
    },
}


@dataclass(frozen=True)
class Value:
    """One value of a file, by its place in the text."""

    file: Path
    key: str
    text: str
    start: int
    end: int
    line: int

    def __str__(self) -> str:
        return f"{self.file.stem}:{self.key}"

    def replaced(self, by: str, folder: Path) -> Path:
        """Write the file with another text in this place."""
        text = self.file.read_text(encoding="utf-8")
        copy = folder / self.file.name
        copy.write_text(text[: self.start] + by + text[self.end :], encoding="utf-8")
        return copy


def values(file: Path) -> Iterator[Value]:
    """Give all values of a file but those in lists."""
    root = yaml.compose(file.read_text(encoding="utf-8"), yaml.BaseLoader)
    assert isinstance(root, yaml.MappingNode)
    yield from _values(file, root, "")


def _values(file: Path, node: yaml.MappingNode, above: str) -> Iterator[Value]:
    for name, value in node.value:
        key = f"{above}.{name.value}".strip(".")
        if isinstance(value, yaml.MappingNode):
            yield from _values(file, value, key)
        elif isinstance(value, yaml.ScalarNode):
            start, end = value.start_mark, value.end_mark
            behind = len(end.buffer[: end.pointer]) - len(end.buffer[: end.pointer].rstrip())
            text = value.value if value.style is None else repr(value.value)
            yield Value(file, key, text, start.index, end.index - behind, start.line + 1)


def is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


VALUES = [value for file in READERS for value in values(file)]
NUMBERS = [value for value in VALUES if is_number(value.text)]
SWITCHES = [value for value in VALUES if value.text in {"true", "false"}]
WRONG = ("no", "true", "1:30")
ALSO_WRONG = ("yes", "on", "Off", "False", "0x10", "2026-11-28", "0,5", "1.000,00")
FEW = 3  # values of a file that are tried in every way; parsing takes its time


def test_every_file_that_people_edit_is_read_here() -> None:
    folders = ("dags", "expectations", "infra", "jobs", "models")
    files = {file for name in folders for file in (REPOSITORY / name).rglob("*.yaml")}
    files -= set((REPOSITORY / "infra/deployment").rglob("*.yaml"))  # those other programs read
    assert files == set(READERS)
    assert {value.file for value in NUMBERS} == set(READERS)
    assert len(SWITCHES) >= 3


@pytest.mark.parametrize("file", READERS, ids=lambda file: file.stem)
def test_the_file_as_it_is_can_be_read(file: Path) -> None:
    assert READERS[file](file)


@pytest.mark.parametrize("file", READERS, ids=lambda file: file.stem)
def test_what_is_no_number_is_refused_by_file_and_key(file: Path, tmp_path: Path) -> None:
    numbers = [value for value in NUMBERS if value.file == file]
    for number, value in enumerate(numbers):
        for wrong in WRONG if number >= FEW else WRONG + ALSO_WRONG:
            copy = value.replaced(wrong, tmp_path)
            with pytest.raises(SettingsError) as told:
                READERS[file](copy)
            assert file == CANDIDATES or file.name in told.value.fact, f"{value}: {wrong}"
            assert value.key.split(".")[-1] in told.value.fact, f"{value}: {wrong}"
    assert numbers


@pytest.mark.parametrize("file", READERS, ids=lambda file: file.stem)
def test_an_empty_value_is_refused_by_file_key_and_line(file: Path, tmp_path: Path) -> None:
    every = list(values(file))
    assert every
    for number, value in enumerate(every):
        for nothing in [""] if number >= FEW else ["", "~", "null"]:
            copy = value.replaced(nothing, tmp_path)
            with pytest.raises(SettingsError) as told:
                READERS[file](copy)
            assert f"{copy} line {value.line}: '{value.key}' is empty" in told.value.fact


@pytest.mark.parametrize("file", READERS, ids=lambda file: file.stem)
def test_an_odd_space_is_refused_by_name(file: Path, tmp_path: Path) -> None:
    """As a text program writes it: before the key, after the colon, or behind the value."""
    spaces = "\u00a0\u202f\u200b\ufeff"
    every = list(values(file))
    assert every
    for number, value in enumerate(every[:: 1 + len(every) // 12]):
        space = spaces[number % len(spaces)]
        text = value.file.read_text(encoding="utf-8")
        name = text.rindex(value.key.split(".")[-1], 0, value.start)
        for place in (name, value.start, value.end):
            copy = tmp_path / file.name
            copy.write_text(text[:place] + space + text[place:], encoding="utf-8")
            with pytest.raises(SettingsError, match=r"no-break space|occurs twice") as told:
                READERS[file](copy)
            assert str(copy) in told.value.fact


@pytest.mark.parametrize("file", READERS, ids=lambda file: file.stem)
def test_a_number_may_be_written_in_any_usual_way(file: Path, tmp_path: Path) -> None:
    """An integer as 3.0 or 3e0, any as +3, in quotes, or with a zero before it."""
    expected = repr(READERS[file](file))
    numbers = [value for value in NUMBERS if value.file == file]
    assert numbers
    for value in numbers:
        number = float(value.text)
        for text in (f"{number:.6f}", f"{number:.7e}", f"+{value.text}", f"0{value.text}"):
            copy = value.replaced(text, tmp_path)
            try:
                assert repr(READERS[file](copy)) == expected, f"{value}: {text}"
            except SettingsError as error:
                assert value.key.split(".")[-1] in error.fact, "refused, but never another number"


@pytest.mark.parametrize("file", READERS, ids=lambda file: file.stem)
def test_a_number_with_underscores_is_what_is_meant_or_refused(file: Path, tmp_path: Path) -> None:
    numbers = [value for value in NUMBERS if value.file == file]
    assert numbers
    for value in numbers[:FEW]:
        try:
            read = repr(READERS[file](value.replaced("1_000", tmp_path)))
        except SettingsError as error:
            assert value.key.split(".")[-1] in error.fact, f"{value}"
            continue
        assert read == repr(READERS[file](value.replaced("1000", tmp_path))), f"{value}"


@pytest.mark.parametrize("value", SWITCHES, ids=str)
def test_a_switch_is_true_or_false_and_nothing_else(value: Value, tmp_path: Path) -> None:
    expected = repr(READERS[value.file](value.file))
    assert repr(READERS[value.file](value.replaced(value.text.title(), tmp_path))) == expected
    for word in ("no", "off", "yes", "on", "0", "1", "0.0", "'false'"):
        with pytest.raises(SettingsError, match="write true or false") as told:
            READERS[value.file](value.replaced(word, tmp_path))
        assert re.search(rf"key '(\w+\.)?{value.key.split('.')[-1]}'", told.value.fact), word
        assert f"line {value.line}" in told.value.fact, word
