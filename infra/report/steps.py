"""The strip of steps: where the run got to, in one word per step."""

from __future__ import annotations

from dataclasses import dataclass

from infra.records.gates import GateRecord
from infra.records.release import Judgement, VerdictRecord
from infra.records.steps import LATER_GATES, STATIONS
from infra.report.headline import Tone
from infra.report.results import RESULT_WORDS
from infra.report.snapshot import Snapshot
from infra.report.wording import plain_name

GATE_WORDS: dict[str, tuple[str, Tone]] = {
    "passed": ("Passed", "good"),
    "warned": ("Passed with warnings", "warn"),
    "stopped": ("Stopped", "bad"),
}
VERDICT_WORDS: dict[str, tuple[str, Tone]] = {
    "release": ("Release", "good"),
    "review": ("Review", "warn"),
    "reject": ("Rejected", "bad"),
}
JUDGEMENT_TONES: dict[str, Tone] = {"met": "good", "missed": "warn"}  # the rest is calm
APPROVAL_WORDS: dict[str, tuple[str, Tone]] = {
    "waiting": ("Waits for a person", "warn"),
    "approved": ("Approved", "warn"),
    "rejected": ("Rejected", "bad"),
    "replaced": ("Question replaced", "calm"),
}


@dataclass(frozen=True)
class Step:
    """One station of the strip; `key` is the anchor of its section, empty where it has none."""

    key: str
    name: str
    word: str
    tone: Tone


def steps(snapshot: Snapshot) -> list[Step]:
    """Return all steps in order, also those that have not run."""
    return [_step(snapshot, place, key) for place, key in enumerate(STATIONS)]


def gate_state(gate: GateRecord) -> tuple[str, Tone]:
    """Say how a gate ended."""
    return GATE_WORDS[gate.result]


def verdict_state(verdict: VerdictRecord, snapshot: Snapshot) -> tuple[str, Tone]:
    """Say how the release verdict ended, and what a person made of it."""
    approval = snapshot.approval
    if verdict.chosen is not None:
        return "Chosen by a person", "warn"
    if verdict.outcome == "reject" or approval is None:
        return VERDICT_WORDS[verdict.outcome]
    return APPROVAL_WORDS[approval.answer if snapshot.published else approval.answer_to(verdict)]


def judgement_state(judgement: Judgement) -> tuple[str, Tone]:
    """Say how a threshold was met; the colour shows what follows from it."""
    word, tone = RESULT_WORDS[judgement.result], JUDGEMENT_TONES.get(judgement.result, "calm")
    return word, tone if judgement.passed else VERDICT_WORDS[judgement.outcome][1]


def _step(snapshot: Snapshot, place: int, key: str) -> Step:
    return Step(key, plain_name(STATIONS[key]), *_state(snapshot, place, key))


def _state(snapshot: Snapshot, place: int, key: str) -> tuple[str, Tone]:
    if key in snapshot.unreadable:
        return "Could not be read", "bad"
    if key not in snapshot.recorded:
        tone: Tone = "calm" if key in LATER_GATES else "warn"
        return ("No record", tone) if place < snapshot.reached else ("Not run", "calm")
    if key in snapshot.gates:
        return gate_state(snapshot.gates[key])
    if key == "release" and snapshot.verdict is not None:
        return verdict_state(snapshot.verdict, snapshot)
    return ("Went live" if key == "published" else "Done"), "good"
