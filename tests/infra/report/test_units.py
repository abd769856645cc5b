"""A number and its limit in one unit: what is shown stands as what is meant."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from infra.report.units import (
    PLAIN,
    SHARE,
    apart,
    beside,
    gaps,
    in_column,
    range_text,
    unit_of,
    written,
)
from models.metrics.ranking import METRICS

number = st.one_of(st.floats(-2, 2), st.floats(allow_nan=False, allow_infinity=False))


def shown(text: str) -> float:
    return float(re.sub(r"at least |just under |just over |[,%]", "", text))


def sign(value: float) -> int:
    return (value > 0) - (value < 0)


@given(number, number, st.sampled_from([PLAIN, SHARE]))
@example(0.99985, 0.9999, SHARE)
@example(0.9999, 0.9999, SHARE)
@example(0.3, math.nextafter(0.3, 1), PLAIN)
@example(0.0, 5e-324, SHARE)
@example(1e22, 1.0000001e22, PLAIN)
def test_a_value_is_seen_on_the_side_of_its_limit(value: float, end: float, unit: object) -> None:
    text, limit = beside(value, [end], unit), range_text(end, None, unit)
    if text.startswith("just ") and math.isclose(shown(text), shown(limit), abs_tol=1e-11):
        assert text.startswith(f"just {'under' if value < end else 'over'} ")
    else:
        assert sign(shown(text) - shown(limit)) == sign(value - end)


@given(number, number)
def test_two_values_that_differ_look_apart_and_in_order(one: float, other: float) -> None:
    texts = apart(one, other)
    assert shown(texts[0]) - shown(texts[1]) in (0, pytest.approx(one - other, rel=2, abs=1e-11))
    if abs(one - other) > 1e-11 * max(1, abs(one)):
        assert sign(shown(texts[0]) - shown(texts[1])) == sign(one - other)


@given(st.lists(st.floats(0, 2), min_size=2, max_size=8), st.sampled_from([PLAIN, SHARE]))
@example([0.16341, 0.16339], PLAIN)
def test_values_of_a_column_look_alike_only_if_they_are(values: list[float], unit: object) -> None:
    texts = in_column(values, unit)
    assert len({len(text.partition(".")[2]) for text in texts}) == 1, "equal decimals"
    distant = {round(value, 11) for value in values}
    assert len(set(texts)) >= len(distant)


@given(st.floats(-2, 2), st.sampled_from([PLAIN, SHARE]))
@example(-0.00001, PLAIN)
def test_a_difference_is_seen_on_its_side_of_zero(value: float, unit: object) -> None:
    (text,) = gaps([value], unit)
    shown_sign = sign(float(text.removesuffix(" points")))
    assert shown_sign == sign(value) or (shown_sign == 0 and abs(value) < 1e-11)


@pytest.mark.parametrize(
    ("name", "sentence", "value", "text"),
    [
        ("user_coverage", "", 0.9713, "97.1%"),
        ("user_coverage", "", 0.9997, "99.97%"),
        ("user_coverage", "", 1.0, "100%"),
        ("fallback_share", "", 0.0000012, "0.0001%"),
        ("list_overlap_vs_live", "", 0.25, "25.0%"),
        ("training_minutes", "", 12.345, "12.3 min"),
        ("peak_memory_mb", "", 412.0, "412 MB"),
        ("hours_since_last_event", "", 67.0, "67 h"),
        ("first_year", "year of the oldest event", 2026.0, "2026"),
        ("density", "share of all users times all items that is filled", 0.01, "1.0%"),
        ("repeated_places", "events that share their place in a visit", 1.0, "1"),
        ("holdout_users", "", 1033.0, "1,033"),
        ("ndcg_at_10", "", 0.0713, "0.0713"),
        ("ndcg_at_10", "", None, "—"),
        ("ndcg_at_10", "", math.inf, "—"),
    ],
)
def test_each_kind_of_number_has_its_unit(
    name: str, sentence: str, value: float | None, text: str
) -> None:
    assert written(value, unit_of(name, sentence)) == text


def test_every_metric_of_costs_and_shares_has_a_unit() -> None:
    signs = {metric: unit_of(metric).sign for metric in METRICS if unit_of(metric).sign}
    assert signs == {
        **dict.fromkeys(("user_coverage", "catalogue_coverage", "list_overlap_vs_live"), "%"),
        **dict.fromkeys(("fallback_share", "popularity_share"), "%"),
        **dict.fromkeys(("peak_memory_mb", "model_mb"), " MB"),
        "training_minutes": " min",
    }
