"""Records what a person decides on an A/B test, on the verdict that the form showed."""

from __future__ import annotations

from datetime import UTC, datetime

from pydantic import ValidationError

from infra.errors import InputError
from infra.ledger import decision_log
from infra.ledger.ab_tests import KnownTests, TestState, add_ab_record, read_ab_tests
from infra.ledger.ab_verdicts import (
    NONE_YET,
    SHOWN,
    KeptVerdict,
    keep_decided,
    verdict_decided_on,
    verdict_of_phase,
)
from infra.ledger.decision_log import Decision
from infra.ledger.live_pointer import live
from infra.records.ab_tests import AbDecision, AbTest
from infra.records.ab_verdicts import FINAL
from infra.records.release import Approval
from infra.rules import describe
from infra.storage import Storage
from models.ab_tests.ship_treatment import ship_treatment, shipped_by

AGAIN = "Open the form again, and decide on what it shows."


def decide_ab_test(
    storage: Storage, test: str, decision: str, by: str, why: str, run: str
) -> AbDecision:
    """Record a decision, and ship if it says so; a run of the form decides once.

    Parameters
    ----------
    test : str
        As the form offers it, `NAME HASH: headline`; what follows the colon does not matter.
    decision : str
        `ship`, `keep` or `go on`.

    Raises
    ------
    InputError
        There is no such test, it has ended, the verdict is another than the form showed, or no
        verdict lets a person ship.
    PublishError, BundleError
        The treatment cannot be put live; then nothing is decided.
    """
    name, shown = _parted(test)
    state = read_ab_tests(storage).named(name)
    already = next((made for made in state.decisions if made.run == run), None)
    if already is None:
        kept = _shipped_on(storage, state, run, shown) or _verdict_shown(storage, state, shown)
        made = _decision(state.test, decision, by, why, run, kept)
        already = _decided(storage, state.test, made, kept)
    decision_log.append(storage.reports, _entry(state.test, already))
    return already


def _parted(test: str) -> tuple[str, str]:
    """Return the name of a test and the hash that the form showed beside it."""
    name, _, shown = test.partition(":")[0].strip().partition(" ")
    return name, shown.strip()


def _shipped_on(storage: Storage, state: TestState, run: str, shown: str) -> KeptVerdict | None:
    """Return the verdict by which this very run of the form shipped, and died before it said so.

    Whatever was found since, the treatment is live by it.
    """
    moved = shipped_by(storage, run)
    if moved is None or moved != live(storage) or len(shown) < SHOWN:
        return None
    return verdict_decided_on(storage, state.test.name, shown)


def _verdict_shown(storage: Storage, state: TestState, shown: str) -> KeptVerdict | None:
    """Return the verdict that the form showed; refuse a form that is older than the newest one."""
    kept = verdict_of_phase(storage, state)
    newest = kept.sha256 if kept else NONE_YET
    if len(shown) < (SHOWN if kept else 1) or not newest.startswith(shown):
        raise InputError(
            f"'{state.test.name} {shown}' is not the newest verdict on that test, which is "
            f"{newest[:SHOWN]}: {kept.verdict.headline if kept else 'none yet.'}",
            AGAIN,
        )
    return kept


def _decision(
    test: AbTest, decision: str, by: str, why: str, run: str, kept: KeptVerdict | None
) -> AbDecision:
    said = {"decides": test.number, "decision": decision, "reason": why.strip()}
    bound = {"verdict_sha256": kept.sha256, "outcome": kept.verdict.outcome} if kept else {}
    try:
        return AbDecision.model_validate(
            {"at": datetime.now(UTC), "by": by, "run": run, **said, **bound}
        )
    except ValidationError as error:
        raise InputError(
            f"The form is wrong: {describe(error)}", "Correct it and send it again."
        ) from error


def _decided(
    storage: Storage, test: AbTest, made: AbDecision, kept: KeptVerdict | None
) -> AbDecision:
    """Write the decision; the pointer moves before, so that no decision to ship lacks its effect.

    A task that dies in between finds its own pointer when it runs again.
    """
    pointer = 0
    _require_running(read_ab_tests(storage), test)
    if made.decision == "ship":
        _require_shippable(test, kept)
    if kept is not None:
        keep_decided(storage, kept)
    if made.decision == "ship":
        decided = Approval(by=made.by, at=made.at, why=made.reason)
        pointer = ship_treatment(storage, test, decided, made.run).number

    def make(known: KnownTests) -> AbDecision:
        _require_running(known, test)
        return made.model_copy(update={"pointer": pointer})

    return add_ab_record(storage, make)


def _require_running(known: KnownTests, test: AbTest) -> None:
    ended = known.tests[test.number].ended
    if ended is not None:
        raise InputError(
            f"{ended.by} ended '{test.name}' on {ended.at:%Y-%m-%d}: {ended.decision}.",
            "Nothing is left to decide; start another test.",
        )


def _require_shippable(test: AbTest, kept: KeptVerdict | None) -> None:
    """Refuse to ship on numbers that say nothing, or not yet."""
    if kept is None or kept.verdict.outcome not in FINAL:
        raise InputError(
            f"'{test.name}' has no verdict to ship by: "
            f"{kept.verdict.headline if kept else 'it was never judged.'}",
            "Wait for the verdict, keep control, or release by the form release_candidate.",
        )


def _entry(test: AbTest, made: AbDecision) -> Decision:
    facts = {
        "test": str(test.number),
        "control": test.control.version,
        "treatment": test.treatment.version,
        "verdict_sha256": made.verdict_sha256 or "none",
        **({"pointer": str(made.pointer)} if made.pointer else {}),
    }
    return Decision(
        at=made.at,
        what="ab_test",
        about=test.name,
        outcome=made.decision,
        by=made.by,
        why=made.reason,
        facts=facts,
    )
