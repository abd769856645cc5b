"""Every link of a page leads somewhere."""

from __future__ import annotations

import re
from pathlib import Path

from tests.house import REPOSITORY, broken

PAGES = [*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").rglob("*.md")]


def test_every_link_of_a_page_leads_somewhere() -> None:
    assert broken(PAGES, lost_links) == {}


def lost_links(page: Path) -> list[str]:
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8"))
    inside = [link for link in links if "://" not in link]
    return [link for link in inside if not (page.parent / link).exists()]
