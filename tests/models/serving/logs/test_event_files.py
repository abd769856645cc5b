"""Events as lines: the same event always has the same id, and no id tells who it is of."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.storage import Storage
from models.serving.api.wire import Event, Events, EventType
from models.serving.logs.event_files import LANDED, event_lines
from tests.jobs.shop_files import FIRST, ago, ingest, land, rows

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
EVENT = {
    "event_type": "view",
    "event_time": "2026-11-24T11:00:00Z",
    "user_id": "7",
    "item_id": "dress",
}


def lines_of(*events: Any, secret: bytes = b"secret") -> list[dict[str, Any]]:
    raw = Events([msgspec.Raw(json.dumps(event).encode()) for event in events])
    return [json.loads(line) for line in event_lines(raw, secret, NOW)[0].splitlines()]


def test_an_id_follows_from_all_that_an_event_says() -> None:
    ids = [line["event_id"] for line in lines_of(EVENT, dict(reversed(EVENT.items())))]
    assert len(set(ids)) == 1
    others = [{**EVENT, "user_id": "8"}, {**EVENT, "quantity": 1}, {**EVENT, "item_id": "coat"}]
    assert len({line["event_id"] for line in lines_of(EVENT, *others)}) == 4
    assert lines_of(EVENT, secret=b"another")[0]["event_id"] not in ids  # nobody can try all users
    assert lines_of({**EVENT, "event_id": "mine"})[0] == {**EVENT, "event_id": "mine"}


def test_what_is_no_event_is_refused_by_index() -> None:
    raw = Events([msgspec.Raw(each) for each in (b"7", b"[]", b"{}", json.dumps(EVENT).encode())])
    lines, refused = event_lines(raw, b"secret", NOW)
    assert lines.count(b"\n") == 1
    assert [each.index for each in refused] == [0, 1, 2]


texts = st.text(min_size=1, max_size=20)
events = st.builds(
    Event,
    event_type=st.sampled_from(EventType.__args__),
    event_time=st.datetimes(min_value=datetime(2020, 1, 1), timezones=st.just(UTC)),
    item_id=texts,
    user_id=texts,
    quantity=st.integers(-9, 9) | st.just(msgspec.UNSET),
    unit_price=st.floats(allow_nan=False, allow_infinity=False) | st.just(msgspec.UNSET),
    market=texts,
)


@given(event=events)
def test_a_line_is_accepted_again_as_the_same_event(event: Event) -> None:
    raw = msgspec.Raw(msgspec.json.encode(event))
    lines, refused = event_lines(Events([raw]), b"secret", NOW)
    if refused:
        assert lines == b""
        return
    assert lines.count(b"\n") == 1  # one event, one line, whatever its texts hold
    again, _ = event_lines(Events([msgspec.Raw(lines)]), b"secret", NOW)
    assert again == lines


def test_what_is_accepted_is_ingested_once_and_a_line_that_was_cut_off_is_quarantined(
    spark: object, shop: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CATWALK_SOURCES", "shop,rest")
    mine = {**EVENT, "event_id": "mine", "request_id": "r-1", "placement": "home", "market": "AT"}
    bought = {**EVENT, "event_type": "purchase", "quantity": 2, "unit_price": 9.5}
    sent = [mine, {**bought, "currency": "EUR"}, {**EVENT, "visitor_id": "browser"}]
    raw = Events([msgspec.Raw(json.dumps({**each, "event_time": ago(4)})) for each in sent])
    lines, refused = event_lines(raw, b"secret", datetime.now(UTC))
    assert refused == []
    landed = Path(shop.landing) / LANDED
    landed.mkdir(parents=True)
    (landed / "1.jsonl").write_bytes(lines)
    (landed / "2.jsonl").write_bytes(lines + lines[: lines.index(b",")])  # sent again, then killed
    land(shop, FIRST[:1])
    facts = ingest(shop)
    assert (facts["read"], facts["clean"], facts["duplicates"]) == (8, 4, 3)
    [cut_off] = rows(shop, "quarantine")
    assert cut_off["source"] == "rest"
    by_id = {row["event_id"]: row for row in rows(shop, "events")}
    assert len(by_id) == 4
    assert by_id["mine"]["request_id"] == "r-1"
