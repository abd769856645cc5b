"""The cut is the latest midnight that leaves enough customers, within the limits of a hold-out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from jobs.cut import DAY, Wish, choose_cut, midnights

END = datetime(2026, 11, 30, 6, tzinfo=UTC)
MIDNIGHT = datetime(2026, 11, 30, tzinfo=UTC)
WISH = Wish(1000, 3, 28)
LONG = 400  # days with data


def growing(end: datetime, a_day: int, wish: Wish = WISH) -> dict[datetime, int]:
    """Return midnights of which each leaves as many customers more as days come to it."""
    return {time: a_day * (end - time).days for time in midnights(end, wish)}


@pytest.mark.parametrize(("a_day", "days"), [(400, 3), (250, 4), (100, 10), (38, 27)])
def test_the_hold_out_grows_until_it_can_tell(a_day: int, days: int) -> None:
    cut = choose_cut(growing(END, a_day), END, WISH, LONG, None)
    assert cut.at == MIDNIGHT - days * DAY
    assert cut.facts == {
        "users": a_day * days,
        "wanted_users": 1000,
        "days": days,
        "limited_by": "",
    }


@pytest.mark.parametrize(
    ("with_data", "champion", "days", "limited_by"),
    [
        (LONG, None, 27, "most_holdout_days"),  # 28 days before 06:00 lie after a midnight
        (40, None, 9, "quarter"),
        (LONG, 12.0, 12, "champion"),
        (LONG, 12.5, 12, "champion"),
        (40, 12.0, 9, "quarter"),
        (LONG, 40.0, 27, "most_holdout_days"),
        (4, None, 3, "quarter"),  # the least days are the floor
        (LONG, 1.0, 3, "champion"),
    ],
)
def test_what_ends_its_growth_is_named(
    with_data: int, champion: float | None, days: int, limited_by: str
) -> None:
    before = None if champion is None else MIDNIGHT - champion * DAY
    cut = choose_cut(growing(END, 10), END, WISH, with_data, before)
    assert ((END - cut.at).days, cut.limited_by) == (days, limited_by)


@pytest.mark.parametrize(("with_data", "limit"), [(LONG, "most_holdout_days"), (40, "quarter")])
def test_releases_of_a_small_shop_are_not_limited_by_the_one_before(
    with_data: int, limit: str
) -> None:
    """Each run of six hours is released: its cut is that of the champion of the next one."""
    champion, limits = None, list[str]()
    for run in range(100):
        end = MIDNIGHT + run * timedelta(hours=6)
        cut = choose_cut(growing(end, 10), end, WISH, with_data + run // 4, champion)
        champion, limits = cut.at, [*limits, cut.limited_by]
    assert set(limits) == {limit}


def test_a_champion_that_takes_no_customer_away_is_not_the_limit() -> None:
    users = dict.fromkeys(midnights(END, WISH), 5)
    champion = MIDNIGHT - 5 * DAY
    assert choose_cut(users, END, WISH, LONG, champion).limited_by == "most_holdout_days"
    users[MIDNIGHT - 7 * DAY] = 6
    assert choose_cut(users, END, WISH, LONG, champion).limited_by == "champion"


def test_enough_within_the_limits_is_not_limited() -> None:
    cut = choose_cut(growing(END, 334), END, WISH, LONG, MIDNIGHT - 3 * DAY)
    assert ((END - cut.at).days, cut.limited_by) == (3, "")


def test_where_none_has_enough_most_customers_win_and_the_latest_of_equals() -> None:
    users = dict.fromkeys(midnights(END, WISH), 5)
    assert choose_cut(users, END, WISH, LONG, None).at == MIDNIGHT - 3 * DAY
    users[MIDNIGHT - 7 * DAY] = 6
    assert choose_cut(users, END, WISH, LONG, None).at == MIDNIGHT - 7 * DAY


def test_nobody_to_judge_is_no_error_here() -> None:
    nobody = dict.fromkeys(midnights(END, WISH), 0)
    assert choose_cut(nobody, END, WISH, 0, None).users == 0


def test_midnights_are_those_of_utc() -> None:
    end = END.astimezone(tz=None).replace(microsecond=5)
    times = midnights(end, WISH)
    assert times == sorted(times) and len(times) == 25
    assert (times[-1], times[0]) == (MIDNIGHT - 3 * DAY, MIDNIGHT - 27 * DAY)
    assert midnights(MIDNIGHT, WISH)[0] == MIDNIGHT - 28 * DAY
    assert midnights(END, Wish(1, 3, 3)) == [MIDNIGHT - 3 * DAY]
    assert midnights(MIDNIGHT + timedelta(seconds=1), WISH)[-1] == MIDNIGHT - 3 * DAY
