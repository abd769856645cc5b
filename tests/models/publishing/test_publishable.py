"""Everything that keeps a run from going live is named, without a store: reading is apart."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from infra.errors import BundleError, CatwalkError, PublishError, ReleaseError
from infra.lake import inputs_id
from infra.records.evaluation import EvaluationRecord
from infra.records.gates import Check, GateRecord
from infra.records.release import (
    Approval,
    ApprovalRecord,
    Judgement,
    PublishRecord,
    RefitRecord,
    ServingRecord,
    VerdictRecord,
    Withdrawn,
)
from infra.records.steps import GATES
from infra.stores.digests import FolderManifest
from models.publishing.evidence import TABLES, Built, Evidence
from models.publishing.publishable import refusals

RUN = "run=1"
WRITTEN = datetime(2026, 11, 24, tzinfo=UTC)
CHECKED, EVALUATED, JUDGED = (WRITTEN + timedelta(minutes=minutes) for minutes in (1, 2, 3))
FILES = {f"{folder}/a.npz": {"sha256": "a" * 64, "bytes": 1} for folder in ("model", "judged")}
FACTS = {"run": RUN, "candidate": "also_bought", "lists_written_at": WRITTEN.isoformat()}
MANIFEST = FolderManifest.model_validate({"format_version": 1, "facts": FACTS, "files": FILES})
MODEL = MANIFEST.model_sha256("model/")
OF = {"run": RUN, "candidate": "also_bought"}


def judgement(outcome: str) -> Judgement:
    return Judgement.model_validate(
        {"metric": "auc", "value": 1.0, "limit": "at least 0", "result": "met", "outcome": outcome}
        | {"reason": "r", "why": "w"}
    )


def verdict(outcome: str, **change: Any) -> VerdictRecord:
    of = {**OF, "at": JUDGED, "thresholds_sha256": "t", "batches": (), "model_sha256": MODEL}
    judgements = (judgement(outcome),)
    return VerdictRecord.model_validate(
        {**of, "outcome": outcome, "judgements": judgements, "champion": "v1", **change}
    )


def gate(name: str, **change: Any) -> GateRecord:
    check = Check(name="full", says="s", why="w", severity="critical", value=1.0, passed=True)
    of = {"gate": name, "run": RUN, "at": CHECKED, "verdict": "passed", "partitions": (RUN,)}
    return GateRecord.model_validate({**of, "checks": (check,), **change})


def refit(**change: Any) -> RefitRecord:
    of = {**OF, "at": JUDGED, "folder": "refits", "judged_sha256": MODEL, "model_sha256": MODEL}
    return RefitRecord.model_validate(
        {**of, "refitted": True, "passed": True, "reason": "r", **change}
    )


def served(sha256: str = "m") -> ServingRecord:
    of = {"run": RUN, "at": JUDGED, "manifest_sha256": sha256, "users": 1, "k": 1}
    return ServingRecord(**of, seconds_to_open=1, seconds_per_answer=1, agreement=1)


def pointer(**change: Any) -> PublishRecord:
    of = {"run": "run=0", "at": WRITTEN, "number": 1, "manifest_sha256": "0", "candidate": "c"}
    return PublishRecord.model_validate({**of, "version": "v1", **change})


def evaluation(**change: Any) -> EvaluationRecord:
    counts = {"users": 1, "items": 1, "train_interactions": 1, "holdout_interactions": 1}
    inputs = inputs_id(dict.fromkeys(("interactions", "items"), WRITTEN.isoformat()))
    of = {"run": RUN, "at": EVALUATED, "cut": WRITTEN, "scores": (), "inputs": inputs}
    return EvaluationRecord.model_validate({**of, **counts, **change})


def built(**change: Any) -> Built:
    inputs = inputs_id(dict.fromkeys(("history", "catalogue"), WRITTEN.isoformat()))
    return replace(Built(Path(), "v2", "m", MANIFEST, inputs), **change)


GOOD = Evidence(
    run=RUN,
    approvers=("pm",),
    verdict=verdict("release"),
    evaluation=evaluation(),
    refit=refit(),
    serving=served(),
    gates={name: gate(name) for name in GATES},
    tables={name: {"written_at": WRITTEN.isoformat()} for name in TABLES},
    built=built(),
    live=pointer(),
)
ANSWER = {"asked": ("pm",), "asked_at": JUDGED, "manifest_sha256": "m"}
LATER_AT = WRITTEN + timedelta(hours=1)
LATER = {"written_at": LATER_AT.isoformat()}


def approval(answer: str) -> ApprovalRecord:
    of = {**OF, **ANSWER, "answer": answer, "by": "pm", "at": JUDGED, "why": "slow"}
    return ApprovalRecord.model_validate(of)


def with_gate(name: str, **change: Any) -> dict[str, GateRecord]:
    return {**GOOD.gates, name: gate(name, **change)}


def with_table(name: str, facts: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {**GOOD.tables, name: facts}


def test_good_evidence_has_no_refusal() -> None:
    assert refusals(GOOD) == []
    asked = replace(GOOD, verdict=verdict("review"), approval=approval("approved"))
    assert refusals(asked) == []


def test_a_run_of_an_earlier_version_has_no_steps_to_check() -> None:
    without = {name: record for name, record in GOOD.gates.items() if name != "steps"}
    assert refusals(replace(GOOD, gates=without, has_steps=False)) == []
    [refusal] = refusals(replace(GOOD, gates=without))
    assert "The steps of run=1 are not checked" in refusal.fact
    assert refusals(replace(GOOD, has_steps=False, gates=with_gate("events", checks=()))) != []


REFUSED: list[tuple[dict[str, Any], type[CatwalkError], list[str]]] = [
    ({"verdict": None}, ReleaseError, ["has no release verdict"]),
    ({"verdict": verdict("reject")}, ReleaseError, ["is reject"]),
    ({"verdict": verdict("release", run="run=2")}, ReleaseError, ["has no release verdict"]),
    ({"gates": with_gate("events", verdict="stopped")}, PublishError, ["events .* were stopped"]),
    ({"gates": with_gate("items", checks=())}, PublishError, ["items .* are not checked"]),
    ({"gates": with_gate("items", run="run=2")}, PublishError, ["items .* are not checked"]),
    (
        {"tables": with_table("items", LATER)},
        PublishError,
        ["items .* written after their gate", "again since it was evaluated"],
    ),
    (
        {"tables": with_table("items", {})},
        PublishError,
        ["items .* do not say when", "again since it was evaluated"],
    ),
    ({"tables": with_table("history", LATER)}, PublishError, ["since its winner was fitted"]),
    (
        {"tables": with_table("recommendations", LATER)},
        PublishError,
        ["written after their gate", "other lists than its gate saw"],
    ),
    ({"evaluation": None}, PublishError, ["again since it was evaluated"]),
    ({"evaluation": evaluation(at=JUDGED + timedelta(1))}, PublishError, ["after its verdict"]),
    ({"refit": None}, ReleaseError, ["not refitted since it was judged"]),
    ({"refit": refit(passed=False)}, ReleaseError, ["is not the model that was judged"]),
    ({"refit": refit(model_sha256="0")}, PublishError, ["does not hold the model"]),
    ({"serving": None}, PublishError, ["never seen to answer"]),
    ({"serving": served("n")}, PublishError, ["never seen to answer"]),
    ({"verdict": verdict("review")}, PublishError, ["approval: nobody was asked"]),
    ({"approval": approval("rejected")}, PublishError, ["approval: rejected: slow"]),
    (
        {"approval": approval("approved"), "approvers": ("anna",)},
        PublishError,
        ["approval: pm may not approve"],
    ),
    ({"live": pointer(version="v3")}, PublishError, ["v3 is live, but .* judged against v1"]),
    ({"live": None}, PublishError, ["nothing is live, but"]),
    ({"retired": True}, PublishError, ["v2 was deleted, or is being deleted"]),
    (
        {"live": pointer(withdrawn=(Withdrawn(version="v2", arrays_sha256="0"),))},
        PublishError,
        ["v2 holds the model of v2, which was rolled back"],
    ),
    (
        {"live": pointer(withdrawn=(Withdrawn(version="v0", arrays_sha256=MODEL),))},
        PublishError,
        ["v2 holds the model of v0, which was rolled back"],
    ),
    (
        {"unasked": {"also_bought": "max decided against also_bought."}},
        PublishError,
        ["also_bought of run=1 may not go live unasked.*: max decided against also_bought"],
    ),
    ({"unreadable": (BundleError("It was changed.", "Mend."),)}, BundleError, ["was changed"]),
]


@pytest.mark.parametrize(("change", "kind", "said"), REFUSED)
def test_each_lack_is_refused_with_its_cure(
    change: dict[str, Any], kind: type[CatwalkError], said: list[str]
) -> None:
    against = refusals(replace(GOOD, **change))
    assert len(against) == len(said), against
    for refusal, fact in zip(against, said, strict=True):
        assert type(refusal) is kind and refusal.cure
        with pytest.raises(kind, match=fact):
            raise refusal


def test_a_person_lets_go_live_what_a_test_holds_back() -> None:
    held = replace(GOOD, unasked={"also_bought": "max decided against also_bought."})
    assert refusals(replace(held, approval=approval("approved"))) == []
    assert refusals(replace(held, unasked={"content": "it is under test."})) == []
    chosen = verdict("release", chosen=Approval(by="pm", at=JUDGED, why="it is better"))
    said = [refusal.fact for refusal in refusals(replace(held, verdict=chosen))]
    assert not any("unasked" in fact for fact in said)


def test_all_is_said_at_once() -> None:
    """Nobody mends one thing only to be told the next."""
    against = refusals(
        replace(
            GOOD,
            gates={},
            evaluation=None,
            refit=None,
            serving=None,
            verdict=verdict("review"),
            live=None,
            retired=True,
        )
    )
    assert len(against) == len(GATES) + 6
    assert len({refusal.fact for refusal in against}) == len(against)


def test_what_went_live_already_is_not_held_to_what_is_live_now() -> None:
    mine = pointer(run=RUN, version="v2", number=2, at=JUDGED)
    assert refusals(replace(GOOD, live=mine, released=mine, retired=True)) == []
    replaced = pointer(version="v3", number=3)
    assert refusals(replace(GOOD, live=replaced, released=mine)) == [], "only its record is missing"
    recorded = replace(GOOD, live=replaced, released=mine, recorded=mine)
    assert len(refusals(recorded)) == 1, "it was live, and is replaced"
    chosen = replace(GOOD, live=replaced, released=mine, verdict=verdict("release", at=LATER_AT))
    assert len(refusals(chosen)) == 1, "a verdict since then is about a release of its own"


def test_a_run_may_replace_what_it_released_itself() -> None:
    """A person chose another candidate of it, which was compared with the same champion."""
    first = pointer(run=RUN, version="v5", number=2, previous="v1", at=WRITTEN)
    second = pointer(run=RUN, version="v6", number=3, previous="v5", at=WRITTEN)
    assert refusals(replace(GOOD, live=first, own=(first,))) == []
    assert refusals(replace(GOOD, live=second, own=(second, first))) == []
    over_another = pointer(run=RUN, version="v6", number=3, previous="v3")
    (refused,) = refusals(replace(GOOD, live=over_another, own=(over_another,)))
    assert "v6 is live, but run=1 was judged against v1" in refused.fact
