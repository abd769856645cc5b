"""What a server knew last, on its own disk, so that it starts also while the storage is away."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec

from infra.errors import StorageError
from infra.ledger.ab_tests import TestState
from infra.records.ab_tests import AbTest, PhaseChange
from infra.records.release import PublishRecord
from infra.records.serving import Override, Token
from infra.rules import Strict, parse_json

_CURE = "Delete it: it is made anew once the published folder answers."
Kept = TypeVar("Kept", bound=Strict)


class KeptTokens(Strict):
    """Who might ask."""

    tokens: tuple[Token, ...] = ()


class KeptOverrides(Strict):
    """What curators wanted."""

    overrides: tuple[Override, ...] = ()


class KeptTests(Strict):
    """Which A/B tests ran: as they were planned, and each change of phase."""

    tests: tuple[AbTest, ...] = ()
    changes: tuple[PhaseChange, ...] = ()


class Remembered:
    """The files of one folder; workers of one machine share it, and write the same.

    Reading gives nothing where a file is missing or damaged; writing raises `OSError`.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def live(self) -> PublishRecord | None:
        """Return what was live."""
        return self._read("live.json", PublishRecord)

    def keep_live(self, record: PublishRecord) -> None:
        """Keep what is live."""
        self._write("live.json", record.model_dump_json().encode())

    def tokens(self) -> tuple[Token, ...]:
        """Return who might ask."""
        kept = self._read("tokens.json", KeptTokens)
        return kept.tokens if kept else ()

    def keep_tokens(self, tokens: tuple[Token, ...]) -> None:
        """Keep who may ask, by hashes."""
        self._write("tokens.json", KeptTokens(tokens=tokens).model_dump_json().encode())

    def overrides(self) -> tuple[Override, ...] | None:
        """Return what curators wanted; None if nobody knows."""
        kept = self._read("overrides.json", KeptOverrides)
        return kept.overrides if kept else None

    def keep_overrides(self, overrides: tuple[Override, ...]) -> None:
        """Keep what curators want."""
        self._write("overrides.json", KeptOverrides(overrides=overrides).model_dump_json().encode())

    def ab_tests(self) -> tuple[TestState, ...]:
        """Return the A/B tests that ran."""
        kept = self._read("ab_tests.json", KeptTests) or KeptTests()
        return tuple(
            TestState(test, tuple(each for each in kept.changes if each.changes == test.number))
            for test in kept.tests
        )

    def keep_ab_tests(self, tests: Sequence[TestState]) -> None:
        """Keep the A/B tests that run."""
        changes = tuple(change for test in tests for change in test.changes)
        kept = KeptTests(tests=tuple(test.test for test in tests), changes=changes)
        self._write("ab_tests.json", kept.model_dump_json().encode())

    def in_stock(self) -> dict[str, bool] | None:
        """Return the stock; None if nobody knows."""
        try:
            content = (self._folder / "stock.json").read_bytes()
            return msgspec.json.decode(content, type=dict[str, bool])
        except (OSError, msgspec.DecodeError):
            return None

    def keep_stock(self, in_stock: Mapping[str, bool]) -> None:
        """Keep the stock; by msgspec, since it may be large."""
        self._write("stock.json", msgspec.json.encode(dict(in_stock)))

    def _read(self, name: str, kind: type[Kept]) -> Kept | None:
        try:
            return parse_json((self._folder / name).read_bytes(), kind, name, _CURE)
        except (OSError, StorageError):
            return None

    def _write(self, name: str, content: bytes) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        aside = self._folder / f".{name}.{os.getpid()}"
        aside.write_bytes(content)
        aside.replace(self._folder / name)
