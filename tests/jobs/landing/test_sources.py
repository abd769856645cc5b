"""What sources may leave out, and what the server's own source reads."""

from __future__ import annotations

import msgspec
import pytest

from infra.errors import SettingsError
from infra.schemas import EVENT_TYPES
from jobs.landing.sources import item_feeds, load_sources
from models.serving.api.wire import Event, EventType
from models.serving.logs.event_files import LANDED


def test_a_source_of_events_alone_needs_another_one_with_items() -> None:
    assert len(item_feeds(load_sources(("shop", "rest")))) == 1
    with pytest.raises(SettingsError, match=r"No source of rest has items.*CATWALK_SOURCES"):
        item_feeds(load_sources(("rest",)))


def test_the_server_writes_what_its_source_reads() -> None:
    feed = load_sources(("rest",))["rest"].events
    assert feed.files == f"{LANDED}/*.jsonl*"
    assert set(feed.fields) == {field.name for field in msgspec.structs.fields(Event)}
    assert set(feed.columns) == set(feed.fields)
    assert set(EventType.__args__) == set(EVENT_TYPES)
