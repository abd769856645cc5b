"""Says in one word and one sentence how a run ended; when in doubt, that it did not end well."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from infra.records.gates import GateRecord
from infra.records.release import VerdictRecord
from infra.records.steps import LATER_GATES, STATIONS
from infra.report.checks import by_cause, told
from infra.report.results import listed, results
from infra.report.snapshot import Snapshot
from infra.report.wording import counted, sentence_case

Tone = Literal["good", "warn", "bad", "calm"]
Ending = Literal[
    "released", "waiting", "replaced", "rejected", "stopped", "broken", "failed", "running"
]
STAYS = "What was live before stays live."


@dataclass(frozen=True)
class Headline:
    """What a reader should take away if they read nothing else."""

    word: str
    tone: Tone
    sentence: str
    ending: Ending


def headline(snapshot: Snapshot) -> Headline:
    """Judge the run: the first rule that has something to say wins, bad news first."""
    rules = (
        *(_unreadable, _stopped, _rejected, _differing, _contradicting),
        *(_released, _declined, _replaced, _waiting, _broke_off, _approved),
    )
    answers = (rule(snapshot) for rule in rules)
    return next((answer for answer in answers if answer is not None), _running(snapshot))


def _unreadable(snapshot: Snapshot) -> Headline | None:
    if not snapshot.unreadable:
        return None
    steps = listed([STATIONS[step] for step in snapshot.unreadable])
    sentence = f"What the {steps} wrote could not be read, so this run does not count as released."
    sentence += _live_all_the_same(snapshot)
    return Headline("Could not be read", "bad", sentence, "broken")


def _stopped(snapshot: Snapshot) -> Headline | None:
    for gate in snapshot.gates.values():
        if gate.result == "stopped":
            end = _live_all_the_same(snapshot) or f" {STAYS}"
            word = f"Stopped at the gate “{gate.gate}”"
            return Headline(word, "bad", _failures(gate) + end, "stopped")
    return None


def _rejected(snapshot: Snapshot) -> Headline | None:
    verdict = snapshot.verdict
    if verdict is None or verdict.outcome != "reject":
        return None
    end = _live_all_the_same(snapshot) or f" {STAYS}"
    if snapshot.published and snapshot.judged_again:
        end = f" Version {snapshot.published.version} went live before that."
    sentence = f"“{verdict.candidate}” {_met(snapshot)}.{end}"
    return Headline("Rejected", "bad", sentence, "rejected")


def _differing(snapshot: Snapshot) -> Headline | None:
    made = snapshot.refit
    if made is None or made.passed:
        return None
    end = _live_all_the_same(snapshot) or f" {STAYS}"
    sentence = f"“{made.candidate}”, fitted on all data, is not what was judged: {made.reason}{end}"
    return Headline("Refit refused", "bad", sentence, "rejected")


def _contradicting(snapshot: Snapshot) -> Headline | None:
    contradictions = list(_contradictions(snapshot))
    if not contradictions:
        return None
    sentence = " ".join(contradictions) + " This run does not count as released."
    sentence += _live_all_the_same(snapshot)
    return Headline("Records contradict", "bad", sentence, "broken")


def _released(snapshot: Snapshot) -> Headline | None:
    published, verdict = snapshot.published, snapshot.verdict
    if published is None or verdict is None:
        return None
    went = f"went live as version {published.version}"
    sentence = f"“{verdict.candidate}” {_met(snapshot)}. It {went}."
    if snapshot.judged_again:
        sentence = f"“{published.candidate}” {went}. Judged again since, “{verdict.candidate}” "
        sentence += f"{_met(snapshot)}."
    by_person = _was_let(snapshot)
    word = "Released by approval" if by_person else "Released"
    tone: Tone = "warn" if by_person or verdict.outcome != "release" else "good"
    return Headline(word, tone, sentence + _warnings(snapshot), "released")


def _declined(snapshot: Snapshot) -> Headline | None:
    verdict, approval = snapshot.verdict, snapshot.approval
    if verdict is None or approval is None or approval.answer != "rejected" or verdict.chosen:
        return None
    by = f"by {approval.by}" if approval.by else "without an answer"
    sentence = f"“{verdict.candidate}” {_met(snapshot)}. {STAYS}"
    return Headline(f"Rejected {by}", "bad", sentence, "rejected")


def _replaced(snapshot: Snapshot) -> Headline | None:
    """Say that nobody is asked any more, unless the run was judged or chosen from since."""
    verdict, asked = snapshot.verdict, snapshot.approval
    if verdict is None or asked is None or asked.answer != "replaced":
        return None
    if verdict.chosen is not None or asked.asked_at < verdict.at:
        return None
    by = "the same run" if asked.replaced_by == snapshot.run else asked.replaced_by
    sentence = f"“{verdict.candidate}” {_met(snapshot)}: a person was asked, and before anybody "
    sentence += f"answered, {by} replaced the question."
    return Headline("Question replaced", "calm", sentence, "replaced")


def _waiting(snapshot: Snapshot) -> Headline | None:
    verdict = snapshot.verdict
    if verdict is None or not _needs_person(snapshot) or _is_approved(snapshot) or snapshot.over:
        return None
    why = "a person decides"
    if _said_yes(snapshot):
        why = "it was judged again after its approval, so a person decides anew"
    elif verdict.outcome == "release":
        why = "a person was asked by other numbers before, so it takes a new run to go live"
    sentence = f"“{verdict.candidate}” {_met(snapshot)}: {why}. {STAYS}"
    return Headline("Needs an approval", "warn", sentence, "waiting")


def _broke_off(snapshot: Snapshot) -> Headline | None:
    if not snapshot.over:
        return None
    sentence = f"The run is over, and no step has left a record: see its log. {STAYS}"
    if snapshot.reached:
        last = STATIONS[list(STATIONS)[snapshot.reached - 1]]
        sentence = f"The run is over, and nothing was recorded after the {last}. {STAYS}"
    return Headline("Broke off", "bad", sentence, "failed")


def _approved(snapshot: Snapshot) -> Headline | None:
    if snapshot.verdict is None:
        return None
    sentence = f"“{snapshot.verdict.candidate}” {_met(snapshot)}. {_next(snapshot)}"
    return Headline("Judged, not live yet", "calm", sentence, "running")


def _running(snapshot: Snapshot) -> Headline:
    if not snapshot.reached:
        return Headline("Running", "calm", "No step has left a record yet.", "running")
    last = STATIONS[list(STATIONS)[snapshot.reached - 1]]
    sentence = f"Done up to the {last}. {_next(snapshot)}"
    return Headline("Running", "calm", sentence, "running")


def _contradictions(snapshot: Snapshot) -> Iterator[str]:
    for gate in snapshot.gates.values():
        yield from _gate_contradictions(gate)
    if snapshot.verdict is not None:
        yield from _verdict_contradictions(snapshot, snapshot.verdict)
    if snapshot.published is not None:
        yield from _publishing_contradictions(snapshot)


def _gate_contradictions(gate: GateRecord) -> Iterator[str]:
    if gate.partitions and not gate.checks:
        yield f"The gate “{gate.gate}” checked nothing."
    failed = any(check.severity == "critical" and check.failed for check in gate.checks)
    if failed and gate.result != "stopped":
        yield f"The gate “{gate.gate}” let data through although a critical check failed."


def _verdict_contradictions(snapshot: Snapshot, verdict: VerdictRecord) -> Iterator[str]:
    if not verdict.judgements:
        yield "The release verdict judged nothing."
    outcomes = {judgement.outcome for judgement in verdict.judgements}
    if "reject" in outcomes or (verdict.outcome == "release" and outcomes - {"release"}):
        yield f"The verdict says {verdict.outcome} although a threshold failed."
    unseen = snapshot.published and not snapshot.judged_again
    if unseen and _needs_person(snapshot) and not _was_let(snapshot):
        yield "It was published although nobody approved it."


def _publishing_contradictions(snapshot: Snapshot) -> Iterator[str]:
    may_lack = {"ingest", *LATER_GATES, *snapshot.recorded}
    missing = [STATIONS[step] for step in STATIONS if step not in may_lack]
    if missing:
        yield f"It was published without a record of the {listed(missing)}."
    elif snapshot.judged_again:
        return
    elif snapshot.published.candidate != snapshot.verdict.candidate:  # type: ignore[union-attr]
        yield "The published model is not the one that was judged."


def _failures(gate: GateRecord) -> str:
    failed = [check for check in gate.checks if check.severity == "critical" and check.failed]
    if not failed:
        return "The gate stopped the data."
    causes, alone = by_cause(failed), [check for check in failed if not check.because]
    sentences = [f"{sentence_case(says)}." for says in causes]
    if alone:
        other, first = "other " if causes else "", ", first" if len(alone) > 1 else ""
        amount = counted(len(alone), f"{other}critical check")
        sentences.append(f"{amount} failed{first}: {told(alone[0])}.")
    return " ".join(sentences)


def _met(snapshot: Snapshot) -> str:
    verdict = snapshot.verdict
    if verdict is None:
        return "was not judged"
    result = results(verdict.judgements)
    if verdict.chosen is not None:
        return f"{result}, was chosen by {verdict.chosen.by}"
    if not _is_approved(snapshot) or snapshot.approval is None:
        return result
    return f"{result}, was approved by {snapshot.approval.by}"


def _needs_person(snapshot: Snapshot) -> bool:
    """Tell whether only an approval lets the run go live, also one that was asked for before."""
    verdict = snapshot.verdict
    return verdict is not None and (verdict.outcome == "review" or snapshot.approval is not None)


def _said_yes(snapshot: Snapshot) -> bool:
    return snapshot.approval is not None and snapshot.approval.answer == "approved"


def _was_let(snapshot: Snapshot) -> bool:
    """Tell whether a person let it go live: the pointer names who, whatever was asked since."""
    published = snapshot.published
    named = published is not None and published.decided is not None
    return named or (_said_yes(snapshot) and not snapshot.judged_again)


def _is_approved(snapshot: Snapshot) -> bool:
    """Tell whether the run was approved as it was judged last."""
    verdict, approval = snapshot.verdict, snapshot.approval
    if verdict is None or verdict.chosen is not None:
        return verdict is not None
    return approval is not None and approval.answer_to(verdict) == "approved"


def _warnings(snapshot: Snapshot) -> str:
    checks = (check for gate in snapshot.gates.values() for check in gate.checks)
    failed = sum(check.failed for check in checks)
    told = f" {counted(failed, 'check')} on the data failed without stopping it." if failed else ""
    notes = (note for gate in snapshot.gates.values() for note in gate.notes)
    return told + "".join(f" {sentence_case(note)}." for note in notes)


def _next(snapshot: Snapshot) -> str:
    following = list(STATIONS.values())[snapshot.reached :]
    return f"Next: {following[0]}." if following else ""


def _live_all_the_same(snapshot: Snapshot) -> str:
    if snapshot.published is None:
        return ""
    return f" Yet version {snapshot.published.version} went live: call a data engineer now."
