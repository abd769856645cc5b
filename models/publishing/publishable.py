"""Says everything that keeps a run from going live, whatever colour its tasks have.

All functions here are pure: they check what `models.publishing.evidence` has read.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from infra.errors import CatwalkError, PublishError
from infra.lake import inputs_id
from infra.records.gates import GateRecord
from infra.records.release import RefitRecord, VerdictRecord
from infra.records.steps import GATES, LATER_GATES
from infra.schemas import CATALOGUE, EVENTS, HISTORY, INTERACTIONS, ITEMS, RECOMMENDATIONS
from models.bundle.refit_winner import refit_refusal
from models.bundle_layout import JUDGED, LISTS_WRITTEN_AT, MODEL
from models.publishing.evidence import Built, Evidence
from models.release.approve_release import approval_refusal
from models.release.verdict import verdict_refusal


def refusals(evidence: Evidence) -> list[CatwalkError]:
    """Return everything that keeps a run from going live, each as an error with its cure.

    Of a run whose verdict does not let it go on, only that and the gates are looked at: nothing
    else is made of it.
    """
    return [*evidence.unreadable, *_refusals(evidence)]


def _refusals(evidence: Evidence) -> Iterator[CatwalkError]:
    verdict, rejection = evidence.verdict, verdict_refusal(evidence.verdict, evidence.run)
    if rejection is not None:
        yield rejection
    for name in GATES:
        if name not in LATER_GATES or evidence.has_steps:
            yield from gate_refusals(name, evidence)
    if verdict is None or rejection is not None:
        return
    yield from _evaluation(verdict, evidence)
    unfitted = refit_refusal(verdict, evidence.refit)
    if unfitted is not None:
        yield unfitted
    if evidence.built is not None:
        yield from _bundle(verdict, evidence.built, evidence)
        if evidence.standing is None and evidence.unrecorded is None:
            yield from _next_pointer(verdict, evidence.built, evidence)


def _bundle(verdict: VerdictRecord, built: Built, evidence: Evidence) -> Iterator[CatwalkError]:
    if evidence.refit is not None:
        yield from _model(verdict, built, evidence.refit)
        yield from _tables_of_model(built, evidence.refit, evidence)
    yield from lists_refusals(built, evidence)
    unapproved = approval_refusal(
        verdict, evidence.approval, evidence.approvers, built.manifest_sha256
    )
    if unapproved is not None:
        yield unapproved


def lists_refusals(built: Built, evidence: Evidence) -> Iterator[CatwalkError]:
    """Give what is against the lists of a bundle, and whether it was seen to answer."""
    yield from _lists(built, evidence)
    served = evidence.serving
    if served is None or (served.run, served.manifest_sha256) != (
        evidence.run,
        built.manifest_sha256,
    ):
        yield PublishError(
            f"The bundle of {evidence.run} was never seen to answer, or was built again since.",
            "Run check_serving first.",
        )


def gate_refusals(name: str, evidence: Evidence) -> Iterator[CatwalkError]:
    """Refuse data that its gate stopped or never saw: the colour of a task can be changed by hand.

    A gate counts for the table that it looked at, not for one that was written again since.
    """
    run, gate = evidence.run, evidence.gates.get(name)
    if gate is None or (gate.gate, gate.run) != (name, run) or not _checked(gate):
        yield PublishError(f"The {name} of {run} are not checked.", f"Run gate_{name} first.")
        return
    if gate.result == "stopped" or _broken(gate):
        yield PublishError(
            f"The {name} of {run} were stopped by their gate.",
            f"Mend what its report names, then run gate_{name} again.",
        )
    if name != EVENTS.name:  # a decision on a batch says itself which bytes it is about
        yield from _written_after(gate, evidence)


def _checked(gate: GateRecord) -> bool:
    """Tell whether the gate looked at anything; only without new events is there nothing to see."""
    return bool(gate.checks) or (gate.gate == "events" and not gate.partitions)


def _broken(gate: GateRecord) -> bool:
    return any(check.severity == "critical" and check.failed for check in gate.checks)


def _written_after(gate: GateRecord, evidence: Evidence) -> Iterator[CatwalkError]:
    """Refuse a table that was written after its gate looked, or that does not say when."""
    facts = evidence.tables.get(gate.gate)
    if facts is None:  # it cannot be read, which is a refusal of its own
        return
    written_at = facts.get("written_at")
    if written_at is None:
        yield PublishError(
            f"The {gate.gate} of {gate.run} do not say when they were written.",
            "Start a new run: these were written by an earlier Catwalk.",
        )
    elif gate.at < datetime.fromisoformat(written_at):
        yield PublishError(
            f"The {gate.gate} of {gate.run} were written after their gate.",
            f"Run gate_{gate.gate} again, and all that follows.",
        )


def _evaluation(verdict: VerdictRecord, evidence: Evidence) -> Iterator[CatwalkError]:
    """Refuse a verdict on an earlier version of the tables, which no gate has checked."""
    run, evaluation = evidence.run, evidence.evaluation
    inputs = _inputs(evidence, INTERACTIONS.name, ITEMS.name)
    if evaluation is None or (inputs and evaluation.inputs != inputs):
        yield PublishError(
            f"The tables of {run} were written again since it was evaluated.",
            "Run train again, and all that follows.",
        )
    if evaluation is not None and evaluation.at > verdict.at:
        yield PublishError(
            f"{run} was evaluated again after its verdict.",
            "Run judge_release again, and all that follows.",
        )


def _model(verdict: VerdictRecord, built: Built, made: RefitRecord) -> Iterator[CatwalkError]:
    """Refuse a bundle unless it holds the judged model and what was fitted by it."""
    judged = built.manifest.model_sha256(f"{JUDGED if made.refitted else MODEL}/")
    served = built.manifest.model_sha256(f"{MODEL}/")
    same = (judged, served) == (verdict.model_sha256, made.model_sha256)
    named = {"run": verdict.run, "candidate": verdict.candidate}
    if not same or any(built.manifest.facts.get(key) != value for key, value in named.items()):
        yield PublishError(
            f"The bundle of {verdict.run} does not hold the model that was judged.",
            "Build the bundle again, after the verdict.",
        )


def _tables_of_model(built: Built, made: RefitRecord, evidence: Evidence) -> Iterator[CatwalkError]:
    """Refuse a model that learnt from an earlier version of the tables.

    An evaluation takes no candidate that learnt from other tables than it is scored on. What goes
    live has learnt from the newest ones, so its lists and its items, made later, are of them too.
    """
    tables = (HISTORY, CATALOGUE) if made.refitted else (INTERACTIONS, ITEMS)
    inputs = _inputs(evidence, *(table.name for table in tables))
    if inputs and built.inputs != inputs:
        yield PublishError(
            f"The tables of {evidence.run} were written again since its winner was fitted on them.",
            "Run refit_winner again, and all that follows.",
        )


def _inputs(evidence: Evidence, *tables: str) -> str:
    """Return the id of the tables as they are now; empty where one of them cannot be read."""
    if not evidence.tables.keys() >= {*tables}:
        return ""
    return inputs_id({name: str(evidence.tables[name].get("written_at", "")) for name in tables})


def _lists(built: Built, evidence: Evidence) -> Iterator[CatwalkError]:
    """Refuse a bundle of other lists than their gate looked at."""
    facts = evidence.tables.get(RECOMMENDATIONS.name)
    if facts is not None and built.manifest.facts.get(LISTS_WRITTEN_AT) != facts.get("written_at"):
        yield PublishError(
            f"The bundle of {evidence.run} holds other lists than its gate saw.",
            "Build the bundle again.",
        )


def _next_pointer(
    verdict: VerdictRecord, built: Built, evidence: Evidence
) -> Iterator[CatwalkError]:
    """Refuse to replace what the verdict did not compare with, and what must not come back.

    A release of the same run may be replaced: it was compared with the same champion.
    """
    live = evidence.live.version if evidence.live else None
    if verdict.champion not in evidence.replaceable:
        yield PublishError(
            f"{live or 'nothing'} is live, but {verdict.run} was judged against "
            f"{verdict.champion or 'nothing'}.",
            "Run evaluate again, and all that follows, against what is live now.",
        )
    yield from _unasked(verdict, evidence)
    yield from version_refusals(built, evidence)


def _unasked(verdict: VerdictRecord, evidence: Evidence) -> Iterator[CatwalkError]:
    """Refuse what an A/B test holds back since the verdict, unless a person lets it go live.

    That an approval is of this verdict and these bytes is asked elsewhere.
    """
    approved = evidence.approval is not None and evidence.approval.answer == "approved"
    why = evidence.unasked.get(verdict.candidate)
    if why is not None and verdict.chosen is None and not approved:
        yield PublishError(
            f"{verdict.candidate} of {verdict.run} may not go live unasked, by an A/B test since "
            f"its verdict: {why}",
            "Run judge_release again, and all that follows: then a person is asked about it.",
        )


def version_refusals(built: Built, evidence: Evidence) -> Iterator[CatwalkError]:
    """Refuse a version that was deleted, and a model that a person rolled back from."""
    if evidence.retired:
        yield PublishError(
            f"Version {built.version} was deleted, or is being deleted.",
            "Start a new run: its bundle has a name of its own.",
        )
    for out in evidence.live.withdrawn if evidence.live else ():
        # a person rolled back from it; a new training may have given it another name
        if built.version == out.version or built.arrays_sha256 == out.arrays_sha256:
            yield PublishError(
                f"{built.version} holds the model of {out.version}, which was rolled back.",
                "If it shall be live again, a person does that: roll_back_release.",
            )
