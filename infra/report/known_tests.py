"""A test of the A/B tests as pages show it: with its newest verdict, in words."""

from __future__ import annotations

from dataclasses import dataclass

from infra.ledger.ab_tests import TestState
from infra.ledger.ab_verdicts import verdict_of_phase
from infra.records.ab_tests import AbOutcome
from infra.records.ab_verdicts import AbVerdict
from infra.storage import Storage

OUTCOMES: dict[AbOutcome, tuple[str, str]] = {
    "void": ("Void", "bad"),
    "too early": ("Too early to tell", "calm"),
    "harm": ("Stop: harm", "bad"),
    "ship": ("Ship the treatment", "good"),
    "keep": ("Keep the control", "warn"),
    "cannot tell": ("Nobody can tell", "warn"),
}
NOT_JUDGED = ("Not judged yet", "calm")


@dataclass(frozen=True)
class KnownTest:
    """A test with the newest verdict on its present phase, if it has one."""

    state: TestState
    verdict: AbVerdict | None

    @property
    def outcome(self) -> tuple[str, str]:
        """The verdict in words, and its tone."""
        return OUTCOMES[self.verdict.outcome] if self.verdict else NOT_JUDGED

    @property
    def can_be_decided(self) -> bool:
        """Whether its verdict asks a person to act."""
        return self.verdict is not None and self.verdict.outcome != "too early"


def known_test(storage: Storage, state: TestState) -> KnownTest:
    """Return a test with its verdict; one on an earlier phase says nothing about this."""
    kept = verdict_of_phase(storage, state)
    return KnownTest(state, kept.verdict if kept else None)
