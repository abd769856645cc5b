"""What a page says of a verdict in words, counts, its table and its charts is one thing."""

from __future__ import annotations

import math
import re
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from infra.records.evaluation import Score
from infra.records.release import Judgement
from infra.report.page import render
from infra.report.results import RESULT_WORDS, results
from infra.report.snapshot import Snapshot
from infra.report.units import range_text, unit_of
from tests.infra.report.test_report import EVALUATION, RUN, judgement, sentence, verdict

MARKS = {"✓": "Pass", "✕": "Fail", "?": "Cannot tell", "·": "Not judged"}
METRICS = ("user_coverage", "ndcg_at_10", "training_minutes", "peak_memory_mb")
value = st.one_of(st.floats(0, 1), st.floats(0, 40), st.sampled_from([0.0, 0.3, 0.9999, 30.0]))
bound = st.one_of(
    value.map(lambda at: ("free", at)),
    st.sampled_from([0.0, 1e-16, 1e-9, 1e-5, -1e-5, 0.01]).map(lambda gap: ("beside", gap)),
)


@st.composite
def judged(draw: st.DrawFn, metric: str) -> Judgement:
    """Make a judgement as a release file would: the result follows from both numbers."""
    at, (kind, end), least = draw(value), draw(bound), draw(st.booleans())
    end = at + end if kind == "beside" else end
    held = at >= end if least else at <= end
    result = draw(st.sampled_from(["by the numbers"] * 4 + ["cannot tell", "not judged"]))
    if result == "by the numbers":
        result = "met" if held else "missed"
    fits = {"met": ["release"], "missed": ["review", "reject"]}
    limits = (end, None) if least else (None, end)
    old = f"{'at least' if least else 'at most'} {end:g}"
    return Judgement(
        metric=metric,
        value=at,
        limit=draw(st.sampled_from([old, range_text(*limits, unit_of(metric))])),
        bound=end,
        result=result,
        outcome=draw(st.sampled_from(fits.get(result, ["release", "review", "reject"]))),
        reason="said",
        why="why",
    )


verdicts = st.lists(st.sampled_from(METRICS), min_size=1, unique=True).flatmap(
    lambda metrics: st.tuples(*map(judged, metrics))
)


def test_the_count_of_thresholds_is_a_sentence() -> None:
    missed = {"result": "missed", "outcome": "review"}
    unsure = {"result": "cannot tell", "outcome": "review"}
    met, slow = judgement("ndcg_at_10"), judgement("training_minutes", **missed)
    assert results((met, slow)) == "missed 1 of 2 thresholds (Training minutes)"
    assert results((slow,)) == "missed 1 of 1 threshold (Training minutes)"
    both = results((met, slow, judgement("auc", **unsure)))
    assert both == "missed 1 of 3 thresholds (Training minutes), and nobody can tell of AUC"


def page_of(judgements: tuple[Judgement, ...]) -> str:
    outcomes = {judgement.outcome for judgement in judgements}
    worst = next(out for out in ("reject", "review", "release") if out in outcomes)
    scored = {judgement.metric: judgement.value for judgement in judgements}
    mine = Score(name="lightfm", role="candidate", parameters={}, metrics=scored)
    return render(
        Snapshot(
            run=RUN,
            ingest=None,
            gates={},
            evaluation=EVALUATION.model_copy(update={"scores": (mine,)}),
            verdict=verdict(*judgements, outcome=worst),
            approval=None,
            refit=None,
            published=None,
            unreadable={},
        )
    )


def cells(page: str) -> list[dict[str, str]]:
    """Return the rows of the table of thresholds, by the heads of its columns."""
    table = page[page.index("Release thresholds") :]
    rows = re.findall(r'<tr role="row".*?</tr>', table[: table.index("</table>")], re.S)
    cell = re.compile(r'data-label="(\w+)">(.*?)</td>', re.S)
    told = [
        {name: re.sub(r"<[^>]*>|\s+", " ", text) for name, text in cell.findall(row)}
        for row in rows
    ]
    return [{name: " ".join(text.split()) for name, text in row.items()} for row in told if row]


def number(text: str) -> float:
    return float(re.sub(r"just under |just over |at (least|most) |[%, MBmin]", "", text))


def side(text: str, limit: str) -> int:
    """Tell where a value seems to lie: below its limit, on it, or above."""
    for word, where in (("just under ", -1), ("just over ", 1)):
        near = math.isclose(number(text), number(limit), rel_tol=1e-9, abs_tol=1e-11)
        if text.startswith(word) and near:
            return where
    return (number(text) > number(limit)) - (number(text) < number(limit))


NEARLY = judgement(
    "user_coverage", value=0.99985, bound=0.9999, limit="at least 0.9999", result="missed",
    outcome="reject",
)  # fmt: skip


@settings(deadline=None)
@given(verdicts)
@example((NEARLY,))
def test_words_counts_tables_and_charts_never_contradict_the_verdict(
    judgements: tuple[Judgement, ...],
) -> None:
    page = page_of(judgements)
    rows, told = cells(page), sentence(page)
    by_result = {
        result: sum(judgement.result == result for judgement in judgements)
        for result in RESULT_WORDS
    }
    assert len(rows) == len(judgements)
    for row, judgement_ in zip(rows, judgements, strict=True):
        at, end = judgement_.value or 0.0, judgement_.bound or 0.0
        assert row["Result"] == RESULT_WORDS[judgement_.result]
        assert side(row["Value"], row["Limit"]) == (at > end) - (at < end)
        unit = unit_of(judgement_.metric).sign
        assert row["Value"].endswith(unit) and row["Limit"].endswith(unit)
    ticks = re.findall(r'<span class="bound[^"]*">(.) ([^<]*)</span>', page)
    assert [(MARKS[mark], text) for mark, text in ticks] == [
        (row["Result"], row["Limit"]) for row in rows
    ]
    bars = re.findall(r'class="value strong">([^<]*)</text>', page)
    assert [side(bar, row["Limit"]) for bar, row in zip(bars, rows, strict=True)] == [
        side(row["Value"], row["Limit"]) for row in rows
    ]
    assert bool(re.search(r"\bmet (all|the one)\b", told)) == (by_result["met"] == len(rows))
    counts = {
        "missed": r"missed (\d+) of",
        "not judged": r"(\d+) (?:was|were) not judged",
        "met": r"\bmet (\d+) of",
    }
    for result, words in counts.items():
        found = re.search(words, told)
        assert found is None or int(found[1]) == by_result[result]
    red = page.count('class="failed critical"'), page.count('class="bound missed"')
    assert red == (by_result["missed"], by_result["missed"])
    assert ("missed" in told) == bool(by_result["missed"])
    assert ("nobody can tell" in told) == bool(by_result["cannot tell"])
    assert ("not judged" in told) == bool(by_result["not judged"])


def kinds(*kinds_: str) -> list[Any]:
    outcomes = {"met": "release", "missed": "reject"}
    names = ("ndcg_at_10", "user_coverage", "training_minutes", "auc")
    return [
        judgement(name, result=kind, outcome=outcomes.get(kind, "release"))
        for name, kind in zip(names, kinds_, strict=False)
    ]


@pytest.mark.parametrize(
    ("judgements", "said"),
    [
        (kinds("met"), "met the one threshold"),
        (kinds("met", "met"), "met all 2 thresholds"),
        (kinds("met", "not judged"), "met 1 of 2 thresholds, and 1 was not judged (User coverage)"),
        (
            kinds("cannot tell", "met"),
            "met 1 of 2 thresholds, and nobody can tell of NDCG@10",
        ),
        (
            kinds("missed", "cannot tell", "not judged", "met"),
            "missed 1 of 4 thresholds (NDCG@10), nobody can tell of User coverage, "
            "and 1 was not judged (Training minutes)",
        ),
        ([], "was held to no threshold"),
    ],
)
def test_what_is_not_met_is_not_counted_as_met(judgements: list[Judgement], said: str) -> None:
    assert results(judgements) == said


def test_a_limit_that_is_missed_by_a_hair_is_not_shown_as_met() -> None:
    (row,) = cells(page_of((NEARLY,)))
    assert (row["Value"], row["Limit"], row["Result"]) == ("99.98%", "at least 99.99%", "Fail")
    assert math.isclose(number(row["Value"]), 99.98)
