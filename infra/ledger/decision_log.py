"""The log of all decisions and who took them: numbered entries that are only ever added.

What went live and what was rolled back is recorded only in the pointers of the published folder,
so that a crash cannot separate a decision from its effect. An entry that is missing was deleted by
somebody, and readers say so; see `infra.stores.numbered`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from pydantic import AwareDatetime, Field

from infra.places import DECISION_LOG
from infra.records.gates import GATE
from infra.rules import Strict, parse_json
from infra.stores import numbered
from infra.stores.numbered import key, numbers
from infra.stores.object_store import ObjectStore

if TYPE_CHECKING:
    from infra.records.gates import BatchDecision
    from infra.records.release import ApprovalRecord, VerdictRecord

CURE = "Restore it from a backup of the reports."
THRESHOLDS = "models/release.yaml"
_LOOKED_AT = 100  # entries, newest first: a step that dies runs again within days
NO_MISS = "No threshold was missed"  # some may be within chance, or have nothing to compare with


class Decision(Strict):
    """One entry.

    Attributes
    ----------
    what : str
        Kind: the verdict on a run, a person's answer to a review, a person's choice of another
        candidate, a decision on a batch of events, or what became of an A/B test.
    about : str
        The run, the batch or the test.
    by : str
        A person, or the file whose rules decided.
    facts : dict of str to str
        What it is bound to: digests, versions.
    """

    at: AwareDatetime
    what: Literal["verdict", "approval", "choice", "batch", "ab_test"]
    about: str
    outcome: str
    by: str
    why: str
    facts: dict[str, str] = Field(default_factory=dict)


def append(store: ObjectStore, decision: Decision) -> None:
    """Write the next entry of the log in the reports; raise `StorageError` where that fails.

    The same decision again, by a step that ran again, is one entry, also with others in between.
    """
    content = decision.model_dump_json(indent=1).encode()

    def entry(number: int) -> bytes | None:
        newest = reversed(numbers(store, DECISION_LOG)[-_LOOKED_AT:])
        is_there = any(store.read(key(DECISION_LOG, earlier)) == content for earlier in newest)
        return None if is_there else content

    numbered.append(store, DECISION_LOG, entry)


def entries(store: ObjectStore, before: int | None = None) -> Iterator[tuple[int, Decision]]:
    """Give the entries with their numbers, newest first; `before` starts below that number.

    Raises
    ------
    StorageError
        One of them cannot be understood.
    """
    for number in reversed(numbers(store, DECISION_LOG)):
        if before is not None and number >= before:
            continue
        place = key(DECISION_LOG, number)
        name = f"The entry {place} of the decision log"
        yield number, parse_json(store.read(place), Decision, name, CURE)


def of_verdict(record: VerdictRecord) -> Decision:
    """Say what the thresholds decided on a run."""
    missed = [judgement.reason for judgement in record.judgements if not judgement.passed]
    doubts = [judgement.reason for judgement in record.judgements if judgement.result != "met"]
    return Decision(
        at=record.at,
        what="verdict",
        about=record.run,
        outcome=record.outcome,
        by=THRESHOLDS,
        why=" ".join(missed or [f"{NO_MISS}.", *doubts]),
        facts=_judged(record),
    )


def of_choice(record: VerdictRecord) -> Decision | None:
    """Say who chose another candidate than the verdict asked about; None if nobody did."""
    if record.chosen is None:
        return None
    return Decision(
        at=record.chosen.at,
        what="choice",
        about=record.run,
        outcome="approved",
        by=record.chosen.by,
        why=record.chosen.why,
        facts=_judged(record),
    )


def _judged(record: VerdictRecord) -> dict[str, str]:
    return {
        "candidate": record.candidate,
        "model_sha256": record.model_sha256,
        **record.thresholds.facts(),
        "champion": record.champion or "none",
    }


def of_approval(record: ApprovalRecord) -> Decision | None:
    """Say what a person answered to a review; None while nobody has."""
    if record.answer == "waiting" or record.at is None:
        return None
    judged = record.thresholds.facts() if record.thresholds else {}
    facts = {"candidate": record.candidate, "manifest_sha256": record.manifest_sha256, **judged}
    return Decision(
        at=record.at,
        what="approval",
        about=record.run,
        outcome=record.answer,
        by=record.by or "nobody",
        why=record.why,
        facts=facts,
    )


def of_batch(batch: str, decision: BatchDecision) -> Decision | None:
    """Say what a person decided on a batch; None for what its gate decided."""
    if decision.by == GATE or decision.at is None:
        return None
    return Decision(
        at=decision.at,
        what="batch",
        about=batch,
        outcome=decision.decision,
        by=decision.by,
        why=decision.why or "",
    )
