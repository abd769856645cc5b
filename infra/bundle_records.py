"""What the steps between a verdict and publishing write: the model of a bundle, and its answers."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field

from infra.rules import Rules


class RefitRecord(Rules):
    """The model that goes live, tied to the one that was judged; `folder` is its key in the lake.

    Without a refit both digests are the same, and nothing was compared. `parameters` are those it
    was fitted with, the epochs included that early stopping found for the judged one; `overlap` is
    the mean share of the first ten places that hold the same items.
    """

    run: str
    at: datetime
    candidate: str
    refitted: bool
    folder: str
    judged_sha256: str
    model_sha256: str
    parameters: dict[str, str | int | float | bool | None] = Field(default_factory=dict)
    interactions: int = 0
    users: int = 0
    overlap: float | None = None
    floor: float | None = None
    passed: bool
    reason: str
    why: str = ""

    def counts(self) -> dict[str, Any]:
        """Return what Airflow shows of it, and where its next steps find the model."""
        shown = {"candidate", "folder", "refitted", "overlap", "floor", "interactions"}
        return self.model_dump(include=shown)


class ServingRecord(Rules):
    """What a fresh process measured of a bundle; `manifest_sha256` says of which bytes.

    `agreement` is the mean share of the ready lists that fresh answers hold too.
    """

    run: str
    at: datetime
    manifest_sha256: str
    users: int
    k: int
    seconds_to_open: float
    seconds_per_answer: float
    agreement: float
    peak_memory_mb: float = 0.0

    def counts(self) -> dict[str, Any]:
        """Return what Airflow shows of it."""
        return self.model_dump(exclude={"run", "at", "manifest_sha256"})
