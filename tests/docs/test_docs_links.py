"""Headings that pages link to exist, and so do the files and modules that they name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.docs.commands import FENCE, PAGES

# What the how-to pages let their reader write; the test of the pages writes it.
WRITTEN_BY_THE_READER = {
    "models/recommenders/your_model.py",
    "expectations/history.py",
    "expectations/history.yaml",
    "dags/count_batches.py",
    "tests/dags/test_count_batches.py",
}
PACKAGES = "dags|jobs|expectations|models|infra|tests|docs"


def headings(page: Path) -> set[str]:
    """Return the anchors of a page, as GitHub makes them."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_every_heading_that_is_linked_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#\s:]*)#([^)\s]+)\)", text)
    gone = [
        f"{file}#{anchor}"
        for file, anchor in links
        if anchor not in headings((page.parent / file) if file else page)
    ]
    assert gone == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_every_file_that_is_named_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    files = set(re.findall(rf"`((?:{PACKAGES})/[\w./-]+\.(?:py|yaml|md|sh))`", text))
    modules = set(re.findall(rf"`(?:python -m )?((?:{PACKAGES})(?:\.\w+)+)`", text))
    places = {
        f"{name.replace('.', '/')}.py"
        for name in modules
        if not re.search(r"\.(yaml|py|md)$", name)
    }
    named = (files | places) - WRITTEN_BY_THE_READER
    assert sorted(name for name in named if not (REPOSITORY / name).exists()) == []
