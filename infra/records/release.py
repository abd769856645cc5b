"""What a person answered to a verdict, and what went live: the pointers and what they hand on."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal, Self

from pydantic import model_validator

from infra.records.gates import Approval, ThresholdsFile, VerdictRecord
from infra.rules import Rules

Answered = Literal["waiting", "approved", "rejected"]


class LearntFrom(Rules):
    """The data behind a version: events from `start` to `as_of`, judged on those from `cut` on."""

    start: str
    cut: str
    as_of: str
    batches: tuple[str, ...]


class Withdrawn(Rules):
    """A version that a person rolled back from; `arrays_sha256` knows it under any other name."""

    version: str
    arrays_sha256: str


class ApprovalRecord(Rules):
    """What a person was asked about a `review` verdict, and the answer.

    `manifest_sha256` names the bundle that was asked about: the answer counts for no other.
    `form_sha256` names what the form showed.
    `by` is None while nobody answered, and for good if the time was over. `thresholds` are those
    of the verdict.
    """

    run: str
    candidate: str
    manifest_sha256: str
    form_sha256: str = ""
    asked: tuple[str, ...]
    asked_at: datetime
    thresholds: ThresholdsFile | None = None
    answer: Answered = "waiting"
    by: str | None = None
    at: datetime | None = None
    why: str = ""

    @model_validator(mode="after")
    def _who_when_and_why(self) -> Self:
        if self.answer == "approved" and not (self.by and self.at and self.why.strip()):
            raise ValueError("an approval names who gave it, when and why")
        return self

    def answer_to(self, verdict: VerdictRecord) -> Answered:
        """Return the answer; an approval is void if the run was judged again after the question."""
        void = self.answer == "approved" and self.asked_at < verdict.at
        return "waiting" if void else self.answer

    def counts(self) -> dict[str, Any]:
        """Return what Airflow shows of it."""
        return {"answer": self.answer, "by": self.by, "manifest_sha256": self.manifest_sha256}


class PublishRecord(Rules):
    """What went live; `number` is that of the pointer, `previous` what was live until then.

    `thresholds` judged it, `decided` is the person who let it go live, None where they alone did.
    Of a roll-back, `run` and what follows from it are those of the version, `asked_in` is the run
    that rolled back.
    Every pointer hands on to the next what may not go live again without a person, `withdrawn`,
    and which runs have rolled back so far, `roll_backs`.
    """

    run: str
    at: datetime
    number: int
    version: str
    manifest_sha256: str
    candidate: str
    previous: str | None = None
    action: Literal["release", "roll_back"] = "release"
    arrays_sha256: str = ""
    data: LearntFrom | None = None
    thresholds: ThresholdsFile | None = None
    decided: Approval | None = None
    asked_in: str = ""
    withdrawn: tuple[Withdrawn, ...] = ()
    roll_backs: tuple[str, ...] = ()

    def counts(self) -> dict[str, Any]:
        """Return what Airflow shows of it."""
        return {"number": self.number, "version": self.version, "candidate": self.candidate}
