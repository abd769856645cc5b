"""What becomes of ids at the door, in one ingestion of many kinds."""

from __future__ import annotations

from infra.ids import clean_id
from infra.person_keys import PersonKeys
from infra.schemas import EVENTS
from infra.storage import Storage
from tests.conftest import SECRET
from tests.jobs.shop_files import event, ingest, land, rows

KEYS = PersonKeys(SECRET)
NO_USER = ("null", "undefined", "None", "NaN", "0", " (not set) ", "[object Object]")
WRONG = (
    *({"item_id": wrong} for wrong in ("A\0", "x" * 257, "4,00638E+12", "5863.0", "A\ud83d")),
    *({name: "a\x07"} for name in ("event_id", "user_id", "visitor_id")),
)
CLEAN = {
    "blanks": {"item_id": "\u00a0i1 ", "user_id": " anna\t"},
    "number": {"item_id": 5863, "user_id": 17},
    "same text": {"item_id": "5863", "user_id": "17"},
    "emoji": {"item_id": "\U0001f6d2?", "user_id": "anna"},
    "composed": {"item_id": "Caf\u00e9"},
    "apart": {"item_id": "Cafe\u0301"},
    "visitor": {"user_id": "undefined", "visitor_id": "v1"},
    "no session": {"session_id": "s\0", "order_id": "x" * 300},
}
TELLING = {
    "anna.1795845600833.view": {"session_id": "of anna"},
    "17-1795845600833": {"user_id": "17", "session_id": "s117"},
    "e of cookie77": {"user_id": ..., "visitor_id": "cookie77", "order_id": "o7"},
    "anna@example.org": {"user_id": "berta"},
}


def test_ids_are_cleaned_refused_or_hashed_once_at_the_door(spark: object, shop: Storage) -> None:
    clean = [event(event_id=f"ok {name}", **changes) for name, changes in CLEAN.items()]
    telling = [event(event_id=name, **changes) for name, changes in TELLING.items()]
    nobody = [event(event_id=f"n{n}", user_id=word) for n, word in enumerate(NO_USER)]
    wrong = [event(**{"event_id": f"w{n}", **wrong}) for n, wrong in enumerate(WRONG)]
    blank = [event(event_id="blank", item_id="\u00a0"), event(event_id="b2", user_id="\u2003")]
    land(shop, [*clean, *telling, *nobody, *wrong, *blank, *telling])
    record = ingest(shop)
    assert record["quarantined"] == {"missing_field": 2, "no_user": 7, "wrong_id": len(WRONG)}
    assert record["duplicates"] == len(TELLING), "a hashed id is the same each time"
    assert record["notes"] == {
        **{"event_id hashed": 8, "session_id hashed": 2, "user_id of nobody": 1},
        **{"session_id dropped": 1, "order_id dropped": 1},
    }
    found = {str(row["event_id"]): row for row in rows(shop, "events")}
    items = {name.removeprefix("ok "): row["item_id"] for name, row in found.items()}
    assert (items["blanks"], items["composed"]) == ("i1", "Café") == ("i1", items["apart"])
    assert items["number"] == items["same text"] == "5863"
    keys = {name.removeprefix("ok "): row["user_key"] for name, row in found.items()}
    assert keys["blanks"] == KEYS.of_user("anna") and keys["visitor"] is None
    assert keys["number"] == keys["same text"] == KEYS.of_user("17")
    assert found["ok visitor"]["visitor_key"] == KEYS.of_visitor("v1")
    assert [row["session_id"] for row in found.values()].count("s117") == 1
    kept = str(list(found.values()))
    assert not [text for text in ("anna", "cookie77", "17-", "example.org") if text in kept]
    ids = [name for name in EVENTS.columns if name.endswith("_id")]
    every = [row[name] for row in found.values() for name in ids if row[name] is not None]
    assert [id_ for id_ in every if clean_id(str(id_)) != id_] == []
