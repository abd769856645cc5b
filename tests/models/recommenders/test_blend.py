"""The blend: what its ranker learns from knows nothing of what came later, and its order helps."""

from __future__ import annotations

import doctest
from dataclasses import replace
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from infra.errors import BundleError
from infra.records.evaluation import Learning
from infra.schemas import EVENT_TYPES
from models.data.run_steps import steps_of
from models.recommender import Interactions, ItemFeatures
from models.recommenders import blend, blended, habits
from models.recommenders.blend import Blend
from models.recommenders.blended import RANKER, Blended
from models.recommenders.capabilities import reasons
from models.recommenders.first_stage import NAMES, PROPOSERS
from models.steps import Steps
from tests.models.conftest import AS_OF, STEP_TYPES, arrays, interaction, item, step

DAYS, LATE = 12, 8  # of the log; the first day that the ranker learns from
USERS, ITEMS = 240, 30
Log = tuple[Interactions, ItemFeatures, Steps]


def log(later: int = 0) -> Log:
    """Let each user take three own items day by day; `later` changes what is taken at the end."""
    random = np.random.default_rng(5)
    mine = random.integers(0, ITEMS, (USERS, 3))
    taken = random.integers(0, 3, (USERS, DAYS))
    began = AS_OF - timedelta(days=DAYS)
    rows, pairs = [], []
    for user in range(USERS):
        for day in range(user % 2, DAYS, 2):
            other = later if day >= LATE else 0
            name = f"item{(mine[user, taken[user, day]] + other) % ITEMS:03d}"
            moment = began + timedelta(days=day)
            facts = {"event_time": moment, "event_type": "purchase", "session": f"s{day}"}
            rows.append(step(f"user{user:03d}", name, **facts))
            pairs.append({**interaction(f"user{user:03d}", name), "last_time": moment})
    latest = {(row["user_key"], row["item_id"]): row for row in pairs}
    catalogue = [
        item(f"item{place:03d}", brand=f"b{place % 4}", in_stock=place != 7)
        for place in range(ITEMS)
    ]
    train, items = arrays(list(latest.values()), catalogue)
    return train, items, steps_of(pa.Table.from_pylist(rows, STEP_TYPES), items.items)


def recipe(**parameters: Any) -> Blend:
    return Blend(
        **{
            "rounds": 30,
            "patience": 1000,
            "leaf_rows": 5,
            "places": 5,
            "learn_days": 4.0,
            **parameters,
        }
    )


@cache
def fitted() -> Blended:
    return recipe().fit_steps(*log())


def test_what_the_ranker_learns_from_knows_nothing_of_what_came_later() -> None:
    """Whatever people take in the last days, only what is wanted may follow it."""
    (_, items, steps), other = log(), log(later=11)
    late = steps.times >= steps.times.max() - np.timedelta64(3, "D")
    assert (other[2].item != steps.item)[late].all(), "the last days differ altogether"
    found = [recipe().early_stage(*each) for each in (log(), other)]
    assert found[0] is not None and found[1] is not None
    (stage, users, wanted), (other_stage, other_users, other_wanted) = found[0], found[1]
    assert len(users) == len(other_users) > 70 and (wanted != other_wanted).nnz > 200
    given, same = (each.propose(users, 5, items.recommendable) for each in (stage, other_stage))
    assert np.array_equal(given.columns, same.columns)
    np.testing.assert_array_equal(given.features, same.features)


def test_without_enough_users_in_the_lesson_reciprocal_ranks_decide(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Many took something, but what all but a few took is proposed by nobody."""
    lesson = recipe().lesson(*log())
    assert lesson is not None
    few = np.isin(lesson.users, np.unique(lesson.users)[: blend.FEWEST - 1])
    rows = np.repeat(few, lesson.groups)
    thin = blend.Lesson(
        lesson.features[rows], lesson.wanted[rows], lesson.groups[few], lesson.users[few]
    )
    monkeypatch.setattr(blend, "_lesson", lambda *_: thin)
    assert recipe().fit_steps(*log()).ranker == ""


def test_both_sides_of_a_lesson_hold_users_whoever_is_left() -> None:
    lesson = recipe().lesson(*log())
    assert lesson is not None
    for left in (0, 1):
        users = 5 * lesson.users + left
        again = blend.Lesson(lesson.features, lesson.wanted, lesson.groups, users)
        assert recipe(rounds=2).ranker_of(again)[0]


def test_a_group_that_lightgbm_cannot_rank_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = recipe().lesson(*log())
    assert whole is not None and blend.LARGEST_GROUP == 10_000
    largest = int(whole.groups.max()) - 1
    monkeypatch.setattr(blend, "LARGEST_GROUP", largest)
    lesson = recipe().lesson(*log())
    assert lesson is not None and lesson.groups.max() <= largest
    assert lesson.groups.tolist() == whole.groups[whole.groups <= largest].tolist()
    assert len(lesson.features) == len(lesson.wanted) == lesson.groups.sum()


def test_it_tells_what_each_tree_and_each_feature_brought(tmp_path: Path) -> None:
    told = fitted().learning()
    assert len(told.curve) == 30 and 0 < min(told.curve) <= max(told.curve) <= 1
    assert sum(told.importances.values()) == pytest.approx(1)
    assert set(told.importances) <= set(NAMES) and max(told.importances.values()) < 1
    fitted().save(tmp_path)
    assert Blended.load(tmp_path).learning().importances == told.importances
    assert recipe(rounds=0).fit_steps(*log()).learning() == Learning()


def test_it_ranks_what_is_taken_again_above_what_others_take() -> None:
    train, _, _ = log()
    given = fitted().recommend(train.users, 3, exclude_seen=False)
    had = train.weights.toarray() > 0
    assert fitted().ranker and had[np.arange(USERS), given.items[:, 0]].mean() > 0.9
    assert (np.diff(given.scores, axis=1) <= 0).all() and given.own.all()


def test_what_nobody_proposes_is_not_own_and_stands_last() -> None:
    train, _, _ = log()
    given = fitted().recommend(train.users, ITEMS, exclude_seen=False)
    filled = ~given.own & (given.items >= 0)
    assert filled.any() and not filled[:, 0].any()
    assert (np.diff(filled.astype(int), axis=1)[given.items[:, 1:] >= 0] >= 0).all()
    assert 7 not in given.items


def test_one_question_at_once_is_answered_as_among_many() -> None:
    model, (train, _, _) = fitted(), log()
    for user in train.users[:5]:
        row = model.row_of_user(str(user), 6, model.recommendable)
        given = model.recommend(np.array([user]), 6, exclude_seen=False)
        assert row is not None and row.items.tolist() == given.items[0][given.own[0]].tolist()
        assert model.own_places(str(user), given.scores[0].tolist()) == given.own.sum()
    assert model.row_of_user("nobody", 6, model.recommendable) is None
    shown = model.recommendable & (np.arange(ITEMS) < 9)
    assert set(model.only(shown).recommend(train.users, 4).items.ravel()) <= {*range(9), -1}


def test_many_users_are_scored_in_parts_as_in_one(monkeypatch: pytest.MonkeyPatch) -> None:
    model, (train, _, _) = fitted(), log()
    whole, _ = model.scores_of(train.users)
    asked = []
    propose = blended.FirstStage.propose

    def counted(stage: Any, users: Any, *rest: Any) -> Any:
        asked.append(len(users))
        return propose(stage, users, *rest)

    monkeypatch.setattr(blended.FirstStage, "propose", counted)
    for most, longest in ((7 * ITEMS, 7), (1, 1)):
        monkeypatch.setattr(blended, "PROPOSED", most)
        asked.clear()
        assert np.array_equal(model.scores_of(train.users)[0], whole)
        assert max(asked) == longest and sum(asked) == USERS


def test_an_own_item_that_is_back_in_stock_is_own_also_without_votes() -> None:
    train, items, steps = log()
    plain = recipe(rounds=0).fit_steps(train, items, steps)
    back = replace(plain, recommendable=np.ones(ITEMS, dtype=np.bool_))
    user = train.users[np.flatnonzero(train.weights[:, [7]].toarray())[:1]]
    given = back.recommend(user, ITEMS, exclude_seen=False)
    assert 7 in given.items[given.own]
    assert back.own_places(str(user[0]), given.scores[0].tolist()) == given.own.sum()


def test_strangers_are_answered_by_visits_and_customers_get_reasons() -> None:
    model, (train, items, _) = fitted(), log()
    lists = model.recommend(train.users[:9], 6)
    said = reasons(model, lists, items.items.tolist())
    assert sum(text.startswith("because you looked at") for row in said for text in row) > 9
    sessions = [items.items[:2]]
    given, expected = (
        each.recommend_sessions(sessions, 4)
        for each in (model, model.stage.models["session_neighbours"])  # type: ignore[attr-defined]
    )
    assert np.array_equal(given.items, expected.items)


def test_without_a_ranker_reciprocal_ranks_are_summed() -> None:
    train, items, steps = log()
    plain = recipe(rounds=0).fit_steps(train, items, steps)
    assert plain.ranker == ""
    proposals = plain.stage.propose(train.users[:1], 5, plain.recommendable)
    ranks = proposals.features[:, [NAMES.index(f"{name}_rank") for name in PROPOSERS]]
    expected = np.nansum(1 / (20 + ranks), axis=1)
    assert proposals.votes.tolist() == pytest.approx(expected.tolist(), rel=1e-5)
    best = plain.recommend(train.users[:1], 1, exclude_seen=False)
    assert best.scores[0, 0] == pytest.approx(expected.max(), rel=1e-5)


def test_a_saved_ranker_orders_the_same_and_a_cut_one_is_refused(tmp_path: Path) -> None:
    fitted().save(tmp_path)
    loaded, (train, _, _) = Blend.load(tmp_path), log()
    given, same = (model.recommend(train.users, 8) for model in (fitted(), loaded))
    assert np.array_equal(given.items, same.items) and np.array_equal(given.scores, same.scores)
    text = (tmp_path / RANKER).read_text(encoding="utf-8")
    other = text.replace(" pair_days ", " pair_weeks ")
    assert other != text
    for broken in (text[: len(text) // 2], other):
        (tmp_path / RANKER).write_text(broken, encoding="utf-8")
        with pytest.raises(BundleError, match="no ranker of these 36 features"):
            Blend.load(tmp_path)


def test_what_a_user_never_had_is_described_by_no_past() -> None:
    known = fitted().stage.known
    rows, columns = np.zeros(ITEMS, dtype=np.int64), np.arange(ITEMS)
    nothing = replace(
        known,
        starts=np.zeros_like(known.starts),
        items=known.items[:0],
        of_pairs=known.of_pairs[:0],
    )
    given, bare = known.features(rows, columns), nothing.features(rows, columns)
    own, past = known.items[: known.starts[1]], slice(0, len(habits.OF_PAIR))
    assert np.array_equal(given[own, past], known.of_pairs[: len(own)], equal_nan=True)
    assert np.isnan(np.delete(given, own, axis=0)[:, past]).all() and np.isnan(bare[:, past]).all()
    assert np.array_equal(given[:, past.stop :], bare[:, past.stop :])


def test_pairs_are_described_by_their_days_and_gaps() -> None:
    train, items, steps = log()
    found = habits.habits_of(train, steps)
    row = found.pairs[0]
    user, place = str(train.users[0]), int(train.weights.indices[0])
    visits = steps.persons[steps.visitors][steps.visits]
    times = np.sort(steps.times[(visits == user) & (steps.item == place)])
    assert row[habits.OF_PAIR.index("days")] == len(times)
    now = train.last_times.max()
    assert row[habits.OF_PAIR.index("age")] == (now - times[-1]) / habits.DAY
    if len(times) > 1:
        gap = (times[-1] - times[0]) / habits.DAY / (len(times) - 1)
        assert row[habits.OF_PAIR.index("gap")] == pytest.approx(gap)
    assert habits.BY_KIND[EVENT_TYPES.index("impression")] == 0
    assert found.users[0, habits.OF_USER.index("items")] == pytest.approx(
        np.log1p(train.weights[0].nnz)
    )
    assert len(items.items) == len(found.items)


def test_worked_examples() -> None:
    tried = doctest.testmod(habits)
    assert tried.failed == 0 and tried.attempted > 0
