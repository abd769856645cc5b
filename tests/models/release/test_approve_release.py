"""The answer of a person: who may give it, what it is about, and what counts as none."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from infra.asking import Answer
from infra.errors import PublishError, ReleaseError, StorageError
from infra.ledger.questions import note_question
from infra.ledger.run_records import RunRecords
from infra.records.evaluation import Comparison, EvaluationRecord, Score
from infra.records.release import Judgement, ServingRecord, VerdictRecord
from infra.storage import Storage
from models.release.approval_form import form
from models.release.approve_release import approval_refusal, ask, needs_person, record_answer
from tests.models.conftest import AS_OF, RUN

HOSTILE = "<img src=x> [click](http://x) | `a` **b** _c_"


def judgement(outcome: str = "review", **change: Any) -> Judgement:
    said = {
        "limit": "at most 30",
        "bound": 30,
        "result": "missed",
        "reason": "it took long.",
        "why": "time",
    }
    return Judgement(
        **{"metric": "training_minutes", "value": 31.0, "outcome": outcome, **said, **change}
    )


def verdict(outcome: str = "review", **change: Any) -> VerdictRecord:
    given = {"run": RUN, "at": AS_OF, "outcome": outcome, "candidate": "hybrid", "batches": ()}
    judged = {"judgements": (judgement(outcome),), "thresholds_sha256": "0" * 64}
    return VerdictRecord(**{**given, **judged, **change})


def bundle(shop: Storage, content: bytes = b"{}", run: str = RUN) -> str:
    """Write a bundle that was seen to answer; return the digest of its manifest."""
    shop.lake.store.write(f"bundles/{run}/_manifest.json", content)
    digest = hashlib.sha256(content).hexdigest()
    measured = {"users": 1, "k": 1, "seconds_to_open": 0, "seconds_per_answer": 0, "agreement": 1}
    served = {"run": run, "at": AS_OF, "manifest_sha256": digest, **measured}
    RunRecords(shop, run).save_serving(ServingRecord.model_validate(served))
    return digest


@pytest.fixture
def digest(shop: Storage) -> str:
    """Prepare a run whose verdict is review and whose bundle answers."""
    RunRecords(shop, RUN).save_verdict(verdict())
    return bundle(shop)


def approval(digest: str) -> Answer:
    at = AS_OF + timedelta(hours=1)
    return Answer(approved=True, by="pm", at=at, why="slow, but better", digest=digest)


def require_approved(judged: VerdictRecord, shop: Storage, digest: str) -> None:
    """Raise what publishing would refuse the bundle for."""
    approval = RunRecords(shop, RUN).load_approval()
    refusal = approval_refusal(judged, approval, shop.settings.approvers, digest)
    if refusal is not None:
        raise refusal


def refused(shop: Storage, digest: str, said: str) -> None:
    with pytest.raises(PublishError, match=f"needs an approval: {said}"):
        require_approved(verdict(), shop, digest)


def test_who_when_why_and_what_is_written_down(shop: Storage, digest: str) -> None:
    question = ask(shop, RUN)
    assert question is not None and question.digest == digest
    refused(shop, digest, "nobody has answered")
    record_answer(shop, RUN, approval(digest))
    record = RunRecords(shop, RUN).load_approval()
    assert record is not None
    assert (record.answer, record.by, record.why) == ("approved", "pm", "slow, but better")
    assert (record.at, record.manifest_sha256) == (AS_OF + timedelta(hours=1), digest)
    assert record.thresholds == verdict().thresholds
    require_approved(verdict(), shop, digest)


NOT_APPROVED: list[tuple[Callable[[Answer], Answer], str]] = [
    (lambda given: replace(given, approved=False), "slow, but better"),
    (lambda given: replace(given, approved=False, why=""), "no reason given"),
    (lambda given: replace(given, why=""), "approved without a reason"),
    (lambda given: replace(given, by="ds"), "ds may not approve"),
    (lambda given: replace(given, by=None), "no answer in time"),
    (lambda given: replace(given, digest=""), "about another bundle"),
    (lambda given: replace(given, digest="0" * 64), "about another bundle"),
]


@pytest.mark.parametrize(("change", "said"), NOT_APPROVED)
def test_all_else_is_a_rejection(
    shop: Storage, digest: str, change: Callable[[Answer], Answer], said: str
) -> None:
    ask(shop, RUN)
    with pytest.raises(ReleaseError, match=f"is rejected by .*{said}.* stays live"):
        record_answer(shop, RUN, change(approval(digest)))
    record = RunRecords(shop, RUN).load_approval()
    assert record is not None and record.answer == "rejected" and said in record.why
    refused(shop, digest, f"rejected: .*{said}")


def test_a_rejection_may_be_asked_again(shop: Storage, digest: str) -> None:
    ask(shop, RUN)
    with pytest.raises(ReleaseError):
        record_answer(shop, RUN, replace(approval(digest), approved=False))
    assert ask(shop, RUN) is not None
    record_answer(shop, RUN, approval(digest))
    require_approved(verdict(), shop, digest)


def test_an_approval_is_not_asked_for_twice(shop: Storage, digest: str) -> None:
    ask(shop, RUN)
    record_answer(shop, RUN, approval(digest))
    assert ask(shop, RUN) is None


def test_a_release_needs_nobody(shop: Storage, digest: str) -> None:
    released = verdict("release")
    RunRecords(shop, RUN).save_verdict(released)
    assert ask(shop, RUN) is None
    assert RunRecords(shop, RUN).load_approval() is None
    require_approved(released, shop, digest)


def test_judging_again_does_not_overrule_a_rejection(shop: Storage, digest: str) -> None:
    assert ask(shop, RUN) is not None
    with pytest.raises(ReleaseError, match="is rejected by pm"):
        record_answer(shop, RUN, replace(approval(digest), approved=False))
    released = verdict("release", judgements=(judgement("release", result="met"),))
    RunRecords(shop, RUN).save_verdict(released)
    with pytest.raises(PublishError, match="needs an approval: rejected"):
        require_approved(released, shop, digest)
    with pytest.raises(ReleaseError, match="judged by other numbers .* Trigger release_candidate"):
        ask(shop, RUN)
    with pytest.raises(PublishError, match="needs an approval: rejected"):
        require_approved(released, shop, digest)


def test_an_approval_does_not_outlive_another_verdict_on_the_same_bytes(
    shop: Storage, digest: str
) -> None:
    ask(shop, RUN)
    record_answer(shop, RUN, approval(digest))
    again = verdict(at=datetime.now(UTC))
    RunRecords(shop, RUN).save_verdict(again)
    with pytest.raises(PublishError, match="the run was judged again after the question"):
        require_approved(again, shop, digest)
    assert ask(shop, RUN) is not None, "a person decides again"
    record_answer(shop, RUN, approval(digest))
    require_approved(again, shop, digest)


def test_a_form_that_shows_other_numbers_is_not_shown_again(shop: Storage, digest: str) -> None:
    """Airflow keeps the first form of a task, so a person would approve what nobody judged."""
    asked = ask(shop, RUN)
    assert asked is not None and ask(shop, RUN) == asked, "the same again, after a kill"
    worse = verdict(at=datetime.now(UTC), judgements=(judgement(reason="it is much worse."),))
    RunRecords(shop, RUN).save_verdict(worse)
    with pytest.raises(ReleaseError, match="judged by other numbers .* Trigger release_candidate"):
        ask(shop, RUN)
    with pytest.raises(PublishError, match="needs an approval"):
        require_approved(worse, shop, digest)


def test_another_run_of_airflow_may_ask_by_another_form(shop: Storage, digest: str) -> None:
    ask(shop, RUN, "first")
    worse = verdict(at=datetime.now(UTC), judgements=(judgement(reason="it is much worse."),))
    RunRecords(shop, RUN).save_verdict(worse)
    assert ask(shop, RUN, "second") is not None
    with pytest.raises(ReleaseError, match="counts no longer: it was replaced. Answer the one"):
        record_answer(shop, RUN, approval(digest), "first")
    record_answer(shop, RUN, approval(digest), "second")
    require_approved(worse, shop, digest)


def test_only_the_newest_question_may_be_answered(shop: Storage, digest: str) -> None:
    """Two that ask at the same moment may both wait."""
    ask(shop, RUN, "first")
    note_question(shop, "run=other", "second", datetime.now(UTC))
    with pytest.raises(ReleaseError, match="counts no longer"):
        record_answer(shop, RUN, approval(digest), "first")
    refused(shop, digest, "nobody has answered")


def test_who_decides_is_known_before_anybody_is_asked(shop: Storage, digest: str) -> None:
    assert needs_person(shop, RUN)
    ask(shop, RUN)
    record_answer(shop, RUN, approval(digest))
    assert not needs_person(shop, RUN)
    RunRecords(shop, RUN).save_verdict(verdict("reject"))
    with pytest.raises(ReleaseError, match="is reject"):
        needs_person(shop, RUN)


def test_a_rejected_run_is_not_asked_about(shop: Storage, digest: str) -> None:
    RunRecords(shop, RUN).save_verdict(verdict("reject"))
    with pytest.raises(ReleaseError, match="is reject"):
        ask(shop, RUN)


def test_a_bundle_that_was_built_again_was_not_approved(shop: Storage, digest: str) -> None:
    ask(shop, RUN)
    record_answer(shop, RUN, approval(digest))
    again = bundle(shop, b'{"other": 1}')
    refused(shop, again, "the bundle was built again after it was approved")
    with pytest.raises(ReleaseError, match="asked about another bundle before"):
        ask(shop, RUN)


def test_a_bundle_that_nobody_saw_answer_is_not_asked_about(shop: Storage, digest: str) -> None:
    shop.lake.store.write(f"bundles/{RUN}/_manifest.json", b"changed")
    with pytest.raises(ReleaseError, match="never seen to answer"):
        ask(shop, RUN)


def test_an_answer_to_no_question(shop: Storage, digest: str) -> None:
    with pytest.raises(ReleaseError, match="Nobody was asked"):
        record_answer(shop, RUN, approval(digest))
    refused(shop, digest, "nobody was asked")


FORGED: list[tuple[dict[str, Any], str]] = [
    ({"by": "ds"}, "ds may not approve"),
    ({"run": "run=other"}, "nobody was asked"),
    ({"candidate": "popularity"}, "nobody was asked"),
    ({"manifest_sha256": "0" * 64}, "the bundle was built again"),
]


@pytest.mark.parametrize(("change", "said"), FORGED)
def test_a_record_that_does_not_hold(
    shop: Storage, digest: str, change: dict[str, Any], said: str
) -> None:
    ask(shop, RUN)
    record_answer(shop, RUN, approval(digest))
    records = RunRecords(shop, RUN)
    record = records.load_approval()
    assert record is not None
    records.save_approval(record.model_copy(update=change))
    refused(shop, digest, said)


@pytest.mark.parametrize("missing", ["by", "at", "why"])
def test_an_approval_without_who_when_or_why_is_unreadable(
    shop: Storage, digest: str, missing: str
) -> None:
    ask(shop, RUN)
    record_answer(shop, RUN, approval(digest))
    said = json.loads(shop.reports.read(f"{RUN}/approval.json"))
    shop.reports.write(f"{RUN}/approval.json", json.dumps({**said, missing: None}).encode())
    with pytest.raises(StorageError, match="cannot be read"):
        require_approved(verdict(), shop, digest)


def test_who_may_approve_is_asked_again_when_publishing(
    shop: Storage, digest: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(shop, RUN)
    record_answer(shop, RUN, approval(digest))
    left = Storage(shop.settings.model_copy(update={"approvers": ("ada",)}))
    refused(left, digest, "pm may not approve")


def score(role: str, **change: Any) -> Score:
    numbers = {"ndcg_at_10": 0.2 if role == "candidate" else 0.15, "auc": 0.5}
    given = {"name": "hybrid", "role": role, "parameters": {"epochs": 20}, "metrics": numbers}
    return Score.model_validate({**given, **change})


def evaluation(*scores: Score) -> EvaluationRecord:
    amounts = dict.fromkeys(("users", "items", "train_interactions", "holdout_interactions"), 1)
    given = {"run": RUN, "at": AS_OF, "cut": AS_OF, "scores": scores, "champion": "version1"}
    return EvaluationRecord.model_validate({**given, **amounts})


def test_the_form_shows_the_thresholds_and_what_differs() -> None:
    sure = Comparison(
        metric="ndcg_at_10", against="champion", difference=0.05, low=0.01, high=0.09,
        finding="better",
    )  # fmt: skip
    mine = score("candidate", comparisons=(sure,), parameters={"epochs": 40})
    text = form(verdict(champion="version1"), evaluation(mine, score("champion")))
    for said in (
        "**A person decides, because:** it took long.",
        "**For customers:** NDCG@10 is 0.2, what is live has 0.15: it is better.",
        "**Approve,** and hybrid goes live. **Reject,** or let the time pass, and version version1 "
        "stays live.",
        r"| Training minutes | 31 min | at most 30 min | Fail | time |",
        r"| NDCG@10 | 0.2 | 0.15 | \+0.0500 \(95%: \+0.0100 to \+0.0900\), better |",
        "| AUC | 0.5 | 0.5 | none |",
        "Parameters changed: epochs 20 to 40.",
        "Live is version1, made by hybrid.",
    ):
        assert said in text


@pytest.mark.parametrize(
    ("champion", "scores", "said"),
    [
        (None, (), "Nothing is live yet"),
        ("version1", (score("candidate"),), "could not be scored"),
        ("version1", (score("candidate"), score("champion", name="als")), "different kinds"),
        ("version1", (score("candidate"), score("champion")), "Same parameters"),
    ],
)
def test_the_form_says_what_is_live(champion: str | None, scores: Any, said: str) -> None:
    assert said in form(verdict(champion=champion), evaluation(*scores))


def test_the_form_says_where_nothing_differs_for_customers() -> None:
    live = score("champion", metrics=score("candidate").metrics)
    text = form(verdict(champion="version1"), evaluation(score("candidate"), live))
    assert "**For customers:** NDCG@10 is 0.2, and what is live has the same." in text


def test_no_text_of_data_is_markup() -> None:
    shown = form(
        verdict(
            judgements=(judgement(reason=HOSTILE, why=HOSTILE, slice=HOSTILE, limit=HOSTILE),),
            champion="version1",
        ),
        evaluation(score("candidate"), score("champion", name=HOSTILE)),
    )
    for markup in ("<img", "[click]", " | `a`", "**b**", " _c_"):
        assert markup not in shown
    rows = [line for line in shown.splitlines() if line.startswith("| Training")]
    assert rows[0].replace(r"\|", "").count("|") == 6, "a row keeps its five cells"
