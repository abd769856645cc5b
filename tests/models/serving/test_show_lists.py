"""What the page What customers see is told: what the server answers, and nothing is published."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from infra.errors import CatwalkError
from infra.ledger.overrides import add_override, read_overrides
from infra.person_keys import PersonKeys
from infra.records.serving import Override
from infra.records.shown_lists import ListQuestion
from infra.storage import Storage
from models.merchandising.shop_rules import NO_RULES
from models.serving.answering import answer
from models.serving.home import unpacked
from models.serving.question import Question
from models.serving.show_lists import ListsOnShow
from models.serving.version import Version
from tests.models.conftest import tastes
from tests.models.serving.conftest import publish_first

QUESTIONS = (
    {"placement": "home", "user_key": "user001"},
    {"placement": "home"},
    {"placement": "product_page", "item_ids": ("item001",)},
    {"placement": "cart", "item_ids": ("item001", "item002", "unknown")},
    {"placement": "catalogue", "category": "c0"},
    {"placement": "again", "user_key": "user002", "market": "AT"},
)


def test_a_version_is_shown_as_the_server_answers_it(shop: Storage) -> None:
    version = publish_first(shop).version
    shows = ListsOnShow(shop)
    assert "product_page" in shows.placements(version)
    opened = Version.open(unpacked(shop.settings, version))
    for fields in QUESTIONS:
        found = shows.show(version, ListQuestion.model_validate(fields))
        asked = Question(**fields, explain=True)  # type: ignore[arg-type]
        told = answer(opened, NO_RULES, asked, datetime.now(UTC))
        assert [item.item_id for item in found.items] == told.item_ids, fields
        assert [item.source for item in found.items] == told.sources
        assert [item.reason for item in found.items] == [each.words for each in told.reasons or ()]
        assert found.knows_person == ("user_key" in fields)
    titles = dict(zip(opened.items.ids.tolist(), opened.items.titles.tolist(), strict=True))
    best = shows.show(version, ListQuestion(placement="home")).items
    assert best and all(item.title == titles[item.item_id] for item in best)
    assert [item.position for item in best] == list(range(1, len(best) + 1))


def test_overrides_count_from_the_next_look_on(shop: Storage) -> None:
    version = publish_first(shop).version
    shows, question = ListsOnShow(shop), ListQuestion(placement="home")
    first = shows.show(version, question).items[0].item_id
    now = datetime.now(UTC)
    block = {"at": now, "by": "eva", "action": "block", "item_ids": (first,), "reason": "a recall"}
    times = {"since": now - timedelta(hours=1), "until": now + timedelta(hours=1)}
    add_override(shop, Override.model_validate({**block, **times}))
    found = shows.show(version, question)
    assert first not in {item.item_id for item in found.items}
    assert found.applied_rules == ("block:1",)
    assert read_overrides(shop).last == 1, "nothing is written by looking"


def test_what_cannot_be_answered_says_why(shop: Storage) -> None:
    version = publish_first(shop).version
    shows = ListsOnShow(shop)
    refused = shows.show(version, ListQuestion(placement="catalogue"))
    assert refused.items == () and "needs a category" in refused.refused
    with pytest.raises(CatwalkError, match="unpacked"):
        shows.show("20200101T000000Z-0123456789ab", ListQuestion(placement="home"))
    stranger = ListQuestion(placement="home", user_key=PersonKeys("x" * 16).of_user("u"))
    assert not shows.show(version, stranger).knows_person
    assert tastes()[1], "there are items"
