"""What an id is: one table of nasty ids, which Spark's rule is held to as well."""

from __future__ import annotations

import pytest

from infra.ids import LONGEST_ID, IdForm, clean_id, is_nobody
from tests.infra.nasty_ids import NASTY, PLAIN


@pytest.mark.parametrize(("text", "cleaned"), [*NASTY.items(), *((each, each) for each in PLAIN)])
def test_an_id_is_cleaned_or_refused(text: str, cleaned: str | None) -> None:
    assert clean_id(text) == cleaned
    assert cleaned is None or clean_id(cleaned) == cleaned, "what is clean stays as it is"


@pytest.mark.parametrize(
    ("text", "form", "cleaned"),
    [
        *((text, "number", "5863") for text in ("5863", "5863.0", " 5863.000\n")),
        *((text, "number", None) for text in ("A-1", "5863.5", "5,8E+12", "5863.0.0", "58 63")),
        ("007", "number", "007"),
        ("", "number", ""),
        *((text, "text", text) for text in ("4,00638E+12", "5863.0", "A-1")),
        *((text, "plain", "4E-12") for text in ("4E-12", " 4E-12")),  # a size, no rounded number
        ("A\0", "text", None),
    ],
)
def test_a_source_says_what_its_ids_are(text: str, form: IdForm, cleaned: str | None) -> None:
    assert clean_id(text, form) == cleaned


def test_half_a_character_is_no_id() -> None:
    assert clean_id("A\ud800") is None


def test_nobody_has_many_names() -> None:
    names = ["NULL", "undefined", "None", "NaN", "0", "00000000-0000-0000-0000-000000000000"]
    assert all(map(is_nobody, names)) and not is_nobody("anna") and LONGEST_ID == 256
