"""Describes a table of the lake: its name, its columns as DDL text, what one row is."""

from __future__ import annotations

import re
from dataclasses import dataclass

_COLUMN = re.compile(r"(\w+) (\S+?)( NOT NULL)?(?: COMMENT '(.*)')?,?")


@dataclass(frozen=True)
class Column:
    """One column: its name, its Spark type, whether it may be null, its unit and meaning."""

    name: str
    kind: str
    nullable: bool
    about: str


KEYS = ("user_key", "visitor_key")  # of a person; an event has at least one
ADDRESSES = ("url", "picture_url")  # of the shop's own pages


@dataclass(frozen=True)
class Table:
    """One table of the lake.

    Attributes
    ----------
    name : str
        The name its job, its gate and its tests share.
    ddl : str
        Spark DDL; Parquet forgets NOT NULL, so `required` is checked by readers.
    grain : str
        What one row is, in words.
    partition : str
        How its folders in the lake are called: by the batch that was ingested, or by the run.
    added : tuple of str
        Columns that came later: files of earlier versions lack them, and they read as null there.
    """

    name: str
    ddl: str
    grain: str = ""
    partition: str = "run=R"
    added: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """Names in order."""
        return tuple(line.split()[0] for line in self._lines())

    @property
    def required(self) -> tuple[str, ...]:
        """Names of the columns that are never null."""
        return tuple(line.split()[0] for line in self._lines() if "NOT NULL" in line)

    @property
    def kinds(self) -> dict[str, str]:
        """Type of each column, by name."""
        pairs = (line.split()[:2] for line in self._lines())
        return {words[0]: words[1] for words in pairs}

    @property
    def texts(self) -> tuple[str, ...]:
        """Names of the text columns that may be null: words to read, no ids, keys or addresses."""
        texts = (name for name, kind in self.kinds.items() if kind == "STRING")
        return tuple(name for name in texts if name not in (*self.required, *KEYS, *ADDRESSES))

    @property
    def described(self) -> tuple[Column, ...]:
        """Every column in order, with what its comment says."""
        matches = (_COLUMN.fullmatch(line) for line in self._lines())
        return tuple(
            Column(match[1], match[2], nullable=not match[3], about=match[4] or "")
            for match in matches
            if match
        )

    def _lines(self) -> list[str]:
        return [line.strip() for line in self.ddl.strip().splitlines()]
