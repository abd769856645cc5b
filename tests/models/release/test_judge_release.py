"""The verdict on a run: every row of the verdict table, and what the verdict is bound to."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from infra.errors import CatwalkError, ReleaseError, SettingsError, StorageError
from infra.ledger.run_records import RunRecords
from infra.ledger.run_rules import RELEASE
from infra.places import RULES
from infra.records.evaluation import EvaluationRecord, Score
from infra.records.release import Judgement, VerdictRecord
from infra.storage import Storage
from models.release import judge_release as release
from models.release.columns import columns_of
from models.release.judge_release import judge_release
from models.release.verdict import outcome_of
from tests.models.conftest import AS_OF, RUN, WriteRun, keep_files
from tests.models.release.test_limits import compared

GOOD = {"ndcg_at_10": 0.1, "user_coverage": 1.0, "catalogue_coverage": 0.5}
GOOD |= {"training_minutes": 1.0, "list_overlap_vs_live": 0.6}
LIVE = "version1"


def score(name: str, role: str = "candidate", **numbers: Any) -> Score:
    content = {"name": name, "role": role, "parameters": {}, "metrics": {**GOOD, **numbers}}
    content |= {"noise": {}}
    return Score.model_validate({**content, "model_sha256": f"digest of {name}"})


def evaluated(
    shop: Storage,
    mine: Score | None = None,
    champion: Score | bool | None = None,
    folder: str = RUN,
    **change: Any,
) -> EvaluationRecord:
    """Write an evaluation; `champion` is a score, or True for a live one that was not judged."""
    scores = [score("popularity", ndcg_at_10=0.03), mine or score("lightfm_hybrid")]
    record = EvaluationRecord(
        run=RUN,
        at=AS_OF,
        cut=AS_OF,
        users=1_000,
        items=1,
        train_interactions=1,
        holdout_interactions=1,
        scores=(*scores, champion) if isinstance(champion, Score) else tuple(scores),
        champion=LIVE if champion else None,
    ).model_copy(update=change)
    RunRecords(shop, folder).save_evaluation(record)
    return record


def went_live(shop: Storage, columns: tuple[str, ...] | None) -> None:
    """Publish the card of a champion, as its bundle holds it."""
    said = {} if columns is None else {"columns": list(columns)}
    shop.published.write(f"versions/{LIVE}/card.json", json.dumps({"data": said}).encode())


def judged(shop: Storage, file: Path = RELEASE) -> VerdictRecord:
    """Decide, and return the verdict that stands afterwards, whatever was raised."""
    try:
        keep_files(shop, RUN, release=file)
        judge_release(shop, RUN)
    except CatwalkError:
        assert found(shop).outcome == "reject", "only a rejection may raise"
    return found(shop)


def found(shop: Storage) -> VerdictRecord:
    record = RunRecords(shop, RUN).load_verdict()
    assert record is not None
    return record


def champion(**numbers: Any) -> Score:
    return score("lightfm_hybrid", "champion", **numbers)


def same_columns(shop: Storage) -> None:
    went_live(shop, columns_of(shop, RUN))


def a_good_first_run(shop: Storage) -> None:
    evaluated(shop)


def a_champion_as_good(shop: Storage) -> None:
    same_columns(shop)
    evaluated(shop, champion=champion())


def a_champion_that_does_not_load(shop: Storage) -> None:
    same_columns(shop)
    evaluated(shop, champion=True)


def a_drop(shop: Storage) -> None:
    same_columns(shop)
    evaluated(shop, champion=champion(ndcg_at_10=0.2))


def a_jump(shop: Storage) -> None:
    same_columns(shop)
    evaluated(shop, champion=champion(ndcg_at_10=0.05))


def a_drop_within_chance(shop: Storage) -> None:
    same_columns(shop)
    doubtful = compared("champion", -0.03, -0.05, 0.01)
    evaluated(shop, score("lightfm_hybrid").model_copy(update=doubtful), champion=champion())


def a_new_column(shop: Storage) -> None:
    went_live(shop, columns_of(shop, RUN)[1:])
    evaluated(shop, champion=champion())


def a_card_without_columns(shop: Storage) -> None:
    went_live(shop, None)
    evaluated(shop, champion=champion())


def a_card_that_is_gone(shop: Storage) -> None:
    evaluated(shop, champion=champion())


def a_metric_that_is_absent(shop: Storage) -> None:
    without = {name: value for name, value in GOOD.items() if name != "user_coverage"}
    evaluated(shop, score("lightfm_hybrid").model_copy(update={"metrics": without}))


def nan(shop: Storage) -> None:
    """Edited by hand: our own writer refuses NaN."""
    evaluated(shop)
    text = Path(shop.reports.address, RUN, "evaluation.json").read_text()
    shop.reports.write(f"{RUN}/evaluation.json", text.replace("0.1", "NaN").encode())


def slow_training(shop: Storage) -> None:
    evaluated(shop, score("lightfm_hybrid", training_minutes=31.0))


def below_bestsellers(shop: Storage) -> None:
    evaluated(shop, score("lightfm_hybrid", ndcg_at_10=0.01))


def baselines_alone(shop: Storage) -> None:
    evaluated(shop, scores=(score("popularity"),))


def an_unreadable_evaluation(shop: Storage) -> None:
    evaluated(shop)
    shop.reports.write(f"{RUN}/evaluation.json", b'{"run": ')


def an_evaluation_of_other_keys(shop: Storage) -> None:
    evaluated(shop)
    shop.reports.write(f"{RUN}/evaluation.json", b'{"ndcg_at_10": 0.9}')


def of_another_run(shop: Storage) -> None:
    evaluated(shop, run="run=other")


def nothing(shop: Storage) -> None:
    """Nobody evaluated."""


# what happened, outcome, what a reason says: the rows of the table, in its order
TABLE: list[tuple[Callable[[Storage], None], str, str]] = [
    (a_good_first_run, "release", "nothing is live yet"),
    (a_champion_as_good, "release", "at most 10% below the champion"),
    (below_bestsellers, "reject", "it must be above popularity"),
    (slow_training, "review", "it must be at most 30"),
    (a_metric_that_is_absent, "reject", "user_coverage was not measured"),
    (nan, "reject", "ndcg_at_10 was not measured"),
    (a_drop, "reject", "below the champion"),
    (a_drop_within_chance, "review", "chance alone may decide"),
    (a_jump, "review", "at most 50% above the champion"),
    (a_champion_that_does_not_load, "review", "could not be scored"),
    (a_new_column, "review", "new: interactions.bought_time"),
    (a_card_without_columns, "review", "nobody wrote down"),
    (a_card_that_is_gone, "review", "nobody wrote down"),
    (baselines_alone, "reject", "no releasable candidate"),
    (an_unreadable_evaluation, "reject", "evaluation.json cannot be read"),
    (an_evaluation_of_other_keys, "reject", "evaluation.json cannot be read"),
    (of_another_run, "reject", "never evaluated"),
    (nothing, "reject", "never evaluated"),
]


@pytest.mark.parametrize(("happened", "outcome", "said"), TABLE)
def test_the_verdict_table(
    happened: Callable[[Storage], None],
    outcome: str,
    said: str,
    shop: Storage,
    write_run: WriteRun,
) -> None:
    write_run()
    happened(shop)
    verdict = judged(shop)
    assert verdict.outcome == outcome
    assert said in " ".join(judgement.reason for judgement in verdict.judgements)


@pytest.mark.parametrize("content", [b"", b"{}", b"ndcg_at_10: {mim: 1, why: w}"])
def test_thresholds_that_cannot_be_read_reject(
    content: bytes, shop: Storage, write_run: WriteRun, tmp_path: Path
) -> None:
    """Also where the run was released before: the old verdict does not stand."""
    write_run()
    evaluated(shop)
    judge_release(shop, RUN)
    file = tmp_path / "release.yaml"
    file.write_bytes(content)
    keep_files(shop, RUN, release=file)
    with pytest.raises(SettingsError, match=f"{file}"):
        judge_release(shop, RUN)
    assert found(shop).outcome == "reject"
    assert str(file) in found(shop).judgements[0].reason
    assert found(shop).thresholds_sha256 == hashlib.sha256(content).hexdigest()
    assert found(shop).thresholds_text == content.decode()


def test_rules_that_were_changed_after_they_were_kept_reject(
    shop: Storage, write_run: WriteRun
) -> None:
    write_run()
    evaluated(shop)
    keep_files(shop, RUN)
    kept = shop.reports.read(f"{RUN}/{RULES}")
    shop.reports.write(f"{RUN}/{RULES}", kept.replace(b"beats: popularity", b"beats: content"))
    with pytest.raises(StorageError, match=r"rules\.json cannot be read.*sha256"):
        judge_release(shop, RUN)
    assert (found(shop).outcome, found(shop).thresholds_sha256) == ("reject", "unknown")


def test_tables_that_are_gone_reject(shop: Storage, write_run: WriteRun) -> None:
    write_run()
    evaluated(shop)
    shop.lake.begin("items", RUN)
    with pytest.raises(StorageError, match="not finished"):
        judge_release(shop, RUN)
    assert found(shop).outcome == "reject"


@pytest.mark.parametrize("error", [OSError, ValueError, KeyError, RuntimeError])
def test_judging_that_breaks_rejects(
    error: type[Exception], shop: Storage, write_run: WriteRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The verdict of before does not stand, and no text of the error is shown."""
    write_run()
    evaluated(shop)
    judge_release(shop, RUN)

    def broken(*_: Any) -> Any:
        raise error("user 4711 has no row")

    monkeypatch.setattr(release, "columns_of", broken)
    with pytest.raises(error):
        judge_release(shop, RUN)
    assert found(shop).outcome == "reject"
    reason = found(shop).judgements[0].reason
    assert reason == f"It failed by {error.__name__}: see the task's log."


def test_a_release_is_bound_to_what_was_judged(shop: Storage, write_run: WriteRun) -> None:
    write_run()
    a_champion_as_good(shop)
    verdict = judge_release(shop, RUN)
    assert verdict == found(shop)
    assert (verdict.outcome, verdict.candidate) == ("release", "lightfm_hybrid")
    assert verdict.thresholds_sha256 == hashlib.sha256(RELEASE.read_bytes()).hexdigest()
    assert verdict.batches == ("batch=shop-000001",)
    assert (verdict.model_sha256, verdict.champion) == ("digest of lightfm_hybrid", LIVE)
    assert "items.price double" in verdict.columns


def test_the_verdict_keeps_the_rules_that_judged(
    shop: Storage, write_run: WriteRun, tmp_path: Path
) -> None:
    write_run()
    evaluated(shop)
    file = tmp_path / "release.yaml"
    file.write_text("ndcg_at_10: {min: 0.05, why: w}")
    keep_files(shop, RUN, release=file)
    file.write_text("ndcg_at_10: {min: 0.9, why: w}")
    verdict = judge_release(shop, RUN)
    assert verdict.thresholds_text == "ndcg_at_10: {min: 0.05, why: w}"
    digest = hashlib.sha256(verdict.thresholds_text.encode()).hexdigest()
    assert verdict.thresholds_sha256 == digest


def test_a_rejection_says_why_and_what_to_do(shop: Storage, write_run: WriteRun) -> None:
    write_run()
    below_bestsellers(shop)
    with pytest.raises(ReleaseError, match="must be above popularity"):
        judge_release(shop, RUN)


def test_changed_columns_are_named(shop: Storage, write_run: WriteRun) -> None:
    write_run()
    file = next(Path(shop.lake.address("items", RUN)).glob("*.parquet"))
    before = columns_of(shop, RUN)
    for each in file.parent.glob("*.parquet"):
        pq.write_table(pq.read_table(each).drop_columns(["brand"]), each)
    went_live(shop, before)
    evaluated(shop, champion=champion())
    assert "gone: items.brand string" in judge_release(shop, RUN).judgements[-1].reason


def test_all_candidates_are_in_the_verdict(shop: Storage, write_run: WriteRun) -> None:
    write_run()
    slow = score("lightfm_hybrid", training_minutes=31.0)
    best, least = score("also_bought", ndcg_at_10=0.2), score("popularity", ndcg_at_10=0.03)
    evaluated(shop, scores=(least, slow, best, score("content")))
    verdict = judge_release(shop, RUN)
    assert [candidate.name for candidate in verdict.candidates] == [
        "also_bought",
        "lightfm_hybrid",
        "content",
    ]
    assert verdict.best == verdict.candidate == "also_bought"
    assert verdict.candidates[1].outcome == "review"
    assert verdict.candidates[1].reason.startswith("training_minutes is 31 min; it must be at most")


def test_values_that_were_changed_reject(shop: Storage, write_run: WriteRun) -> None:
    write_run()
    evaluated(shop, values_sha256="0" * 64)
    with pytest.raises(StorageError, match="not what the evaluation of .* wrote"):
        judge_release(shop, RUN)
    assert found(shop).outcome == "reject"


def test_the_outcome_is_that_of_its_judgements(shop: Storage, write_run: WriteRun) -> None:
    write_run()
    evaluated(shop, score("lightfm_hybrid", training_minutes=31.0))
    verdict = judge_release(shop, RUN)
    assert verdict.outcome == outcome_of(verdict.judgements) == "review"
    assert all(isinstance(judgement, Judgement) for judgement in verdict.judgements)
