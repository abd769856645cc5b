"""What every model of candidates.yaml promises; a new entry is tested here without a new test."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from infra.errors import BundleError, InputError
from infra.settings import load_settings
from infra.storage import Storage
from models.candidates import Candidate, load_candidates, make
from models.recommender import Interactions, ItemFeatures, Recommendations, Recommender
from tests.models.conftest import arrays, interaction, item, tastes

K = 8
HIDDEN = {"item038", "item039"}  # out of stock, without picture
everyone = pytest.mark.parametrize("candidate", load_candidates(), ids=lambda one: one.name)
pytestmark = everyone

Input = tuple[Interactions, ItemFeatures]


@pytest.fixture
def new(shop: Storage, candidate: Candidate) -> Recommender:
    model: Recommender = make(candidate, load_settings())
    return model


@pytest.fixture
def data() -> Input:
    return arrays(*tastes())


def same(one: Recommendations, other: Recommendations) -> bool:
    pairs = [(one.items, other.items), (one.scores, other.scores), (one.fallback, other.fallback)]
    return all(np.array_equal(left, right) for left, right in pairs)


def test_is_a_recommender(new: Recommender) -> None:
    assert isinstance(new, Recommender)


def test_known_and_unknown_users(new: Recommender, data: Input) -> None:
    asked = np.array(["nobody", "user003", "aaa", "zzz", "user000"])
    given = new.fit(*data).recommend(asked, K)
    assert given.fallback.tolist() == [True, False, True, True, False]
    assert given.users.tolist() == asked.tolist()
    assert given.item_ids(0) == given.item_ids(2) == given.item_ids(3) != []


def test_shapes_order_and_no_duplicates(new: Recommender, data: Input) -> None:
    given = new.fit(*data).recommend(data[0].users, K)
    assert given.items.shape == given.scores.shape == (60, K)
    assert given.items.dtype == np.int32 and given.scores.dtype == np.float32
    assert (np.diff(given.scores, axis=1) <= 0).all()
    assert all(len(set(given.item_ids(row))) == K for row in range(60))


@pytest.mark.parametrize("k", [1, 3, 38, 500])
def test_k_is_honoured(new: Recommender, data: Input, k: int) -> None:
    given = new.fit(*data).recommend(np.array(["user000", "nobody"]), k, exclude_seen=False)
    found = min(k, 38)
    assert given.items.shape == (2, k)
    assert ((given.items >= 0).sum(axis=1) == found).all()
    assert (given.items[:, found:] == -1).all() and np.isneginf(given.scores[:, found:]).all()


def test_never_without_picture_or_out_of_stock(new: Recommender, data: Input) -> None:
    given = new.fit(*data).recommend(np.append(data[0].users, "nobody"), 40, exclude_seen=False)
    assert not HIDDEN & set(given.catalogue[np.unique(given.items[given.items >= 0])])


def test_an_item_missing_from_the_catalogue_is_never_shown(new: Recommender) -> None:
    pairs, catalogue = tastes()
    pairs += [interaction(f"user{number:03d}", "unlisted", weight=9) for number in range(60)]
    given = new.fit(*arrays(pairs, catalogue)).recommend(np.array(["user000", "nobody"]), 99)
    assert all("unlisted" not in given.item_ids(row) for row in range(2))


def test_seen_items_are_left_out_when_asked(new: Recommender, data: Input) -> None:
    train, _ = data
    new.fit(*data)
    without, with_seen = (
        new.recommend(train.users, 40, exclude_seen=exclude) for exclude in (True, False)
    )
    for row in range(len(train.users)):
        seen = set(train.items[train.weights[row].indices])
        assert not seen & set(without.item_ids(row))
        assert seen - HIDDEN <= set(with_seen.item_ids(row))


def test_a_user_who_saw_everything_gets_nothing(new: Recommender) -> None:
    pairs, catalogue = tastes()
    pairs = [row for row in pairs if row["user_key"] != "user000"]
    pairs += [interaction("user000", row["item_id"]) for row in catalogue]
    given = new.fit(*arrays(pairs, catalogue)).recommend(np.array(["user000"]), K)
    assert given.item_ids(0) == [] and not given.fallback[0]


def test_nobody_asked(new: Recommender, data: Input) -> None:
    given = new.fit(*data).recommend(np.array([], dtype=np.str_), K)
    assert given.items.shape == (0, K) and given.fallback.shape == (0,)


def test_one_user_alone_gets_what_they_get_among_others(new: Recommender, data: Input) -> None:
    new.fit(*data)
    among = new.recommend(data[0].users, K)
    alone = new.recommend(data[0].users[7:8], K)
    assert alone.item_ids(0) == among.item_ids(7)
    np.testing.assert_allclose(alone.scores[0], among.scores[7], rtol=1e-5)


def test_a_second_fit_forgets_the_first(
    new: Recommender, data: Input, candidate: Candidate
) -> None:
    other = arrays(*tastes(users=30, items=20, seed=9))
    fresh = make(candidate, load_settings()).fit(*other)
    again = new.fit(*data).fit(*other)
    asked = np.array(["user000", "user050", "nobody"])
    assert again is new and same(again.recommend(asked, K), fresh.recommend(asked, K))


def test_the_same_seed_gives_the_same_lists(
    new: Recommender, data: Input, candidate: Candidate
) -> None:
    twin = make(candidate, load_settings())
    one, other = (model.fit(*data).recommend(data[0].users, K) for model in (new, twin))
    assert same(one, other)


def test_saved_and_loaded_answers_are_bit_equal(
    new: Recommender, data: Input, tmp_path: Path
) -> None:
    folders = [tmp_path / name for name in "ab"]
    for folder in folders:
        folder.mkdir()
    new.fit(*data).save(folders[0])
    loaded = type(new).load(folders[0])
    loaded.save(folders[1])
    asked = np.append(data[0].users, "nobody")
    assert same(loaded.recommend(asked, K), new.recommend(asked, K))
    files = [sorted(path.name for path in folder.iterdir()) for folder in folders]
    assert files[0] == files[1]
    assert {Path(name).suffix for name in files[0]} <= {".npz", ".json"}
    for name in files[0]:
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes()


def test_a_broken_folder_is_a_bundle_error(new: Recommender, data: Input, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    with pytest.raises(BundleError):
        type(new).load(folder)
    new.fit(*data).save(folder)
    for file in folder.iterdir():
        content = file.read_bytes()
        file.write_bytes(content[: len(content) // 2])
        with pytest.raises(BundleError):
            type(new).load(folder)
        file.write_bytes(content)


def test_pickled_arrays_are_refused(new: Recommender, data: Input, tmp_path: Path) -> None:
    new.fit(*data).save(tmp_path)
    for file in tmp_path.glob("*.npz"):
        with np.load(file) as arrays_:
            content = {name: arrays_[name] for name in arrays_.files}
        name = next(iter(content))
        np.savez(file, **{**content, name: content[name].astype(object)})
        with pytest.raises(BundleError, match="allow_pickle"):
            type(new).load(tmp_path)


@pytest.mark.parametrize("k", [0, -1])
def test_no_recommendations_asked(new: Recommender, data: Input, k: int) -> None:
    with pytest.raises(InputError, match="Ask for at least 1"):
        new.fit(*data).recommend(data[0].users, k)


def test_never_fitted(new: Recommender, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="never fitted"):
        new.recommend(np.array(["a"]), K)
    with pytest.raises(InputError, match="never fitted"):
        new.save(tmp_path)


def test_what_nobody_can_learn_from(new: Recommender) -> None:
    one_user = [interaction("a", name) for name in "xyz"]
    two_users = [*one_user, interaction("b", "x")]
    shown, hidden = ([item(name, in_stock=stock) for name in "xyz"] for stock in (True, False))
    cases = {
        "Only one user": (one_user, shown),
        "no positive interactions": ([], shown),
        "No item may be recommended": (two_users, hidden),
        "not positive and finite": ([*two_users, interaction("b", "y", weight=np.nan)], shown),
        "not positive": ([*two_users, interaction("b", "y", weight=-1)], shown),
    }
    for message, (pairs, catalogue) in cases.items():
        with pytest.raises(InputError, match=message):
            new.fit(*arrays(pairs, catalogue))


def test_items_without_any_attribute_and_a_single_item(new: Recommender) -> None:
    bare = item("x", brand=None, category=None, colour="", price=None)
    pairs = [interaction("a", "x"), interaction("b", "x")]
    given = new.fit(*arrays(pairs, [bare])).recommend(np.array(["c"]), 3)
    assert given.item_ids(0) == ["x"]
