"""What people decided on A/B tests, as far as it binds a release: customers have the last word.

What was shipped is preferred to what scores higher offline. What lost a test, or is the treatment
of one that goes on, is never released unasked. Both end when a person releases otherwise, or
another test is decided otherwise. A test that ended by a void verdict, or without one,
says nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from infra.ledger.ab_tests import KnownTests, TestState, read_ab_tests
from infra.ledger.live_pointer import history
from infra.records.ab_tests import AbDecision
from infra.records.release import CandidateVerdict, Judgement, PublishRecord, VerdictRecord
from infra.storage import Storage
from models.release.verdict import outcome_of

METRIC = "ab_test"
Event = PublishRecord | tuple[TestState, AbDecision]


@dataclass(frozen=True)
class Binding:
    """What binds a release.

    Attributes
    ----------
    preferred : str
        The candidate that was shipped last; "" if nobody prefers one.
    test : str
        The test after which it was shipped.
    unasked : mapping of str to str
        Candidates that are not released unasked, and why.
    """

    preferred: str = ""
    test: str = ""
    unasked: Mapping[str, str] = field(default_factory=dict)

    def hold(self, candidate: CandidateVerdict) -> CandidateVerdict:
        """Add the judgement that sends a candidate to a person; one that passed is held by it."""
        why = self.unasked.get(candidate.name)
        if why is None:
            return candidate
        doubt = Judgement(
            metric=METRIC,
            value=None,
            limit="no A/B test speaks against it",
            result="cannot tell",
            outcome="review",
            reason=why,
            why="what customers did counts more than what a model scores on the past",
        )
        judgements = (*candidate.judgements, doubt)
        outcome = outcome_of(judgements)
        reason = why if candidate.outcome == "release" else candidate.reason
        change = {"judgements": judgements, "outcome": outcome, "reason": reason}
        return candidate.model_copy(update=change)

    def best_of(self, ranked: Sequence[CandidateVerdict]) -> CandidateVerdict:
        """Return the candidate that a run is judged by: the preferred one, else the highest."""
        fit = [candidate for candidate in ranked if candidate.outcome != "reject"]
        preferred = [candidate for candidate in fit if candidate.name == self.preferred]
        return next(iter([*preferred, *fit, *ranked]))

    def notes(
        self, best: CandidateVerdict, ranked: Sequence[CandidateVerdict], metric: str
    ) -> Iterator[str]:
        """Say which candidate gives way to the preferred one."""
        higher = self.highest(ranked)
        if best.name == self.preferred != higher.name:
            yield (
                f"{higher.name} has the highest {metric}, and {best.name} goes before it: it was "
                f"shipped after the A/B test '{self.test}'."
            )

    def place_of(self, best: CandidateVerdict, metric: str) -> str:
        """Say why a run is judged by its best candidate."""
        if best.name != self.preferred:
            return f"has the highest {metric}"
        test = f"the A/B test '{self.test}'" if self.test else "an A/B test"
        return f"was shipped after {test}"

    @staticmethod
    def highest(ranked: Sequence[CandidateVerdict]) -> CandidateVerdict:
        """Return the candidate that a run is judged by where nobody prefers one."""
        return Binding().best_of(ranked)


NOTHING_BINDS = Binding()


def ab_tested(storage: Storage) -> Binding:
    """Return what the tests and the pointers since the first of them say.

    Raises
    ------
    StorageError, PublishError
        A record cannot be read: then nobody knows what was decided.
    """
    known = read_ab_tests(storage)
    if not known.tests:
        return NOTHING_BINDS
    first = min(state.test.at for state in known.tests.values())
    pointers = list[PublishRecord]()
    for pointer in history(storage):
        if pointer.at < first:
            break
        pointers.append(pointer)
    return followed(known, pointers)


def followed(known: KnownTests, pointers: Sequence[PublishRecord]) -> Binding:
    """Follow decisions and pointers in the order of their times."""
    preferred = test = ""
    unasked = dict[str, str]()
    for event in _events(known, pointers):
        if isinstance(event, PublishRecord):
            unasked.pop(event.candidate, None)
            if event.candidate != preferred:
                preferred = test = ""
            continue
        state, decision = event
        if decision.decision == "keep" and decision.says_nothing:
            continue
        won, lost = state.test.treatment.candidate, state.test.control.candidate
        if decision.decision == "keep":
            won, lost = lost, won
        else:
            preferred, test = won, state.test.name
        unasked.pop(won, None)
        if lost != won:
            unasked[lost] = _lost(lost, state, decision)
            preferred = "" if preferred == lost else preferred
    for state in known.running():
        name = state.test.treatment.candidate
        if name != state.test.control.candidate:
            unasked[name] = f"{name} is in the A/B test '{state.test.name}', which goes on."
    return Binding(preferred, test if preferred else "", unasked)


def binding_then(verdict: VerdictRecord | None) -> Binding:
    """Return what bound an earlier verdict, as far as it says so itself."""
    if verdict is None or not verdict.candidates:
        return NOTHING_BINDS
    unasked = {
        candidate.name: judgement.reason
        for candidate in verdict.candidates
        for judgement in candidate.judgements
        if judgement.metric == METRIC
    }
    other = Binding.highest(verdict.candidates).name != verdict.best
    return Binding(verdict.best if other else "", "", unasked)


def _events(known: KnownTests, pointers: Sequence[PublishRecord]) -> list[Event]:
    """Return what people decided: the ends of tests, and what they released or went back to."""
    events: list[tuple[datetime, int, Event]] = [
        (pointer.at, 0, pointer)
        for pointer in pointers
        if pointer.decided is not None and pointer.action != "ship"
    ]
    for state in known.tests.values():
        if state.ended is not None:
            events.append((state.ended.at, 1, (state, state.ended)))
    return [event for _, _, event in sorted(events, key=lambda entry: entry[:2])]


def _lost(name: str, state: TestState, decision: AbDecision) -> str:
    return (
        f"{decision.by} decided against {name} in the A/B test '{state.test.name}' on "
        f"{decision.at:%Y-%m-%d}."
    )
