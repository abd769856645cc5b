"""The data dictionary says what `infra/schemas.py` says, and every column says what it is."""

from __future__ import annotations

import doctest

import pytest

from infra import markdown
from infra.dictionary_page import dictionary_page
from infra.schemas import EVENTS, TABLES, Table
from tests.conftest import REPOSITORY


def test_the_data_dictionary_is_true() -> None:
    page = (REPOSITORY / "docs/reference/data_dictionary.md").read_text(encoding="utf-8")
    assert page.endswith(f"\n{dictionary_page()}\n")


@pytest.mark.parametrize("table", TABLES, ids=lambda table: str(table.name))
def test_every_column_says_what_it_is_and_every_table_what_a_row_is(table: Table) -> None:
    described = table.described
    assert tuple(column.name for column in described) == table.columns
    assert {column.name: column.kind for column in described} == table.kinds
    assert tuple(column.name for column in described if not column.nullable) == table.required
    assert [column.name for column in described if not column.about] == []
    assert table.grain.startswith("One row per ")
    assert f"`lake/{table.name}/{table.partition}`" in dictionary_page()


def test_a_comment_with_a_comma_stays_whole() -> None:
    assert EVENTS.described[0].about == "unique within its source, for at least seven days"


def test_the_example_of_a_markdown_table_is_true() -> None:
    tried = doctest.testmod(markdown)
    assert tried.attempted and not tried.failed
