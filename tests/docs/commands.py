"""Finds every command that the README, CONTRIBUTING and the docs print."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass

from tests.conftest import REPOSITORY

PAGES = [*sorted(REPOSITORY.glob("*.md")), *sorted((REPOSITORY / "docs").rglob("*.md"))]
# What begins like one of these is something to type, in a fence or in a sentence.
TYPED = re.compile(
    r"(?:[A-Z_]+=\S+ )*(?:make [a-z]|\.venv/bin/|\.ci/run|python3? -[cm] \S|git |iconv |apt-get )"
)
FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
SHELL = "sh"


@dataclass(frozen=True)
class Fence:
    """A fenced block: the language it says it is in, and its text without the indent."""

    page: str
    language: str
    text: str


def fences() -> list[Fence]:
    """Return every fenced block of every page."""
    return [
        Fence(str(page.relative_to(REPOSITORY)), language, textwrap.dedent(text))
        for page in PAGES
        for _, language, text in FENCE.findall(page.read_text(encoding="utf-8"))
    ]


def commands() -> list[str]:
    """Return every command once, in the order of the pages."""
    return list(dict.fromkeys([*_fenced(), *_in_sentences()]))


def _fenced() -> Iterator[str]:
    for fence in fences():
        if fence.language == SHELL:
            yield from split(fence.text)


def _in_sentences() -> Iterator[str]:
    for page in PAGES:
        text = FENCE.sub("", page.read_text(encoding="utf-8"))
        yield from (code for code in CODE.findall(text) if TYPED.match(code))


def split(text: str) -> Iterator[str]:
    r"""Split a block into commands: one a line, longer where a quote or a backslash is open.

    >>> list(split("make demo    # minutes\nsay '''two\nlines'''\n"))
    ['make demo', "say '''two\nlines'''"]
    """
    command = ""
    for line in text.splitlines():
        command = f"{command}\n{line}" if command else line
        if _is_open(command):
            continue
        command = re.sub(r"\s+# .*$", "", command) if "\n" not in command else command
        if command.strip() and not command.startswith("#"):
            yield command.strip()
        command = ""
    if command:
        yield command


def _is_open(command: str) -> bool:
    """Tell whether the shell would wait for more: a quote or a backslash at the end is open."""
    quote, letters = "", iter(command)
    for letter in letters:
        if letter == "\\" and quote != "'":
            next(letters, "")
        elif letter == quote:
            quote = ""
        elif not quote and letter in "\"'":
            quote = letter
    return bool(quote) or command.endswith("\\")


def blocks(page: str) -> list[str]:
    """Return the texts of a how-to page's blocks that are put into files."""
    return [
        fence.text
        for fence in fences()
        if fence.page == f"docs/how-to/{page}"
        and fence.language in {"csv", "json", "python", "text", "yaml"}
    ]
