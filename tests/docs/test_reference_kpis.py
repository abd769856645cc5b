"""The page of the numbers names every column of the marts, in the section of its table."""

from __future__ import annotations

import re

import pytest

from infra.mart_schemas import MARTS
from infra.table import Table
from tests.conftest import REPOSITORY

PAGE = (REPOSITORY / "docs/reference/kpis.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (.*)\n((?:(?!^## ).*\n?)*)", PAGE, re.MULTILINE))


def section_of(table: Table) -> str:
    (found,) = [text for title, text in SECTIONS.items() if table.name in title.split(", ")]
    return found


@pytest.mark.parametrize("table", MARTS, ids=lambda table: str(table.name))
def test_every_column_is_explained_where_its_table_is(table: Table) -> None:
    section = section_of(table)
    assert [name for name in table.columns if f"`{name}`" not in section] == []


def test_no_column_is_explained_that_does_not_exist() -> None:
    rows = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \|", "".join(map(section_of, MARTS)), re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert named and named <= {name for table in MARTS for name in table.columns}
