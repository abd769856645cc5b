"""Slices against a slow version with sets, and none judged that is too small."""

from __future__ import annotations

from datetime import timedelta

import pytest

from infra.storage import Storage
from models.data.holdout import select
from models.data.run_tables import read_run
from models.evaluation import slices
from models.evaluation.evaluate import evaluate
from models.evaluation.slices import kinds
from models.training.trained_model import load_trained
from tests.models.conftest import AS_OF, BOUGHT, RUN, WriteRun, tastes
from tests.models.evaluation.test_evaluate import train_all
from tests.models.metrics.test_ranking import SLOW

CUT = AS_OF - timedelta(days=3)


def test_the_same_as_with_sets(
    shop: Storage, write_run: WriteRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slices, "FEWEST_USERS", 5)
    pairs, items = tastes()
    for row in pairs:  # odd users and items 0 to 4 are old
        old = int(row["user_key"][4:]) % 2 or row["item_id"] < "item005"
        row["last_time"] = CUT - timedelta(days=20 if old else 2)
    write_run(pairs, items)
    train_all(shop, RUN)
    train = [row for row in pairs if row["part"] == "train"]
    seen = {(row["user_key"], row["item_id"]) for row in train}
    wanted: dict[str, set[str]] = {}
    for row in pairs:
        if row["part"] == "holdout":
            wanted.setdefault(row["user_key"], set()).add(row["item_id"])
    old_items = {row["item_id"] for row in train if (CUT - row["last_time"]).days > 7}
    old_users = {row["user_key"] for row in train if (CUT - row["last_time"]).days > 7}
    members = {
        "new users": (set(wanted) - old_users, None),
        "light users (up to 6 items)": (set(wanted), None),
        "new items": (set(wanted), {row["item_id"] for row in items} - old_items),
        "category=coats": (set(wanted), {f"item{place:03d}" for place in range(20)}),
    }
    score = next(scored for scored in evaluate(shop, RUN).scores if scored.name == "also_bought")
    found = {part.name: part for part in score.slices}
    assert seen and set(members) < set(found)
    model = load_trained(shop, RUN, "also_bought").model
    users = read_run(shop, RUN).train.users
    given = model.recommend(users, 10)
    for name, (who, what) in members.items():
        values = []
        for row, user in enumerate(users):
            mine = wanted[str(user)] if what is None else wanted[str(user)] & what
            if user in who and mine:
                hits = [item in mine for item in given.item_ids(row)]
                values.append(SLOW["ndcg_at_10"](hits, len(mine)))
        assert found[name].users == len(values), name
        if len(values) < 5:
            assert found[name].too_small and found[name].metrics == {}
        else:
            assert found[name].metrics["ndcg_at_10"] == pytest.approx(sum(values) / len(values))


def test_too_small_is_said_and_never_judged(shop: Storage, write_run: WriteRun) -> None:
    write_run()
    train_all(shop, RUN)
    found = {part.name: part for part in evaluate(shop, RUN).scores[0].slices}
    assert found["category=coats"].too_small and found["category=coats"].users == 30
    assert found["category=coats"].metrics == {}
    heavy = found["heavy users (6 items or more)"]
    assert not heavy.too_small and set(heavy.metrics) == set(slices.SHOWN)


def test_a_shop_without_categories(shop: Storage, write_run: WriteRun) -> None:
    pairs, items = tastes()
    write_run(pairs, [{**row, "category": None} for row in items])
    tables = read_run(shop, RUN)
    names = [kind.name for kind in kinds(select(tables, BOUGHT), tables)]
    assert len(names) == 7 and names[0] == "new to the customer" and names[-1] == "new items"
