"""The choice of a person: which candidates it may name, who may choose, and what it counts for."""

from __future__ import annotations

from typing import Any

import pytest

from infra.errors import PublishError, ReleaseError
from infra.ledger.decision_log import entries
from infra.ledger.run_records import RunRecords
from infra.records.release import CandidateVerdict, Judgement, VerdictRecord
from infra.storage import Storage
from models.release.approval_form import form
from models.release.approve_release import approval_refusal, ask
from models.release.choose_candidate import choose_candidate
from tests.models.conftest import RUN
from tests.models.release.test_approve_release import (
    bundle,
    evaluation,
    judgement,
    score,
    verdict,
)


def candidate(name: str, outcome: str, **change: Any) -> CandidateVerdict:
    judged = judgement(outcome, result="met" if outcome == "release" else "missed")
    given = {"name": name, "outcome": outcome, "reason": "r", "judgements": (judged,)}
    return CandidateVerdict(**{**given, "model_sha256": f"digest of {name}", **change})  # type: ignore[arg-type]


DOUBT = judgement("review", metric="leak", reason="it jumps.")


def asked(shop: Storage, doubts: tuple[Judgement, ...] = ()) -> VerdictRecord:
    """Write a verdict that asks about `hybrid`, beside one that passes and one that does not."""
    best, passes, slow = (
        candidate("hybrid", "review"),
        candidate("other", "release"),
        candidate("slow", "review"),
    )
    record = verdict(
        candidates=(best, passes, slow),
        best="hybrid",
        doubts=doubts,
        judgements=(*best.judgements, *doubts),
        model_sha256=best.model_sha256,
    )
    RunRecords(shop, RUN).save_verdict(record)
    return record


@pytest.mark.parametrize(("doubts", "outcome"), [((), "release"), ((DOUBT,), "review")])
def test_a_choice_goes_on_and_is_written_down(
    shop: Storage, doubts: tuple[Judgement, ...], outcome: str
) -> None:
    assert [choice.name for choice in asked(shop, doubts).choices] == ["other"]
    chosen = choose_candidate(shop, RUN, "other", "pm", "the best is slow")
    assert chosen == RunRecords(shop, RUN).load_verdict()
    assert (chosen.candidate, chosen.model_sha256, chosen.outcome) == (
        "other",
        "digest of other",
        outcome,
    )
    assert chosen.judgements[1:] == doubts and chosen.best == "hybrid"
    assert chosen.chosen is not None and chosen.chosen.why == "the best is slow"
    assert chosen.choices == (), "one choice a verdict"
    _, decision = next(entries(shop.reports))
    assert (decision.what, decision.by, decision.facts["candidate"]) == ("choice", "pm", "other")


def test_a_choice_needs_no_second_answer_and_counts_while_its_chooser_may_approve(
    shop: Storage,
) -> None:
    asked(shop)
    first = bundle(shop)
    assert ask(shop, RUN) is not None
    chosen = choose_candidate(shop, RUN, "other", "pm", "the best is slow")
    digest, waiting = bundle(shop, b'{"of": "other"}'), RunRecords(shop, RUN).load_approval()
    assert digest != first and ask(shop, RUN) is None
    assert approval_refusal(chosen, waiting, ("pm",), digest) is None
    refusal = approval_refusal(chosen, waiting, ("ada",), digest)
    assert isinstance(refusal, PublishError) and "pm, who chose it, may not" in refusal.fact


FORGED: list[dict[str, Any]] = [
    {"candidate": "slow", "model_sha256": "digest of slow"},
    {"model_sha256": "digest of another"},
    {"candidates": ()},
]


@pytest.mark.parametrize("change", FORGED)
def test_a_choice_that_was_not_offered_does_not_count(
    shop: Storage, change: dict[str, Any]
) -> None:
    asked(shop)
    chosen = choose_candidate(shop, RUN, "other", "pm", "w").model_copy(update=change)
    refusal = approval_refusal(chosen, None, ("pm",), bundle(shop))
    assert refusal is not None and "does not offer" in refusal.fact
    RunRecords(shop, RUN).save_verdict(chosen)
    with pytest.raises(ReleaseError, match="does not offer"):
        ask(shop, RUN)


def test_a_choice_by_a_step_that_ran_again_changes_nothing(shop: Storage) -> None:
    asked(shop)
    chosen = choose_candidate(shop, RUN, "other", "pm", "the best is slow")
    assert choose_candidate(shop, RUN, "other", "pm", "the best is slow") == chosen
    with pytest.raises(ReleaseError, match="cannot be chosen"):
        choose_candidate(shop, RUN, "slow", "pm", "w")
    assert len(list(entries(shop.reports))) == 2


def test_the_best_one_that_waits_may_be_chosen_and_is_asked_about(shop: Storage) -> None:
    """The recipe of the champion was released meanwhile."""
    best, recipe = candidate("hybrid", "review"), candidate("other", "release")
    record = verdict(
        "release",
        candidate="other",
        candidates=(best, recipe, candidate("slow", "review")),
        best="hybrid",
        judgements=recipe.judgements,
        model_sha256=recipe.model_sha256,
    )
    RunRecords(shop, RUN).save_verdict(record)
    assert [each.name for each in record.waiting] == ["hybrid"]
    with pytest.raises(ReleaseError, match="cannot be chosen. It offers hybrid"):
        choose_candidate(shop, RUN, "slow", "pm", "w")
    chosen = choose_candidate(shop, RUN, "hybrid", "pm", "I have looked at its lists")
    assert (chosen.candidate, chosen.outcome, chosen.chosen) == ("hybrid", "review", None)
    digest = bundle(shop)
    refusal = approval_refusal(chosen, None, ("pm",), digest)
    assert refusal is not None and "nobody was asked" in refusal.fact
    assert ask(shop, RUN) is not None
    assert choose_candidate(shop, RUN, "hybrid", "pm", "again") == chosen


REFUSED = [
    ("slow", "pm", "w", "cannot be chosen. It offers other"),
    ("absent", "pm", "w", "cannot be chosen"),
    ("other", "ds", "w", "ds may not choose"),
    ("other", "pm", " ", "gave no reason"),
]


@pytest.mark.parametrize(("name", "by", "why", "said"), REFUSED)
def test_what_cannot_be_chosen(shop: Storage, name: str, by: str, why: str, said: str) -> None:
    before = asked(shop)
    with pytest.raises(ReleaseError, match=said):
        choose_candidate(shop, RUN, name, by, why)
    assert RunRecords(shop, RUN).load_verdict() == before


@pytest.mark.parametrize("outcome", ["release", "reject"])
def test_only_a_verdict_that_asks_lets_choose(shop: Storage, outcome: str) -> None:
    record = verdict(outcome, candidates=(candidate("other", "release"),))
    RunRecords(shop, RUN).save_verdict(record)
    with pytest.raises(ReleaseError, match=f"is {outcome}|cannot be chosen"):
        choose_candidate(shop, RUN, "other", "pm", "w")


def test_the_form_says_how_a_candidate_asks_no_more(shop: Storage) -> None:
    """It is trained again, so it is the best again, and asks again."""
    record = asked(shop)
    said = "If you do not want hybrid: write enabled: false at its entry in models/candidates.yaml"
    assert said in form(record, None).replace("\\", "")
    for kept in (record.candidates[:1], record.candidates[1:]):  # none is left, or it is not asked
        shown = form(record.model_copy(update={"candidates": kept}), None).replace("\\", "")
        assert "### Candidates" in shown and "enabled" not in shown


def test_the_form_tells_candidates_apart_in_words() -> None:
    """Where two values round alike, and a reason names a metric as code does."""
    said = {"reason": "training_minutes is 31 min; it must be at most 30 min."}
    best = candidate("hybrid", "review", quality=0.163414, **said)
    passes = candidate("other", "release", quality=0.163406)
    judged = verdict(candidates=(best, passes), best="hybrid", judgements=best.judgements)
    text = form(judged, evaluation(score("candidate")))
    assert (
        "| hybrid | 0.163414 | Review | Training minutes is 31 min; it must be at most 30 min. |"
        in text
    )
    assert "| Candidate | NDCG@10 | Outcome | Reason |" in text
    assert "| other | 0.163406 | Release |" in text
    assert "training\\_minutes" not in text
