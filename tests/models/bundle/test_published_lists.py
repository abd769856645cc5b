"""Published lists obey the overrides of all markets and categories that were in force then."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from infra.ledger.overrides import add_override, end_override
from infra.places import bundle_key
from infra.records.serving import Ending, Override
from infra.storage import Storage
from infra.stores.object_store import MANIFEST
from models.bundle.build_bundle import build_bundle
from models.bundle.check_serving import check
from models.bundle.published_lists import overrides_at
from models.merchandising.shop_rules import NO_RULES, ShopRules
from models.serving.answering import answer
from models.serving.question import Question
from models.serving.version import Version
from tests.models.conftest import AS_OF, RUN, WriteRun, prepare_bundle, tastes

DAY = timedelta(days=1)


def override(**fields: Any) -> Override:
    """Return an override in force when the lists were written, known a day before."""
    of = {"at": AS_OF - DAY, "by": "eva", "since": AS_OF - DAY, "until": AS_OF + DAY}
    of |= {"action": "block", "item_ids": ("item000",), "reason": "a test"}
    return Override.model_validate({**of, **fields})


@pytest.mark.parametrize(
    ("fields", "counts"),
    [
        ({}, True),
        ({"since": AS_OF}, True),
        ({"since": AS_OF + DAY / 2}, False),
        ({"until": AS_OF}, False),
        ({"at": AS_OF + DAY / 2}, False),
        ({"placement": "newsletter"}, True),
        ({"market": "AT"}, False),
        ({"category": "coats"}, False),
    ],
    ids=str,
)
def test_those_count_that_were_known_in_force_and_of_all_lists(
    shop: Storage, fields: dict[str, Any], counts: bool
) -> None:
    add_override(shop, override(**fields))
    assert [rule.number for rule in overrides_at(shop, AS_OF)] == [1] * counts


@pytest.mark.parametrize(("at", "counts"), [(AS_OF, False), (AS_OF + DAY / 2, True)])
def test_one_that_was_ended_before_does_not_count(
    shop: Storage, at: datetime, counts: bool
) -> None:
    add_override(shop, override())
    end_override(shop, Ending(at=at, by="eva", ends=1, reason="x"))
    assert [rule.number for rule in overrides_at(shop, AS_OF)] == [1] * counts


@pytest.fixture
def folder(shop: Storage, write_run: WriteRun) -> Path:
    """Return a bundle whose users are not shown what they bought, and may be shown the rest."""
    pairs, items = tastes()
    for number, pair in enumerate(pairs):
        pair["bought_time"] = AS_OF - DAY if number % 3 else None
    prepare_bundle(shop, write_run(pairs, items))
    return Path(shop.lake.address(bundle_key(RUN)))


def lists_of(folder: Path) -> dict[str, list[str]]:
    """Return the list of every user; scores never rise."""
    rows = pq.read_table(folder / "recommendations/part-00000.parquet").to_pylist()
    for row in rows:
        assert row["scores"] == sorted(row["scores"], reverse=True)
        assert len(row["scores"]) == len(row["item_ids"]) == len(set(row["item_ids"]))
    return {row["user_key"]: row["item_ids"] for row in rows}


def test_what_is_blocked_pinned_and_boosted_is_so_in_published_lists_and_answers_alike(
    shop: Storage, folder: Path
) -> None:
    before = lists_of(folder)
    blocked = tuple(sorted({ids[0] for ids in before.values()}))[:4]
    rare = [f"item{number:03d}" for number in range(38) if f"item{number:03d}" not in blocked]
    rules = [
        add_override(shop, override(item_ids=blocked)),
        add_override(shop, override(action="pin", place=2, item_ids=rare[-2:])),
        add_override(shop, override(action="boost", item_ids=rare[:3], placement="home")),
        add_override(shop, override(action="pin", place=1, item_ids=rare[5:6], placement="cart")),
    ]
    build_bundle(shop, RUN)
    after = lists_of(folder)
    assert set(after) == set(before)
    version = Version.open(folder)
    assert any(set(rare[:3]) & set(ids[:1]) for ids in after.values()), "boosted"
    for user, ids in after.items():
        assert ids[1:3] == rare[-2:] and not set(blocked) & set(ids)
        asked = Question(placement="home", user_key=user)
        given = answer(version, ShopRules(tuple(rules), {}), asked, AS_OF).item_ids
        assert ids == given, user
        plain = answer(version, NO_RULES, asked, AS_OF).item_ids
        assert before[user] == plain[: len(before[user])]
    stranger = Question(placement="home", k=version.placements.longest)
    expected = answer(version, ShopRules(tuple(rules), {}), stranger, AS_OF).item_ids
    assert json.loads((folder / "fallback.json").read_bytes())["item_ids"] == expected
    assert check(folder)["agreement"] == 1, "what is looked up has no overrides"
    assert json.loads((folder / "card.json").read_bytes())["overrides"] == [1, 2, 3, 4]


def test_a_bundle_built_again_is_the_same_whatever_curators_did_since(
    shop: Storage, folder: Path
) -> None:
    add_override(shop, override(item_ids=("item003",)))
    build_bundle(shop, RUN)
    before = (folder / MANIFEST).read_bytes()
    add_override(shop, override(at=AS_OF + DAY / 2))
    end_override(shop, Ending(at=AS_OF + DAY / 2, by="eva", ends=1, reason="x"))
    build_bundle(shop, RUN)
    assert (folder / MANIFEST).read_bytes() == before
    assert not any("item003" in ids for ids in lists_of(folder).values())
