"""The rehearsal of a change of the thresholds: what would have become of the last runs."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from pathlib import Path

import pytest

from infra.errors import SettingsError
from infra.records.evaluation import Score
from infra.storage import Storage
from models.release.check_release import main
from models.release.judge_release import judge_release
from tests.models.conftest import AS_OF, WriteRun
from tests.models.release.test_judge_release import champion, evaluated, score

RULES = """
ndcg_at_10: {min: 0.05, why: w, beats: popularity}
training_minutes: {max: 30, if_missed: review, why: w}
"""


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    file = tmp_path / "release.yaml"
    file.write_text(RULES)
    return file


def run_of(shop: Storage, write_run: WriteRun, number: int, mine: Score) -> str:
    """Write one run as it was evaluated and judged then, by the rules of now."""
    at = AS_OF + timedelta(hours=number)
    run = f"run=scheduled__{at:%Y-%m-%dT%H-%M-%S}-00-00"
    write_run(run=run)
    evaluated(shop, mine, folder=run, run=run)
    judge_release(shop, run)
    return run


def said(file: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> list[str]:
    assert main(arguments, file) == 0
    return capsys.readouterr().out.splitlines()


def test_what_would_have_become_of_the_last_runs(
    shop: Storage, write_run: WriteRun, rules: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number, ndcg in enumerate((0.2, 0.04, 0.1, 0.035)):
        run_of(shop, write_run, number, score("lightfm_hybrid", ndcg_at_10=ndcg))
    lines = said(rules, capsys, "--runs", "3")
    digest = hashlib.sha256(rules.read_bytes()).hexdigest()[:12]
    assert lines[0] == f"release.yaml (sha256 {digest}): valid, 2 metrics with limits."
    rows = [line.split() for line in lines[4:7]]
    name = "lightfm_hybrid"
    assert [row[1:5] for row in rows] == [
        ["release", name, "reject", name],
        ["release", name, "release", name],
        ["release", name, "reject", name],
    ]
    assert "scheduled__2026-11-24T03" in lines[4], "the newest comes first"
    assert "ndcg_at_10 is 0.035; it must be at least 0.05." in lines[4]
    assert "it met 2 of 3 thresholds, and 1 was not judged" in lines[5] or "it met all" in lines[5]
    assert lines[-1] == (
        "With these numbers, 2 of the last 3 would have been rejected, because of ndcg_at_10 at "
        "least 0.05 (2x). Of 3 that were released then, 1 would be again."
    )


def test_a_review_is_counted_apart(
    shop: Storage, write_run: WriteRun, rules: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_of(shop, write_run, 0, score("lightfm_hybrid", training_minutes=31.0))
    lines = said(rules, capsys)
    assert lines[4].split()[1:4:2] == ["review", "review"]
    assert lines[-1] == (
        "With these numbers, 1 of the last 1 would have waited for a person, because of "
        "training_minutes at most 30 min (1x)."
    )


def test_another_candidate_that_goes_on_is_named(
    shop: Storage, write_run: WriteRun, rules: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The best of that day knows few customers, which the new file does not allow."""
    few, next_best = score("als", user_coverage=0.6), score("lightfm_hybrid", ndcg_at_10=0.1)
    run = "run=scheduled__2026-11-24T00-00-00-00-00"
    write_run(run=run)
    popularity = score("popularity", ndcg_at_10=0.03)
    evaluated(shop, scores=(few, next_best, popularity), folder=run, run=run)
    assert judge_release(shop, run).candidate == "als"
    rules.write_text(f"{RULES}\nuser_coverage: {{min: 99%, why: w}}")
    lines = said(rules, capsys)
    assert lines[2].split("  ")[1:] and "Candidate then" in lines[2]
    assert lines[4].split()[1:5] == ["release", "als", "release", "lightfm_hybrid"]
    changed = "In 1 of the last 1 another candidate would go on: lightfm_hybrid in place of als"
    assert f"{changed} ({run.removeprefix('run=')})." in lines[-1]
    rules.write_text(f"{RULES}\nuser_coverage: {{min: 60%, why: w}}")
    assert "another candidate" not in said(rules, capsys)[-1]


def test_no_run_yet(shop: Storage, rules: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(rules, capsys)[-1] == "No run was evaluated yet, so there is nothing to replay."


def test_a_record_nobody_can_read_is_said_not_skipped(
    shop: Storage, write_run: WriteRun, rules: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = run_of(shop, write_run, 0, score("lightfm_hybrid"))
    shop.reports.write(f"{run}/evaluation.json", b"{")
    lines = said(rules, capsys, "--runs", "1")
    assert "unreadable" in lines[4] and "cannot be read" in lines[4]
    assert "1 of the last 1 cannot be replayed." in lines[-1]


def test_changed_columns_are_remembered(
    shop: Storage, write_run: WriteRun, rules: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = run_of(shop, write_run, 0, score("lightfm_hybrid"))
    evaluated(shop, champion=champion(), folder=run, run=run)
    assert judge_release(shop, run).outcome == "review", "nobody wrote down the champion's columns"
    assert said(rules, capsys, "--runs", "1")[4].split()[1:4:2] == ["review", "review"]


def test_rules_that_are_wrong_are_an_error(shop: Storage, rules: Path) -> None:
    rules.write_text("ndcg_at_10: {mim: 1, why: w}")
    with pytest.raises(SettingsError, match="unknown key 'mim', did you mean min\\?"):
        main([], rules)


@pytest.mark.parametrize("runs", ["0", "-1", "many"])
def test_a_number_of_runs_that_is_none(rules: Path, runs: str) -> None:
    with pytest.raises(SystemExit) as left:
        main(["--runs", runs], rules)
    assert left.value.code == 2
