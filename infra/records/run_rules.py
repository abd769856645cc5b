"""The record of the rules of a run: the files that people edit, as they were when it began."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Self

from pydantic import Field, model_validator

from infra.rules import Strict


class KeptFile(Strict):
    """A file as it was: where it came from, and its bytes as text with their sha256."""

    origin: str
    sha256: str
    text: str

    @classmethod
    def of(cls, content: bytes, origin: str) -> Self:
        """Keep the bytes of a file; raise `UnicodeDecodeError` if they are not UTF-8."""
        digest = hashlib.sha256(content).hexdigest()
        return cls(origin=origin, sha256=digest, text=content.decode("utf-8"))

    @model_validator(mode="after")
    def _unchanged(self) -> Self:
        if hashlib.sha256(self.content).hexdigest() != self.sha256:
            raise ValueError(f"the text of {self.origin} is not the one that its sha256 names")
        return self

    @property
    def content(self) -> bytes:
        """The bytes of the file."""
        return self.text.encode("utf-8")


class AnchorPlan(Strict):
    """The recipe of an earlier version, which the candidates of a run are held against.

    `scored_as` is `anchor`, or the candidate that has the same recipe; empty where it cannot be
    made, and `missing` says why.
    """

    version: str
    live_at: datetime
    candidate: str
    class_path: str = ""
    parameters: dict[str, str | int | float | bool | None] = Field(default_factory=dict)
    scored_as: str = ""
    missing: str = ""


class RunRules(Strict):
    """The rules that every task of a run obeys; `anchor` is None before the first release."""

    run: str
    at: datetime
    candidates: KeptFile
    release: KeptFile
    placements: KeptFile
    anchor: AnchorPlan | None = None

    @property
    def files(self) -> dict[str, KeptFile]:
        """All of them, by the names of the fields."""
        return {name: value for name, value in self if isinstance(value, KeptFile)}
