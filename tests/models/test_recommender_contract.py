"""What every model of candidates.yaml promises; a new entry is tested here without a new test."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from infra.errors import BundleError, InputError
from infra.rules import Strict
from infra.settings import load_settings
from models.candidates import Candidate, make
from models.recommender import Interactions, ItemFeatures, Recipe, Recommendations, Recommender
from models.recommenders.capabilities import ScoresAll, recommend_sessions
from tests.models.conftest import arrays, everyone, interaction, item, tastes

K = 8
HIDDEN = {"item038", "item039"}  # out of stock, without picture
pytestmark = everyone

Input = tuple[Interactions, ItemFeatures]


@pytest.fixture
def data() -> Input:
    return arrays(*tastes())


def files_of(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def same(left: Recommendations, right: Recommendations) -> bool:
    names = ("items", "scores", "fallback")
    return all(np.array_equal(getattr(left, name), getattr(right, name)) for name in names)


def test_a_recipe_gives_a_recommender(recipe: Recipe, fitted: Recommender) -> None:
    assert isinstance(recipe, Recipe) and isinstance(fitted, Recommender)


def test_it_says_what_it_may_name(fitted: Recommender, data: Input) -> None:
    assert np.array_equal(fitted.items, data[1].items)
    assert np.array_equal(fitted.recommendable, data[1].recommendable)
    given = fitted.recommend(np.array(["nobody"]), 500)
    assert np.array_equal(given.catalogue, fitted.items)
    named = np.zeros(len(fitted.items), dtype=np.bool_)
    named[given.items[given.items >= 0]] = True
    assert np.array_equal(named, fitted.recommendable)


def test_known_and_unknown_users(fitted: Recommender) -> None:
    asked = np.array(["nobody", "user003", "aaa", "zzz", "user000"])
    given = fitted.recommend(asked, K)
    assert given.fallback.tolist() == [True, False, True, True, False]
    assert given.users.tolist() == asked.tolist()
    assert given.item_ids(0) == given.item_ids(2) == given.item_ids(3) != []


def test_shapes_order_and_no_duplicates(fitted: Recommender, data: Input) -> None:
    given = fitted.recommend(data[0].users, K)
    assert given.items.shape == given.scores.shape == (60, K)
    assert given.items.dtype == np.int32 and given.scores.dtype == np.float32
    assert (np.diff(given.scores, axis=1) <= 0).all()
    assert all(len(set(given.item_ids(row))) == K for row in range(60))


@pytest.mark.parametrize("k", [1, 3, 38, 500])
def test_k_is_honoured(fitted: Recommender, k: int) -> None:
    given = fitted.recommend(np.array(["user000", "nobody"]), k, exclude_seen=False)
    found = min(k, 38)
    assert given.items.shape == (2, k)
    assert ((given.items >= 0).sum(axis=1) == found).all()
    assert (given.items[:, found:] == -1).all() and np.isneginf(given.scores[:, found:]).all()


def test_never_without_picture_or_out_of_stock(fitted: Recommender, data: Input) -> None:
    given = fitted.recommend(np.append(data[0].users, "nobody"), 40, exclude_seen=False)
    assert not HIDDEN & set(given.catalogue[np.unique(given.items[given.items >= 0])])


def test_an_item_missing_from_the_catalogue_is_never_shown(recipe: Recipe) -> None:
    pairs, catalogue = tastes()
    pairs += [interaction(f"user{number:03d}", "unlisted", weight=9) for number in range(60)]
    given = recipe.fit(*arrays(pairs, catalogue)).recommend(np.array(["user000", "nobody"]), 99)
    assert all("unlisted" not in given.item_ids(row) for row in range(2))


def test_seen_items_are_left_out_when_asked(fitted: Recommender, data: Input) -> None:
    train, _ = data
    without, with_seen = (
        fitted.recommend(train.users, 40, exclude_seen=exclude) for exclude in (True, False)
    )
    assert len(train.users)
    for row in range(len(train.users)):
        seen = set(train.items[train.weights[row].indices])
        assert not seen & set(without.item_ids(row))
        assert seen - HIDDEN <= set(with_seen.item_ids(row))


def test_a_user_who_saw_everything_gets_nothing(recipe: Recipe) -> None:
    pairs, catalogue = tastes()
    pairs = [row for row in pairs if row["user_key"] != "user000"]
    pairs += [interaction("user000", row["item_id"]) for row in catalogue]
    given = recipe.fit(*arrays(pairs, catalogue)).recommend(np.array(["user000"]), K)
    assert given.item_ids(0) == [] and not given.fallback[0]


def test_scores_of_everything_sorted_are_its_ranking(fitted: Recommender, data: Input) -> None:
    if not isinstance(fitted, ScoresAll):
        pytest.skip("takes part in nothing here")
    asked = np.append(data[0].users, "nobody")
    scores, ties = fitted.scores_of(asked)
    keys = ties.keys(*np.ogrid[: len(asked), : len(fitted.items)])
    ranked = np.lexsort((keys, -scores), axis=1)[:, :38]
    given = fitted.recommend(asked, 38, exclude_seen=False)
    assert np.array_equal(given.items, ranked)
    assert np.array_equal(np.isneginf(scores), np.tile(~fitted.recommendable, (len(asked), 1)))


def test_nobody_asked(fitted: Recommender, data: Input) -> None:
    given = fitted.recommend(np.array([], dtype=np.str_), K)
    assert given.items.shape == (0, K) and given.fallback.shape == (0,)


def test_one_user_alone_gets_what_they_get_among_others(fitted: Recommender, data: Input) -> None:
    among = fitted.recommend(data[0].users, K)
    alone = fitted.recommend(data[0].users[7:8], K)
    assert alone.item_ids(0) == among.item_ids(7)
    np.testing.assert_allclose(alone.scores[0], among.scores[7], rtol=1e-5)


def test_a_fit_changes_neither_its_recipe_nor_an_earlier_fit(
    fitted: Recommender, recipe: Recipe
) -> None:
    parameters, asked = recipe.model_dump(), np.array(["user000", "user050", "nobody"])
    before = fitted.recommend(asked, K)
    other = recipe.fit(*arrays(*tastes(users=30, items=20, seed=9)))
    assert recipe.model_dump() == parameters
    assert same(fitted.recommend(asked, K), before)
    assert not same(other.recommend(asked, K), before)


def test_the_same_seed_gives_the_same_lists(
    fitted: Recommender, data: Input, candidate: Candidate
) -> None:
    twin = make(candidate, load_settings()).fit(*data)
    lists, again = (model.recommend(data[0].users, K) for model in (fitted, twin))
    assert same(lists, again)


def test_saved_and_loaded_answers_are_bit_equal(
    recipe: Recipe, fitted: Recommender, data: Input, tmp_path: Path
) -> None:
    folders = [tmp_path / name for name in "ab"]
    for folder in folders:
        folder.mkdir()
    fitted.save(folders[0])
    loaded = recipe.load(folders[0])
    loaded.save(folders[1])
    asked = np.append(data[0].users, "nobody")
    assert same(loaded.recommend(asked, K), fitted.recommend(asked, K))
    sessions = [np.array(["item001", "item004"]), np.array(["never heard of"])]
    assert same(*(recommend_sessions(model, sessions, K) for model in (loaded, fitted)))
    files = [[path.relative_to(folder) for path in files_of(folder)] for folder in folders]
    assert files[0] == files[1]
    assert {name.suffix for name in files[0]} <= {".npz", ".json", ".txt"}
    for name in files[0]:
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes()


def test_a_broken_folder_is_a_bundle_error(
    recipe: Recipe, fitted: Recommender, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    with pytest.raises(BundleError):
        recipe.load(folder)
    fitted.save(folder)
    for file in [file for file in files_of(folder) if file.stat().st_size]:
        content = file.read_bytes()
        file.write_bytes(content[: len(content) // 2])
        with pytest.raises(BundleError):
            recipe.load(folder)
        file.write_bytes(content)


def test_pickled_arrays_are_refused(recipe: Recipe, fitted: Recommender, tmp_path: Path) -> None:
    fitted.save(tmp_path)
    for file in [file for file in files_of(tmp_path) if file.suffix == ".npz"]:
        with np.load(file) as arrays_:
            content = {name: arrays_[name] for name in arrays_.files}
        name = next(iter(content))
        kept = file.read_bytes()
        np.savez(file, **{**content, name: content[name].astype(object)})
        with pytest.raises(BundleError, match="allow_pickle"):
            recipe.load(tmp_path)
        file.write_bytes(kept)


@pytest.mark.parametrize("k", [0, -1])
def test_no_recommendations_asked(fitted: Recommender, data: Input, k: int) -> None:
    with pytest.raises(InputError, match="Ask for at least 1"):
        fitted.recommend(data[0].users, k)


def test_its_parameters_cannot_be_changed(recipe: Recipe) -> None:
    assert isinstance(recipe, Strict) and recipe.model_config["frozen"]


ONE_USER = [interaction("a", name) for name in "xyz"]
TWO_USERS = [*ONE_USER, interaction("b", "x")]
SHOWN, HIDDEN_ITEMS = ([item(name, in_stock=stock) for name in "xyz"] for stock in (True, False))
BAD = {
    "no positive interactions": ([], SHOWN),
    "Only one user": (ONE_USER, SHOWN),
    "weight nan of item 'y'": ([*TWO_USERS, interaction("b", "y", weight=np.nan)], SHOWN),
    "weight inf of item 'z'": ([*TWO_USERS, interaction("b", "z", weight=np.inf)], SHOWN),
    "weight -1.0 of item 'y'": ([*TWO_USERS, interaction("b", "y", weight=-1)], SHOWN),
    "No item may be recommended": (TWO_USERS, HIDDEN_ITEMS),
}


@pytest.mark.parametrize("message", BAD)
def test_what_nobody_can_learn_from_is_named(recipe: Recipe, message: str) -> None:
    with pytest.raises(InputError, match=message):
        recipe.fit(*arrays(*BAD[message]))


def test_attributes_that_fit_nothing_are_named(recipe: Recipe) -> None:
    train, items = arrays(TWO_USERS, SHOWN)
    more = arrays(TWO_USERS, [*SHOWN, item("unknown")])[1]
    broken = items.matrix.copy()
    broken.data[0] = np.nan
    cases = {
        "Item 'unknown' is in the attributes only": (train, more),
        "Item 'z' is in the interactions only": (train, arrays([], SHOWN[:2])[1]),
        "attribute 'brand=Aurora' is not finite": (train, replace(items, matrix=broken)),
        "have the shape": (train, replace(items, matrix=items.matrix[:2])),
    }
    for message, given in cases.items():
        with pytest.raises(InputError, match=message):
            recipe.fit(*given)


def test_items_without_any_attribute_and_a_single_item(recipe: Recipe) -> None:
    bare = item("x", brand=None, category=None, colour="", price=None)
    pairs = [interaction("a", "x"), interaction("b", "x")]
    given = recipe.fit(*arrays(pairs, [bare])).recommend(np.array(["c"]), 3)
    assert given.item_ids(0) == ["x"]


def test_one_row_is_refused_and_one_session_answered(recipe: Recipe, fitted: Recommender) -> None:
    with pytest.raises(InputError, match="Only one user"):
        recipe.fit(*arrays([interaction("a", "x")], SHOWN))
    given = recommend_sessions(fitted, [np.array(["item001"])], K)
    assert len(given.item_ids(0)) == K and "item001" not in given.item_ids(0)
