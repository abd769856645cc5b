"""What a report says of runs before it, of models beside each other, and the list of all runs."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import timedelta

import pytest

from infra.lake import run_key
from infra.ledger.record_files import RecordFiles
from infra.ledger.run_records import RunRecords
from infra.records.evaluation import Comparison, Score, Slice
from infra.records.gates import BatchDecision, GateRecord
from infra.records.release import ApprovalRecord
from infra.report.page import render, write_report
from infra.report.runs import LOOKED_AT, SHOWN, all_runs, find_runs, is_run, run_title, runs_before
from infra.report.snapshot import take_snapshot
from infra.report.trends import LENGTH
from infra.storage import Storage
from tests.infra.report.test_report import (
    EVALUATION,
    HOSTILE,
    NOON,
    REJECTED,
    check,
    gate,
    score,
    seen,
    verdict,
)

LIMITS = {"min": None, "max": 0.05}
LIGHT_USERS = Slice(name="light users", users=412, too_small=False, metrics={"ndcg_at_10": 0.0612})


def run_at(number: int, kind: str = "scheduled") -> str:
    return run_key(f"{kind}__{(NOON + timedelta(hours=number)).isoformat()}")


def page_of(shop: Storage, run: str) -> str:
    """Render the page of a run, as each of its tasks does, and return it."""
    write_report(shop, run)
    return shop.reports.read(f"{run}/index.html").decode()


def judged(shop: Storage, number: int, value: float | None, *others: GateRecord) -> str:
    """Write a run whose one check found a value, and return its page."""
    run, passed = run_at(number), value is not None and value <= 0.05
    rule = check("rows", value=value, passed=passed, **LIMITS)
    word = "passed" if passed else "stopped"
    RunRecords(shop, run).save_gate(gate("events", rule, run=run, result=word))
    return page_of(shop, run)


def after(shop: Storage, values: Sequence[float | None]) -> str:
    """Write runs one after the other and return the page of the last."""
    return [judged(shop, number, value) for number, value in enumerate(values)][-1]


def spark(page: str) -> str:
    found = re.search(r'class="spark".*?</svg>', page, re.DOTALL)
    assert found
    return found[0]


def test_a_first_failure_is_called_new(shop: Storage) -> None:
    assert "New: it passed in the run before." in seen(after(shop, [0.01, 0.02, 0.3]))


def test_a_failure_tells_since_when(shop: Storage) -> None:
    text = seen(after(shop, [0.01, 0.3, 0.4, 0.5]))
    assert "Fails since 24 Nov 2026, 13:00 UTC, scheduled: 3 runs in a row." in text


def test_a_failure_older_than_all_that_is_known_says_at_least(shop: Storage) -> None:
    assert "Fails since at least 24 Nov 2026, 12:00 UTC" in seen(after(shop, [0.3, 0.4]))


def test_a_check_that_passes_again_tells_no_since(shop: Storage) -> None:
    text = seen(after(shop, [0.3, 0.01]))
    assert "Fails since" not in text
    assert "New:" not in text


def test_the_first_run_has_no_trend(shop: Storage) -> None:
    assert 'class="spark"' not in after(shop, [0.3])


def test_a_trend_is_drawn_and_told_in_words(shop: Storage) -> None:
    drawn = spark(after(shop, [0.01, None, 0.02, 0.3]))
    assert "Last 4 runs, oldest first: 0.0100, —, 0.0200, 0.3000. Failed in 2." in drawn
    assert drawn.count("<polyline") == 1, "the run without a value leaves a gap"
    assert drawn.count("<circle") == 1, "a dot where nothing was measured would lie"


def test_a_trend_holds_the_last_runs_only(shop: Storage) -> None:
    assert f"Last {LENGTH + 1} runs" in after(shop, [0.01] * (LENGTH + 4))


def test_a_rule_that_was_not_judged_is_no_run_in_which_it_passed(shop: Storage) -> None:
    judged(shop, 0, 0.3)
    aside = check("rows", value=None, passed=False, not_judged="the first batch", **LIMITS)
    RunRecords(shop, run_at(1)).save_gate(gate("events", aside, run=run_at(1)))
    assert 'class="spark"' not in page_of(shop, run_at(1))
    page = judged(shop, 2, 0.4)
    assert "Fails since at least 24 Nov 2026, 12:00 UTC, scheduled: 2 runs in a row." in seen(page)
    assert "Last 2 runs, oldest first: 0.3000, 0.4000. Failed in 2." in page


@pytest.mark.parametrize("form", ["source={}", "batch={}-00000{}"])
def test_each_source_has_a_trend_of_its_own(shop: Storage, form: str) -> None:
    for number, (web, app) in enumerate([(1.0, 80.0), (2.0, 90.0)]):
        run = run_at(number)
        of_web = check("hours", value=web, max=72, partition=form.format("web-eu", number))
        of_app = check("hours", value=app, max=72, passed=False, partition=form.format("app", 7))
        record = gate("events", of_web, of_app, run=run, result="stopped")
        RunRecords(shop, run).save_gate(record)
    text = page_of(shop, run_at(1))
    assert "Last 2 runs, oldest first: 1 h, 2 h. Failed in 0." in text
    assert "Last 2 runs, oldest first: 80 h, 90 h. Failed in 2." in text


def test_a_threshold_has_a_trend_too(shop: Storage) -> None:
    for number in range(2):
        RunRecords(shop, run_at(number)).save_verdict(REJECTED)
    page = page_of(shop, run_at(1))
    assert "Fails since at least 24 Nov 2026, 12:00 UTC, scheduled: 2 runs in a row." in seen(page)


def test_later_runs_and_broken_ones_do_not_disturb_a_page(shop: Storage) -> None:
    judged(shop, 5, 0.4)
    shop.reports.write(f"{run_at(0)}/summary.json", b"{")
    shop.reports.write(f"{run_at(0)}/gates/events.json", b"{")
    assert 'class="spark"' not in judged(shop, 1, 0.3)


def test_rows_that_break_a_rule_are_shown_and_escaped(shop: Storage) -> None:
    rows = ({"user_key": "ab12", "price": -1.5}, {"user_key": HOSTILE, "reason": None})
    rule = check("price", passed=False, examples=rows)
    run = run_at(0)
    RunRecords(shop, run).save_gate(gate("events", rule, run=run, result="stopped"))
    page = page_of(shop, run)
    for expected in ("Rows that break these rules", "User key", "ab12", "-1.5"):
        assert expected in seen(page)
    assert "<script" not in page


def test_waiting_batches_are_named(shop: Storage) -> None:
    run = run_at(0)
    record = gate("events", run=run, waiting=("batch=shop-000042",))
    RunRecords(shop, run).save_gate(record)
    text = seen(page_of(shop, run))
    assert "Kept out until a person accepts or discards it, by the DAG resolve_batch" in text
    assert "batch=shop-000042" in text


def compared(name: str, low: float, high: float, word: str, **changes: object) -> Score:
    one = {"metric": "ndcg_at_10", "against": "champion", "difference": (low + high) / 2}
    comparison = Comparison.model_validate({**one, "low": low, "high": high, "finding": word})
    return score(name, 0.07).model_copy(update={"comparisons": (comparison,), **changes})


def evaluated(shop: Storage, *scores: Score) -> str:
    run = run_at(0)
    record = EVALUATION.model_copy(update={"scores": scores, "run": run})
    RunRecords(shop, run).save_evaluation(record)
    RunRecords(shop, run).save_verdict(verdict(run=run))
    return page_of(shop, run)


def test_models_are_better_worse_or_nobody_can_tell(shop: Storage) -> None:
    page = evaluated(
        shop,
        compared("lightfm", 0.001, 0.007, "better"),
        compared("content", -0.03, -0.02, "worse"),
        compared("also_bought", -0.004, 0.002, "cannot tell"),
    )
    duel = page[page.index('class="duel"') :]
    assert 'aria-label="NDCG@10 against the champion: lightfm is better, +0.0040' in duel
    for word, tone in (("better", "good"), ("worse", "bad"), ("cannot tell", "calm")):
        assert f'class="value strong {tone}">{word}</text>' in duel


def test_an_interval_that_holds_zero_is_drawn_across_the_line(shop: Storage) -> None:
    page = evaluated(shop, compared("lightfm", -0.004, 0.002, "cannot tell"))
    zero = float(re.findall(r'class="zero" x1="([\d.]+)%', page)[0])
    low, high = map(float, re.findall(r'class="span" x1="([\d.]+)%" x2="([\d.]+)%', page)[0])
    assert low < zero < high


def test_the_interval_of_a_metric_stands_on_its_bar(shop: Storage) -> None:
    bare = evaluated(shop, score("lightfm", 0.07))
    one = score("lightfm", 0.07).model_copy(update={"intervals": {"ndcg_at_10": (0.06, 0.09)}})
    assert evaluated(shop, one).count('class="span"') == bare.count('class="span"') + 3


def test_a_slice_that_is_too_small_has_no_number(shop: Storage) -> None:
    new_users = Slice(name="new users", users=31, too_small=True, metrics={"ndcg_at_10": 0.9})
    slices = {"slices": (new_users, LIGHT_USERS)}
    page = evaluated(shop, score("lightfm", 0.07).model_copy(update=slices))
    small, large = re.findall(r'<tr><th scope="row">(?:New|Light) users.*?</tr>', page, re.DOTALL)
    assert "too small to judge" in small
    assert "0." not in small
    assert "0.0612" in large


def test_notes_of_the_evaluation_are_shown(shop: Storage) -> None:
    run = run_at(0)
    record = EVALUATION.model_copy(update={"notes": (f"412 were left out {HOSTILE}",)})
    RunRecords(shop, run).save_evaluation(record)
    page = page_of(shop, run)
    assert "412 were left out" in seen(page)
    assert "<script" not in page


def test_runs_are_listed_by_their_time_whoever_started_them(shop: Storage) -> None:
    names = [run_at(0), run_at(1, "manual"), run_at(2), run_key("by-hand")]
    for name in names:
        write_report(shop, name)
    shop.reports.write("notes.txt", b"not a run")
    shop.reports.write("other/index.html", b"not a run")
    assert all_runs(shop.reports) == [names[2], names[1], names[0], names[3]]
    assert [one.run for one in runs_before(shop.reports, names[2], 5)][-2:] == names[:2]


def test_every_run_is_on_exactly_one_page(shop: Storage) -> None:
    names = [run_at(number) for number in range(2 * SHOWN + 3)]
    for name in names:
        RunRecords(shop, name).save_gate(gate("events", run=name))
    found, older = [], ""
    for _ in range(9):
        page = find_runs(shop.reports, None, older)
        found += [row.run for row in page.rows]
        if page.older is None:
            break
        older = page.older
    assert found == names[::-1]


def test_a_page_looks_at_a_bounded_number_of_runs(
    shop: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infra.report.runs.LOOKED_AT", 3)
    for number in range(5):
        write_report(shop, run_at(number))
    first = find_runs(shop.reports, "released", "")
    assert (first.rows, first.older) == ((), run_at(2))
    assert find_runs(shop.reports, "released", run_at(2)).older is None
    assert LOOKED_AT >= 100


@pytest.mark.parametrize(
    ("changes", "ending"),
    [
        ({}, "waiting"),
        ({"answer": "approved", "by": "ada", "at": NOON, "why": "a sale"}, "running"),
        ({"answer": "rejected", "by": "ada", "at": NOON, "why": "too soon"}, "rejected"),
    ],
)
def test_a_review_is_listed_by_its_answer(
    shop: Storage, changes: dict[str, object], ending: str
) -> None:
    run = run_at(0)
    RunRecords(shop, run).save_verdict(verdict(outcome="review", run=run))
    asked = {"run": run, "candidate": "lightfm", "asked": ("coverage",), "asked_at": NOON}
    given = {**asked, "manifest_sha256": "cd" * 32, **changes}
    RunRecords(shop, run).save_approval(ApprovalRecord.model_validate(given))
    assert [row.ending for row in find_runs(shop.reports).rows] == [ending]


def test_a_review_that_broke_off_waits_for_nobody(shop: Storage) -> None:
    run = run_at(0)
    RunRecords(shop, run).save_verdict(verdict(outcome="review", run=run))
    assert [row.ending for row in find_runs(shop.reports).rows] == ["waiting"]
    assert [row.ending for row in find_runs(shop.reports, over={run}).rows] == ["failed"]


def test_a_name_with_an_impossible_time_is_shown_as_it_is() -> None:
    assert run_title("run=manual__2026-99-24T04-12-58") == "manual__2026-99-24T04-12-58"


def test_a_record_of_a_gate_from_before_is_read(shop: Storage) -> None:
    run = run_at(0)
    RunRecords(shop, run).save_gate(gate("events", run=run))
    file = f"{run}/gates/events.json"
    old = json.loads(shop.reports.read(file)) | {"approval": None}
    shop.reports.write(file, json.dumps(old).encode())
    assert [row.ending for row in find_runs(shop.reports).rows] == ["running"]


@pytest.mark.parametrize(
    "name", ["run=..", "run=", "run=a/b", "run=a%2fb", "run=a\n", "..", "", "run=ä", "x" * 300]
)
def test_what_is_no_run_is_never_looked_for(name: str) -> None:
    assert is_run(name) is False


def test_a_run_that_is_over_is_not_called_running(shop: Storage) -> None:
    left, done, stopped = run_at(0), run_at(1), run_at(2)
    RunRecords(shop, left).save_gate(gate("events", run=left))
    RunRecords(shop, done).save_gate(gate("events", run=done))
    RunRecords(shop, stopped).save_verdict(REJECTED)
    over = frozenset({left, stopped})
    found = {row.run: row.ending for row in find_runs(shop.reports, over=over).rows}
    assert found == {left: "failed", done: "running", stopped: "rejected"}
    page = render(take_snapshot(RecordFiles(shop.reports, left), over=True))
    assert "nothing was recorded after the events gate" in seen(page)


def test_a_list_shows_what_the_records_say_now(shop: Storage) -> None:
    run = run_at(0)
    RunRecords(shop, run).save_verdict(REJECTED)
    write_report(shop, run)
    shop.reports.write(f"{run}/gates/events.json", b"{")
    (row,) = find_runs(shop.reports).rows
    assert (row.ending, row.word) == ("broken", "Could not be read")
    assert find_runs(shop.reports, "rejected").rows == (), "its summary alone still says so"
    assert [row.run for row in find_runs(shop.reports, "broken").rows] == [run]


def test_a_summary_of_another_run_is_not_believed(shop: Storage) -> None:
    stopped, copied = run_at(0), run_at(1)
    RunRecords(shop, stopped).save_gate(gate("events", run=stopped))
    RunRecords(shop, copied).save_verdict(REJECTED)
    write_report(shop, stopped)
    shop.reports.write(f"{copied}/summary.json", shop.reports.read(f"{stopped}/summary.json"))
    assert [row.run for row in find_runs(shop.reports, "rejected").rows] == [copied]


def test_decisions_of_before_the_last_run_are_folded(shop: Storage) -> None:
    """They stand in the record of every run until a gate decides again."""
    old = BatchDecision(decision="discarded", by="ben", at=NOON - timedelta(hours=1), why="old")
    new = BatchDecision(decision="accepted", by="ada", at=NOON + timedelta(minutes=30), why="new")
    shown = {}
    for number, decided in enumerate(({"batch=a-1": old}, {"batch=a-1": old, "batch=a-2": new})):
        at = NOON + timedelta(hours=number)
        record = gate("events", run=run_at(number), at=at, decided=decided)
        RunRecords(shop, run_at(number)).save_gate(record)
        shown[number] = page_of(shop, run_at(number))
    folded = "1 decision made before the last run"
    assert folded not in shown[0] and "batch=a-1</span> was discarded" in shown[0]
    before, after = shown[1].split(folded)
    assert "batch=a-2</span> was accepted" in before and "batch=a-1</span> was" not in before
    assert "batch=a-1</span> was discarded" in after
