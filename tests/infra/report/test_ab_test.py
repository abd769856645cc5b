"""The pages of A/B tests: a list by what is to do, and a page a test with its verdict on top."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from infra.errors import StorageError
from infra.ledger.ab_tests import add_ab_record
from infra.ledger.ab_verdicts import save_ab_verdict
from infra.records.ab_tests import AbDecision, AbTest, PhaseChange
from infra.records.ab_verdicts import AbVerdict
from infra.report.ab_test import AbTestPage, ab_test_csv, find_ab_test, render_ab_test
from infra.report.ab_tests import find_ab_tests, render_ab_tests
from infra.report.templates import Frame
from infra.storage import Storage
from tests.infra.ledger.test_ab_tests import NOON, ab_test, decision, phase

FRAME = Frame("/catwalk", "n0nce", airflow="/flow")
HOSTILE = "<script>alert(1)</script>"
DAY = timedelta(days=1)


def started(shop: Storage, **fields: Any) -> AbTest:
    return add_ab_record(shop, lambda _: ab_test(**fields))


def judged(test: AbTest, day: int = 0, **fields: Any) -> AbVerdict:
    """Return a verdict some days after the start: too early, though all looks won."""
    primary = {
        "metric": "conversion",
        "role": "primary",
        "control": 0.05,
        "treatment": 0.06,
        "relative": 0.2,
        "low": 0.11,
        "high": 0.29,
        "harm_high": 0.4,
        "finding": "too early",
    }
    names = ("sample ratio", "two arms", "other versions", "missing answers")
    of = {
        "test": test.number,
        "name": test.name,
        "phase": 1,
        "day": (NOON + day * DAY).date(),
        "as_of": NOON + day * DAY,
        "horizon": NOON + (test.days + test.mature_days) * DAY,
        "outcome": "too early",
        "headline": "Too early to tell: 300 of 1,000 planned units are counted to their end.",
        "units": {"control": 260, "treatment": 240},
        "mature": {"control": 160, "treatment": 140},
        "planned_units": 1_000,
        "metrics": [primary, {**primary, "metric": "ctr", "role": "shown"}],
        "health": [{"name": name, "passed": True, "sentence": f"{name} holds"} for name in names],
    }
    return AbVerdict.model_validate({**of, **fields})


def with_metrics(verdict: AbVerdict, *changes: dict[str, Any]) -> Sequence[dict[str, Any]]:
    return [{**verdict.metrics[0].model_dump(), **change} for change in changes]


def page_of(shop: Storage, name: str = "content-first") -> AbTestPage:
    page = find_ab_test(shop, name, NOON)
    assert page is not None
    return page


def rendered(shop: Storage, name: str = "content-first") -> str:
    return render_ab_test(page_of(shop, name), FRAME)


def listed(shop: Storage, now: datetime = NOON) -> str:
    return render_ab_tests(find_ab_tests(shop, now), FRAME)


def section(page: str, name: str) -> str:
    return page.split(f'aria-labelledby="{name}"')[1].split("</section>")[0]


def seen(page: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", page.split("</style>")[1]).split())


def test_before_the_horizon_nothing_is_shown_as_a_winner(shop: Storage) -> None:
    test = started(shop)
    save_ab_verdict(shop, judged(test, 9))
    page = rendered(shop)
    assert '<h1 id="verdict">Too early to tell</h1>' in page
    assert "300 of 1,000 planned units" in section(page, "verdict")
    difference = section(page, "difference-title")
    assert "+20.0%" in difference and "+11.0% to +29.0%" in difference, "seen, and called too early"
    assert "none of them is a win" in difference
    for text in (difference, section(page, "verdict")):
        classes = " ".join(re.findall(r'class="([^"]*)"', text)).split()
        assert "good" not in classes, "no tick before the horizon"
    assert "Better" not in seen(page) and "Ship the treatment" not in seen(page + listed(shop))


def test_a_verdict_stands_on_top_in_the_words_of_its_record(shop: Storage) -> None:
    test = started(shop)
    early = judged(test, 22)
    won = with_metrics(early, {"finding": "better"}, {"role": "guardrail", "finding": "kept"})
    rails = [won[0], {**won[1], "metric": "revenue", "margin": 0.02}]
    verdict = judged(test, 22, outcome="ship", headline="Ship content: it sells.", metrics=rails)
    kept = save_ab_verdict(shop, verdict)
    page = rendered(shop)
    assert page.index("Ship the treatment") < page.index("Ship content: it sells.")
    assert page.index("Ship content: it sells.") < page.index("difference-title")
    text = seen(page)
    assert "Better" in text and "Holds" in text and "guardrail: may fall by 2%" in text
    assert f"content-first {kept.sha256[:12]}" in text, "the words that the form offers"
    assert 'href="/flow/dags/decide_ab_test"' in page


def test_the_curve_has_a_gap_where_a_day_was_not_judged(shop: Storage) -> None:
    test = started(shop)
    for day in (7, 8, 10):
        save_ab_verdict(shop, judged(test, day))
    picture = section(rendered(shop), "difference-title").split("<svg")[1].split("</svg>")[0]
    assert picture.count('class="interval"') == picture.count("<circle") == 3
    assert picture.count('line class="judged"') == 1, "two neighbours, and one day alone"
    assert 'line class="limit"' in picture, "no difference is drawn"
    assert 'role="img"' in picture and "aria-label" in picture


def test_a_day_of_which_nobody_can_tell_is_a_gap_too(shop: Storage) -> None:
    test = started(shop)
    nothing = dict.fromkeys(("relative", "low", "high", "harm_high"))
    early = judged(test, 7)
    save_ab_verdict(shop, judged(test, 7, metrics=with_metrics(early, nothing)))
    difference = section(rendered(shop), "difference-title")
    assert (
        "<svg" not in difference.split("<table")[0]
        and "No difference can be told yet" in difference
    )
    save_ab_verdict(shop, judged(test, 8))
    half = {"relative": 0.1, "low": None, "high": None}
    save_ab_verdict(shop, judged(test, 9, metrics=with_metrics(early, half)))
    picture = section(rendered(shop), "difference-title").split("<svg")[1].split("</svg>")[0]
    assert picture.count('class="interval"') == picture.count("<circle") == 1


def test_a_verdict_on_an_earlier_phase_says_nothing_about_this(shop: Storage) -> None:
    test = started(shop)
    save_ab_verdict(shop, judged(test, 5))
    more = PhaseChange(at=NOON + 6 * DAY, by="eva", changes=1, phase=phase("b"), reason="more")
    add_ab_record(shop, lambda _: more)
    page = rendered(shop)
    assert "Not judged yet" in page and "+20.0%" not in page and "?format=csv" not in page
    assert "eva: more" in seen(page)
    assert "Not judged yet" in listed(shop) and "300 of 1,000" not in listed(shop)
    save_ab_verdict(shop, judged(test, 7, phase=2))
    assert "+20.0%" in rendered(shop) and page_of(shop).verdicts[0].phase == 2
    assert len(page_of(shop).verdicts) == 1


def test_who_was_exposed_stands_beside_what_was_expected(shop: Storage) -> None:
    test = started(shop, phase=phase(control=(0, 2_000), treatment=(9_000, 10_000)))
    save_ab_verdict(shop, judged(test))
    arms = seen("</style>" + section(rendered(shop), "arms-title"))
    assert "Control also_bought v1 260 160 52.0% 66.7%" in arms
    assert "Treatment content v2 240 140 48.0% 33.3%" in arms


def test_a_failed_check_is_told_with_what_was_seen(shop: Storage) -> None:
    test = started(shop)
    broken = {"name": "sample ratio", "passed": False, "sentence": f"52:48 {HOSTILE}"}
    verdict = judged(test, outcome="void", headline="Void.", health=[broken])
    save_ab_verdict(shop, verdict)
    page = rendered(shop)
    assert '<section class="verdict bad"' in page and "Fail" in section(page, "health-title")
    assert "52:48 &lt;script&gt;" in page and HOSTILE not in page


def test_the_decision_has_a_person_and_a_reason_and_ends_the_link_to_the_form(
    shop: Storage,
) -> None:
    test = started(shop, hypothesis=HOSTILE, reason="all the same")
    go_on = AbDecision.model_validate({**decision(1, "go on").model_dump(), "by": "pm"})
    add_ab_record(shop, lambda _: go_on)
    assert "dags/decide_ab_test" in rendered(shop)
    add_ab_record(shop, lambda _: decision(test.number, "keep"))
    page = rendered(shop)
    decided = seen("</style>" + section(page, "decision-title"))
    assert decided.index("Keep") < decided.index("Go on"), "newest first"
    assert "max: it is over" in decided and "dags/decide_ab_test" not in page
    assert "Kept by max" in seen(page) and "“it is over”" in page
    assert "&lt;script&gt;" in section(page, "plan-title") and HOSTILE not in page


def test_the_list_says_what_is_to_do(shop: Storage) -> None:
    for name in ("runs", "matures", "harms", "decided"):
        started(shop, name=f"test-{name}")
    times = {"at": NOON - 15 * DAY}
    old = started(shop, name="test-waits", **times)
    known = {test.state.test.name: test.state.test for test in find_ab_tests(shop, NOON).exposing}
    save_ab_verdict(shop, judged(known["test-harms"], outcome="harm", headline="Stop."))
    save_ab_verdict(shop, judged(old))
    add_ab_record(shop, lambda _: decision(known["test-decided"].number, "ship"))
    page = find_ab_tests(shop, NOON)
    names = {
        part: [test.state.test.name for test in getattr(page, part)]
        for part in ("exposing", "maturing", "due", "over")
    }
    assert names == {
        "exposing": ["test-matures", "test-runs"],
        "maturing": ["test-waits"],
        "due": ["test-harms"],
        "over": ["test-decided"],
    }
    text = listed(shop)
    assert text.index("Wait for a decision") < text.index("Running") < text.index("Decided")
    assert "Shipped by max" in seen(text) and 'href="/catwalk/ab-tests/test-waits"' in text
    assert 'href="/flow/dags/start_ab_test"' in text


def test_a_record_that_was_deleted_or_cannot_be_read_is_no_empty_page(shop: Storage) -> None:
    assert "No test takes new units" in listed(shop)
    for name in ("test-one", "test-two"):
        started(shop, name=name)
    shop.reports.write(f"ab_tests/test-two/{date(2026, 11, 24)}.json", b"{}")
    with pytest.raises(StorageError, match="test-two"):
        find_ab_tests(shop, NOON)
    with pytest.raises(StorageError, match="test-two"):
        page_of(shop, "test-two")
    shop.published.delete("ab_tests/0000000001.json")
    assert find_ab_test(shop, "test-one", NOON) is None
    shop.reports.delete(f"ab_tests/test-two/{date(2026, 11, 24)}.json")
    assert "were deleted:</b> 1." in listed(shop)


def test_the_numbers_can_be_taken_along(shop: Storage) -> None:
    test = started(shop)
    for day in (3, 4):
        save_ab_verdict(shop, judged(test, day))
    lines = list(csv.DictReader(ab_test_csv(page_of(shop)).splitlines()))
    assert [(line["day"], line["metric"]) for line in lines] == [
        (f"2026-11-{27 + day}", metric) for day in (0, 1) for metric in ("conversion", "ctr")
    ]
    assert lines[0]["relative"] == "0.2" and lines[0]["mature_treatment"] == "140"
    assert lines[0]["margin"] == "" and lines[0]["outcome"] == "too early"


def test_what_the_hold_out_said_stands_beside_what_customers_did(shop: Storage) -> None:
    """Signs agree or differ, of tests that came to their end or did harm; few prove nothing."""
    said = {"metric": "ndcg_at_10", "relative": 0.12, "low": 0.04, "high": 0.2}
    for name, relative, outcome in (
        ("agrees", 0.08, "ship"),
        ("differs", -0.03, "keep"),
        ("too-early", 0.5, "too early"),
        ("harm-goes-on", -0.4, "harm"),
        ("ended-for-harm", -0.4, "harm"),
    ):
        test = started(shop, name=name, offline=said)
        of = with_metrics(judged(test), {"relative": relative})
        save_ab_verdict(shop, judged(test, 22, outcome=outcome, metrics=of))
    ended = test.number
    add_ab_record(shop, lambda _: decision(ended))
    before = started(shop, name="kept-no-values")
    save_ab_verdict(shop, judged(before, 22, outcome="ship"))
    part = section(listed(shop, NOON + 30 * DAY), "offline-title")
    text = " ".join(re.sub(r"<[^>]+>", " ", part).split())
    assert "In 1 of 3 tests the better one offline was the better online. Below 10 tests" in text
    assert "+12.0% ndcg_at_10, +4.0% to +20.0% +8.0%" in text
    assert len(re.findall(r"\bagree\b", text)) == 1
    assert "differ" in text.partition("differs")[2]
    assert "too-early" not in text and "harm-goes-on" not in text and "kept-no-values" not in text
