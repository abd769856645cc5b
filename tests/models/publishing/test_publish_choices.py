"""Publishing more than once from one run: what it released meanwhile, and what a person chose."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from infra.asking import Answer
from infra.errors import PublishError
from infra.ledger.ab_tests import add_ab_record
from infra.ledger.live_pointer import history, live, next_time, point
from infra.ledger.run_records import RunRecords
from infra.records.release import CandidateVerdict, Outcome, PublishRecord
from infra.storage import Storage
from models.bundle.build_bundle import build_bundle
from models.bundle.refit_winner import refit_winner
from models.evaluation.evaluate import evaluate
from models.publishing.publish import publish
from models.release.approve_release import ask, record_answer
from models.release.choose_candidate import choose_candidate
from models.release.judge_release import judge_release
from models.release.verdict import outcome_of
from tests.infra.ledger.test_ab_tests import ab_test, decision
from tests.models.conftest import (
    RUN,
    WINNER,
    WriteRun,
    prepare_bundle,
    save_gate,
    save_serving,
    write_lists,
)
from tests.models.interrupted import OTHER, is_whole
from tests.models.release.test_approve_release import judgement

MEANWHILE = "popularity"


def judged(shop: Storage, name: str, outcome: Outcome) -> CandidateVerdict:
    evaluation = RunRecords(shop, RUN).load_evaluation()
    assert evaluation is not None
    (score,) = [score for score in evaluation.scores if score.name == name]
    result = "met" if outcome == "release" else "missed"
    return CandidateVerdict(
        name=name,
        outcome=outcome,
        reason="r",
        judgements=(judgement(outcome, result=result),),
        model_sha256=score.model_sha256,
    )


@pytest.fixture
def meanwhile(shop: Storage, write_run: WriteRun) -> PublishRecord:
    """Let a run release another candidate while its best one waits."""
    prepare_bundle(shop, write_run())
    records = RunRecords(shop, RUN)
    verdict = records.load_verdict()
    assert verdict is not None
    recipe, best = judged(shop, MEANWHILE, "release"), judged(shop, WINNER, "review")
    change: dict[str, Any] = {"candidate": MEANWHILE, "best": WINNER}
    change |= {"outcome": outcome_of(recipe.judgements), "judgements": recipe.judgements}
    change |= {"model_sha256": recipe.model_sha256}
    change |= {"candidates": (best, recipe)}
    records.save_verdict(verdict.model_copy(update=change))
    build(shop)
    return publish(shop, RUN)


def build(shop: Storage) -> str:
    """Do what `release_candidate` does between a choice and the question; return the version."""
    made = refit_winner(shop, RUN)
    write_lists(shop, RUN, made.candidate)
    save_gate(shop, RUN)
    version = str(build_bundle(shop, RUN)["version"])
    save_serving(shop, RUN)
    return version


def choose(shop: Storage, candidate: str) -> str:
    choose_candidate(shop, RUN, candidate, "pm", "I have looked at its lists")
    return build(shop)


def approve(shop: Storage) -> None:
    question = ask(shop, RUN, "asks")
    assert question is not None
    answer = Answer(True, "pm", datetime.now(UTC), "it is better", question.digest)
    record_answer(shop, RUN, answer, "asks")


def test_the_best_one_takes_the_place_of_what_its_run_released(
    shop: Storage, meanwhile: PublishRecord
) -> None:
    version = choose(shop, WINNER)
    with pytest.raises(PublishError, match="needs an approval: nobody was asked"):
        publish(shop, RUN)
    assert live(shop) == meanwhile
    approve(shop)
    record = publish(shop, RUN)
    assert (record.number, record.version, record.candidate) == (2, version, WINNER)
    assert record.previous == meanwhile.version and version != meanwhile.version
    assert record.decided is not None and record.decided.by == "pm"
    assert live(shop) == record == RunRecords(shop, RUN).load_published()
    assert is_whole(shop, record) and is_whole(shop, meanwhile), "a person may roll back to it"
    assert publish(shop, RUN) == record, "once, however often it is called"


def test_a_candidate_that_was_live_before_may_be_chosen_again(
    shop: Storage, meanwhile: PublishRecord
) -> None:
    """Its earlier release is no trace of a publisher that died."""
    choose(shop, WINNER)
    approve(shop)
    publish(shop, RUN)
    choose(shop, MEANWHILE)
    record = publish(shop, RUN)
    assert (record.number, record.candidate) == (3, MEANWHILE)
    assert record.decided is not None and record.decided.why == "I have looked at its lists"
    assert live(shop) == record == publish(shop, RUN)
    assert [pointer.number for pointer in history(shop)] == [3, 2, 1]


def test_a_run_may_release_again_after_it_was_evaluated_against_its_own_release(
    shop: Storage, meanwhile: PublishRecord
) -> None:
    """Somebody cleared `evaluate`: what is live by then is what the run itself released."""
    assert evaluate(shop, RUN).champion == meanwhile.version
    verdict = judge_release(shop, RUN)
    assert verdict.champion == meanwhile.version
    best = judged(shop, WINNER, "release")
    change = {"candidate": WINNER, "outcome": "release", "candidates": (best,), "best": WINNER}
    change |= {"judgements": best.judgements, "model_sha256": best.model_sha256, "doubts": ()}
    RunRecords(shop, RUN).save_verdict(verdict.model_copy(update=change))
    version = build(shop)
    record = publish(shop, RUN)
    assert (record.number, record.version, record.previous) == (2, version, meanwhile.version)
    assert live(shop) == record


def test_what_another_run_released_is_not_replaced_by_an_old_choice(
    shop: Storage, meanwhile: PublishRecord
) -> None:
    change = {"run": OTHER, "version": "newer", "number": 2, "previous": meanwhile.version}
    newer = point(shop, meanwhile.model_copy(update={**change, "at": next_time(meanwhile)}))
    choose(shop, WINNER)
    approve(shop)
    with pytest.raises(PublishError, match=f"newer is live, but {RUN} was judged against nothing"):
        publish(shop, RUN)
    assert live(shop) == newer


def test_a_test_that_was_started_or_lost_since_the_verdict_holds_back(
    shop: Storage, write_run: WriteRun
) -> None:
    prepare_bundle(shop, write_run())
    treatment = {"version": "v2", "candidate": WINNER}
    control = {"version": "v1", "candidate": MEANWHILE}
    add_ab_record(shop, lambda _: ab_test(control=control, treatment=treatment))
    with pytest.raises(PublishError, match="may not go live unasked.*which goes on"):
        publish(shop, RUN)
    add_ab_record(shop, lambda _: decision(1))
    with pytest.raises(PublishError, match="may not go live unasked.*max decided against"):
        publish(shop, RUN)
    assert live(shop) is None
    swapped = ab_test(name="swapped", control=treatment, treatment=control)
    add_ab_record(shop, lambda _: swapped)
    add_ab_record(shop, lambda _: decision(3))
    assert publish(shop, RUN).candidate == WINNER, "another test was won by it"
