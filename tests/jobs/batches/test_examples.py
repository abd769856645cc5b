"""Quarantined rows are shown so that a rule can be mended, and nobody can be named."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from infra.storage import Storage
from jobs.batches.examples import MOST, example_of, examples, replay_command, without_persons
from jobs.batches.quarantine import Group
from jobs.landing.sources import EventFeed, load_sources, quoted
from tests.jobs.test_replay_quarantine import put

USER, BATCH = "u0000022", "batch=shop-000000"
ROW = {
    "event_id": f"{USER}.1795845600833.view",
    "event_type": "hover",
    "event_time": "2026-11-28T10:00:00Z",
    "user_id": USER,
    "item_id": "i1",
    "session_id": f"of {USER}, who writes from anna@example.org",
    "price": "9.90",
    "note": "no field of the source",
}
SHOP = load_sources(("shop", "online_retail"))


def shown(raw: bytes, feed: EventFeed) -> dict[str, str]:
    return example_of(Group(BATCH, "unknown_type", 1), raw, feed).fields


def test_a_row_is_shown_without_its_person() -> None:
    assert shown(json.dumps(ROW).encode(), SHOP["shop"].events) == {
        "event_id": "(hidden).1795845600833.view",
        "event_type": "hover",
        "event_time": "2026-11-28T10:00:00Z",
        "user_id": "(hidden)",
        "item_id": "i1",
        "session_id": "of (hidden), who writes from <email>",
    }
    csv = b'536365,85123A,"WHITE, HANGING",6,2010-12-01 08:26:00,2.55,17850,United Kingdom'
    assert shown(csv, SHOP["online_retail"].events)["CustomerID"] == "(hidden)"
    assert shown(csv, SHOP["online_retail"].events)["Description"] == "WHITE, HANGING"
    number = json.dumps({**ROW, "user_id": 22, "item_id": 9}).encode()
    assert shown(number, SHOP["shop"].events)["user_id"] == "(hidden)"
    assert (
        len(shown(json.dumps({"item_id": "x" * 60_000}).encode(), SHOP["shop"].events)["item_id"])
        < 200
    )


def test_half_of_a_surrogate_pair_can_be_kept_in_a_record() -> None:
    raw = rb'{"event_type": "hover \ud83d", "item_id": ["\ude00"]}'
    example = example_of(Group(BATCH, "unknown_type", 1), raw, SHOP["shop"].events)
    assert example.fields["event_type"] == "hover ?"
    str(example.fields).encode()


@pytest.mark.parametrize(
    "raw", [b'{"user_id": "anna22', b"\xff\xfeanna22", b"[" * 100_000, b'"anna22"', b"17", b""]
)
def test_a_row_that_cannot_be_parsed_is_a_shape(raw: bytes) -> None:
    example = example_of(Group(BATCH, "malformed_json", 1), raw, SHOP["shop"].events)
    assert example.fields == {} and "anna" not in example.shape and "22" not in example.shape
    assert len(example.shape) < 200


def test_a_field_of_any_case_that_makes_a_person_is_hidden() -> None:
    feed = SHOP["shop"].events.model_copy(
        update={"columns": {"user_id": "concat(`Shop.Id`, kunde)"}, "fields": ("Kunde", "Shop.Id")}
    )
    assert without_persons({"Kunde": "anna", "Shop.Id": "s1"}, feed) == {
        "Kunde": "(hidden)",
        "Shop.Id": "(hidden)",
    }


def test_a_person_within_a_field_is_hidden_in_the_other_fields() -> None:
    feed = SHOP["shop"].events.model_copy(
        update={"columns": {"user_id": "get_json_object(who, '$.id')"}, "fields": ("who", "nr")}
    )
    row = {"who": '{"id": "cust4711", "n": 1}', "nr": "cust4711-17"}
    assert without_persons(row, feed) == {"who": "(hidden)", "nr": "(hidden)-17"}


def put_batch(shop: Storage, reason: str, rows: list[bytes]) -> None:
    put(shop, rows, reason)
    facts = {"run": "run=x", "quarantined": {reason: len(rows)}, "files": []}
    shop.lake.commit("events", BATCH, {**facts, "written_at": datetime.now(UTC)})


TIMES = {
    "2026-11-28 10:00:00 UTC": "9999-99-99 99:99:99 AAA",
    "28.11.2026 10:00": "99.99.9999 99:99",
    "1795845600": "9999999999",
    f"at {USER}": "aa a9999999",
    "2026-11-28T10:00:00+01:00": "",  # as the source says; another field is wrong
    "": "",
}


def test_a_time_of_another_form_is_shown_by_its_form(shop: Storage) -> None:
    rows = [json.dumps({**ROW, "event_time": text}).encode() for text in [*TIMES, *TIMES]]
    put_batch(shop, "wrong_type", [*rows, b'{"event_time'])
    forms = examples(shop, "run=x", SHOP)["time_forms"]
    assert forms == {form: 2 for form in TIMES.values() if form}


@pytest.mark.parametrize(
    ("rules", "right"),
    [
        ({"time_zone": "Europe/Berlin"}, "2026-11-28 10:00:00"),
        ({"times": "offset"}, "2026-11-28 10:00:00 UTC"),
        ({"times": "epoch_milliseconds"}, "1795845600000"),
        ({"times": "dates", "time_zone": "UTC"}, "2026-11-28"),
        ({"times": "excel", "time_zone": "UTC"}, "46354.5"),
    ],
)
def test_the_form_that_a_source_names_is_not_shown(
    shop: Storage, rules: dict[str, str], right: str
) -> None:
    feed = SHOP["shop"].events.model_copy(update=rules)
    source = {"shop": SHOP["shop"].model_copy(update={"events": feed})}
    rows = [json.dumps({**ROW, "event_time": text}).encode() for text in (right, "28/11")]
    put_batch(shop, "wrong_type", rows)
    assert examples(shop, "run=x", source)["time_forms"] == {"99/99": 1}


def test_the_record_has_ten_rows_a_reason_the_words_and_the_command(shop: Storage) -> None:
    rows = [json.dumps({**ROW, "event_type": word}).encode() for word in ["hover"] * 12 + ["pay"]]
    put_batch(shop, "unknown_type", rows)
    found = examples(shop, "run=x", SHOP)
    assert len(found["examples"]) == MOST and found["unknown_words"] == {"hover": 12, "pay": 1}
    assert found["replays"] == {"unknown_type": replay_command(shop.settings, "unknown_type")}
    assert f"CATWALK_HOME={shop.settings.home} REASON=unknown_type" in str(found["replays"])
    assert USER not in json.dumps(found) and "example.org" not in json.dumps(found)
    assert examples(shop, "run=other", SHOP)["examples"] == []


def test_a_row_of_a_catalogue_hides_whoever_its_events_are_about() -> None:
    """Online Retail has no catalogue: its items are read from lines that name customers."""
    raw = b"536365,85123A,CHAIR OF 17850,6,yesterday,2.55,17850,United Kingdom"
    source = SHOP["online_retail"]
    assert source.items is not None
    group = Group("1.csv", "wrong_type", 1)
    fields = example_of(group, raw, source.items, source.events).fields
    assert (fields["CustomerID"], fields["Description"]) == ("(hidden)", "CHAIR OF (hidden)")


def test_a_person_on_a_path_is_hidden_however_the_path_is_walked() -> None:
    def shown(path: str, row: str) -> str:
        feed = SHOP["shop"].events.model_copy(
            update={"fields": (path, "url"), "columns": {"user_id": quoted(path)}}
        )
        return example_of(Group(BATCH, "wrong_type", 1), row.encode(), feed).fields["url"]

    text = r'{"user": "{\"id\":\"anna22\"}", "url": "/account/anna22"}'
    assert "anna" not in shown("user.id", text)
    assert "b-3" not in shown("p[key=7].v", '{"p": [{"key": 7, "v": "b-3"}], "url": "/b-3"}')
    assert "u17" not in shown("items[].who", '{"items": [{"who": "u17"}, {}], "url": "/u17/x"}')
