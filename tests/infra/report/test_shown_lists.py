"""The page What customers see: two lists side by side, and no trace of the id asked for."""

from __future__ import annotations

import csv
from typing import Any

import pytest

from infra.errors import BundleError
from infra.ledger.ab_tests import add_ab_record
from infra.ledger.live_pointer import point
from infra.person_keys import PersonKeys
from infra.records.shown_lists import ItemOnShow, ListOnShow, ListQuestion
from infra.report.shown_lists import (
    ListsPage,
    Offer,
    Wish,
    lists_csv,
    offers_of,
    origin_of,
    question_of,
    render_lists,
    shown,
)
from infra.storage import Storage
from tests.infra.ledger.test_ab_tests import ab_test, decision
from tests.infra.report.test_ab_test import FRAME, HOSTILE, section, seen
from tests.infra.report.test_report import published

OFFERS = (Offer("v2", "live now"), Offer("v1", "live before"), Offer("v3", "treatment of t"))
KEYS = PersonKeys("a secret of the shop")
PICTURE = "https://img.shop.example/a.jpg"


def item(item_id: str, position: int, **fields: Any) -> ItemOnShow:
    return ItemOnShow(item_id=item_id, position=position, source="personal", **fields)


def page(*lists: ListOnShow, wish: Wish | None = None) -> ListsPage:
    return ListsPage(wish or Wish("home"), ("home", "cart"), OFFERS, lists)


def test_lists_stand_side_by_side_and_say_where_they_differ() -> None:
    live = ListOnShow(version="v2", items=(item("a", 1, title="Lamp"), item("b", 2)))
    before = ListOnShow(version="v1", items=(item("b", 1), item("a", 2), item("c", 3)))
    text = render_lists(page(live, before), FRAME)
    table = section(text, "lists-title")
    assert "2 of 2 items are in both lists" in table
    rows = [seen("</style>" + row) for row in table.split("<tr")[2:]]
    assert "Lamp a Chosen for the customer there at 2" in rows[0]
    assert "b b Chosen for the customer there at 2" in rows[0]
    assert "nothing c c" in rows[2] and "only here" in rows[2]
    headers = [seen("</style>" + head) for head in table.split('scope="col"')[1:4]]
    assert [head.split(">")[1].split("<")[0].split()[0] for head in headers] == [
        "Position",
        "Live",
        "Live",
    ]


def test_a_picture_is_shown_where_its_address_is_one_of_the_web() -> None:
    items = (
        item("a", 1, picture_url=PICTURE),
        item("b", 2, picture_url="/relative.jpg"),
        item("c", 3, picture_url="javascript:alert(1)"),
        item("d", 4, picture_url="https://evil.example; script-src *//x.jpg"),
    )
    made = page(ListOnShow(version="v2", items=items))
    text = render_lists(made, FRAME)
    assert text.count("<img") == 1 and f'src="{PICTURE}"' in text and 'alt=""' in text
    assert made.origins == ("https://img.shop.example",)
    assert "evil.example" not in text and "javascript" not in text
    assert origin_of("https://shop.example:8443/x") == "https://shop.example:8443"


def test_a_raw_id_leaves_no_trace() -> None:
    wish = Wish("home", "user", " anna@shop.example ", items="a, b\nc", market=" AT ")
    question = question_of(wish, KEYS)
    assert question.user_key == KEYS.of_user("anna@shop.example") and not question.visitor_key
    assert question.item_ids == ("a", "b", "c") and question.market == "AT"
    lists = (ListOnShow(version=version, knows_person=True) for version in ("v2", "v1"))
    made = page(*lists, wish=wish)
    text = render_lists(made, FRAME) + lists_csv(made) + question.model_dump_json()
    assert "anna" not in text


@pytest.mark.parametrize(
    ("who", "user", "visitor"),
    [
        ("", "", ""),
        ("key", "ab12", ""),
        ("visitor", "", KEYS.of_visitor("AB12")),
        ("user", KEYS.of_user("AB12"), ""),
    ],
)
def test_a_person_is_asked_for_by_the_key_alone(who: Any, user: str, visitor: str) -> None:
    question = question_of(Wish("home", who, "AB12"), KEYS)
    assert (question.user_key, question.visitor_key) == (user, visitor)


def test_what_no_version_knows_is_said() -> None:
    stranger = ListOnShow(version="v2", items=(item("a", 1),))
    said = "No version knows this person"
    assert said in render_lists(page(stranger, wish=Wish("home", "key", "ab")), FRAME)
    assert said not in render_lists(page(stranger), FRAME)
    known = stranger.model_copy(update={"knows_person": True})
    assert said not in render_lists(page(stranger, known, wish=Wish("home", "key", "ab")), FRAME)


def test_what_came_from_data_stays_text() -> None:
    items = (item(HOSTILE, 1, title=HOSTILE, reason=HOSTILE),)
    refused = ListOnShow(version="v1", refused=HOSTILE)
    text = render_lists(page(ListOnShow(version="v2", items=items), refused), FRAME)
    assert HOSTILE not in text and text.count("&lt;script&gt;") >= 3


def test_a_version_that_cannot_be_opened_leaves_the_other_one_to_see() -> None:
    class Half:
        def placements(self, version: str) -> tuple[str, ...]:
            return ("home",)

        def show(self, version: str, question: ListQuestion) -> ListOnShow:
            if version == "v1":
                raise BundleError("v1 was changed.", "Publish it again.")
            return ListOnShow(version=version, items=(item("a", 1),))

    asked = page(wish=Wish("home", beside="v1"))
    live, before = shown(Half(), asked, ListQuestion(placement="home"))
    assert live.items and before.refused == "v1 was changed. Publish it again."


def test_the_versions_of_now_before_and_under_test_are_offered(shop: Storage) -> None:
    assert offers_of(shop) == ()
    for number, version in ((1, "v1"), (2, "v2")):
        point(shop, published().model_copy(update={"version": version, "number": number}))
    arms = {"control": {"version": "v2", "candidate": "c"}}
    arms |= {"treatment": {"version": "v3", "candidate": "d"}}
    test = add_ab_record(shop, lambda _: ab_test(name="tried", **arms))
    assert [(offer.version, offer.role) for offer in offers_of(shop)] == [
        ("v2", "live now"),
        ("v1", "live before"),
        ("v3", "treatment of tried"),
    ]
    add_ab_record(shop, lambda _: decision(test.number))
    assert [offer.version for offer in offers_of(shop)] == ["v2", "v1"]
    chosen = ListsPage(Wish(beside="v3"), (), OFFERS).chosen
    assert [offer.version for offer in chosen] == ["v2", "v3"]
    assert [offer.version for offer in page(wish=Wish(beside="x")).chosen] == ["v2", "v1"]


def test_lists_can_be_taken_along() -> None:
    live = ListOnShow(version="v2", items=(item("=1", 1, title="-2", reason="because"),))
    made = page(live, ListOnShow(version="v1", items=(item("b", 1, url="https://shop.example/b"),)))
    first, second = csv.DictReader(lists_csv(made).splitlines())
    assert (first["list"], first["item_id"], first["title"]) == ("live now", "'=1", "'-2")
    assert (second["list"], second["version"], second["url"]) == (
        "live before",
        "v1",
        "https://shop.example/b",
    )
