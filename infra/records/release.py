"""Records of a release: the verdict, the answer of a person, the refit, and what went live."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from infra.rules import Strict

Outcome = Literal["release", "review", "reject"]
Answered = Literal["waiting", "approved", "rejected", "replaced"]
_GIT = {"commit", "author", "thresholds_commit", "thresholds_author"}


def _without_git(content: Any) -> Any:
    """Leave out who last changed the thresholds: only records of an earlier Catwalk say that."""
    if not isinstance(content, dict):
        return content
    return {name: value for name, value in content.items() if name not in _GIT}


class Approval(Strict):
    """A person's decision to go on although a rule said no."""

    by: str
    at: datetime
    why: str


class Judgement(Strict):
    """One threshold of models/release.yaml and how the candidate met it.

    `limit` is for people; `bound` is the same as a number on the metric's own scale, for charts.
    `slice` names the part of the users or items that was judged; empty means all. `outcome` is
    what this threshold alone would decide; the verdict has the worst of all.
    """

    metric: str
    value: float | None
    limit: str
    bound: float | None = None
    slice: str = ""
    result: Literal["met", "missed", "cannot tell", "not judged"]
    outcome: Outcome
    reason: str
    why: str

    @property
    def passed(self) -> bool:
        """Tell whether this threshold alone would let the model go live without a person."""
        return self.outcome == "release"


class CandidateVerdict(Strict):
    """How one candidate of a run was judged by itself.

    `outcome` follows from `judgements` alone, without the doubts that concern the whole run;
    `reason` is the one sentence that decided. `quality` is its value of the metric that chooses
    among candidates, None where it has none.
    """

    name: str
    outcome: Outcome
    reason: str
    judgements: tuple[Judgement, ...]
    model_sha256: str = ""
    quality: float | None = None


class ThresholdsFile(Strict):
    """The thresholds that judged, by the hash of their bytes; the run's verdict has the text."""

    sha256: str

    @model_validator(mode="before")
    @classmethod
    def _of_earlier_records(cls, content: Any) -> Any:
        return _without_git(content)

    def facts(self) -> dict[str, str]:
        """Return them as the decision log names them."""
        return {"thresholds_sha256": self.sha256}


class VerdictRecord(Strict):
    """The release decision, bound to what was judged.

    `model_sha256` names the judged bytes, `champion` the live version they were compared with.
    `thresholds_text` is what the file of thresholds said, empty in records of an earlier Catwalk.
    `columns` are the columns of the tables the models learnt from. `candidate`, `outcome`,
    `judgements` and `model_sha256` are those of the model that goes on. `candidates` holds all that
    could be released, the highest quality first, and `best` names the one the run was judged by:
    another one goes on where the best waits for a person. `doubts` are the judgements about the run
    as a whole, whichever candidate goes on; `judgements` has them too. `chosen` is the person who
    chose another candidate than the verdict asked about; `notes` are sentences for a reader. Older
    records have none of the five.
    """

    run: str
    at: datetime
    outcome: Outcome
    candidate: str
    thresholds_sha256: str
    thresholds_text: str = ""
    batches: tuple[str, ...]
    judgements: tuple[Judgement, ...]
    model_sha256: str = ""
    champion: str | None = None
    columns: tuple[str, ...] = ()
    candidates: tuple[CandidateVerdict, ...] = ()
    doubts: tuple[Judgement, ...] = ()
    notes: tuple[str, ...] = ()
    best: str = ""
    chosen: Approval | None = None

    @model_validator(mode="before")
    @classmethod
    def _of_earlier_records(cls, content: Any) -> Any:
        return _without_git(content)

    @property
    def choices(self) -> tuple[CandidateVerdict, ...]:
        """The other candidates that a person who is asked may choose: all their limits are met."""
        if self.outcome != "review" or self.chosen is not None:
            return ()
        others = (each for each in self.candidates if each.name != self.candidate)
        return tuple(candidate for candidate in others if candidate.outcome == "release")

    @property
    def waiting(self) -> tuple[CandidateVerdict, ...]:
        """The best candidate, if it waits for a person while another goes live; else nothing."""
        if self.outcome != "release" or self.chosen is not None:
            return ()
        best = (each for each in self.candidates if each.name == self.best != self.candidate)
        return tuple(candidate for candidate in best if candidate.outcome == "review")

    @property
    def thresholds(self) -> ThresholdsFile:
        """The thresholds that judged."""
        return ThresholdsFile(sha256=self.thresholds_sha256)

    def counts(self) -> dict[str, Any]:
        """Return what Airflow shows of it."""
        results = [judgement.result for judgement in self.judgements]
        counted = {"missed": results.count("missed"), "cannot_tell": results.count("cannot tell")}
        return {"outcome": self.outcome, "candidate": self.candidate, **counted}


class ApprovalRecord(Strict):
    """What a person was asked about a `review` verdict, and the answer.

    `manifest_sha256` names the bundle that was asked about: the answer counts for no other.
    `form_sha256` names what the form showed. `by` is None while nobody has answered, and stays None
    if nobody did in time. `thresholds` are the verdict's. `asked_in` is the id that Airflow has for
    the run that asks; `replaced_by` is the run by whose question, choice or release this question
    ended without an answer.
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
    asked_in: str = ""
    replaced_by: str = ""

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


class RefitRecord(Strict):
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


class ServingRecord(Strict):
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


class LearntFrom(Strict):
    """The data behind a version: events from `start` to `as_of`, judged on those from `cut` on."""

    start: str
    cut: str
    as_of: str
    batches: tuple[str, ...]


class Withdrawn(Strict):
    """A version that a person rolled back from; `arrays_sha256` knows it under any other name."""

    version: str
    arrays_sha256: str


class LiveRecipe(Strict):
    """How the judged model of a version was made: enough to train the like of it again."""

    class_path: str
    parameters: dict[str, str | int | float | bool | None]


class PublishRecord(Strict):
    """What went live: the pointer's `number`, and the version live until then, `previous`.

    `thresholds` judged it, `decided` is the person who let it go live, None where they alone did.
    In a roll-back, `run` and what follows from it are the version's own, and `asked_in` is the run
    that rolled back. Every pointer repeats for the next which versions may not go live again
    without a person, `withdrawn`, and which runs have rolled back so far, `roll_backs`. `recipe`
    outlives the files of the version; earlier pointers have none. `ab_test` shipped its treatment.
    """

    run: str
    at: datetime
    number: int
    version: str
    manifest_sha256: str
    candidate: str
    previous: str | None = None
    action: Literal["release", "roll_back", "ship"] = "release"
    arrays_sha256: str = ""
    data: LearntFrom | None = None
    recipe: LiveRecipe | None = None
    thresholds: ThresholdsFile | None = None
    decided: Approval | None = None
    asked_in: str = ""
    ab_test: str = ""
    withdrawn: tuple[Withdrawn, ...] = ()
    roll_backs: tuple[str, ...] = ()

    @property
    def is_release(self) -> bool:
        """Whether it went forward: released, or shipped."""
        return self.action != "roll_back"

    def counts(self) -> dict[str, Any]:
        """Return what Airflow shows of it."""
        return {"number": self.number, "version": self.version, "candidate": self.candidate}
