"""A field may be a path; what only looks like a path is refused with its cure."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from jobs.landing.paths import EACH, Element, path_of, value_at
from jobs.landing.sources import EventFeed, quoted

PATHS = {
    "item_id": ("item_id",),
    "user.id": ("user", "id"),
    "items[].item_id": ("items", EACH, "item_id"),
    "properties.products[].sizes[0]": ("properties", "products", EACH, "sizes", Element(place=0)),
    "a[key=v.w].x": ("a", Element(name="key", value="v.w"), "x"),
    "contexts[schema=iglu:shop/page/1-0-0].data": (
        *("contexts", Element(name="schema", value="iglu:shop/page/1-0-0"), "data"),
    ),
    "Price [EUR]": ("Price [EUR]",),
    "Gr\u00f6\u00dfe (cm)": ("Gr\u00f6\u00dfe (cm)",),
    "Nr.": ("Nr.",),
}
FEED: dict[str, Any] = {
    "files": "events/a/*.json",
    "format": "jsonl",
    "time_zone": "in_text",
    "max_age_days": 4,
    "fields": ["id", "user.id", "items[].id"],
    "explode": "items",
    "columns": {
        "event_id": "id",
        "event_type": "'view'",
        "event_time": "id",
        "user_id": "user.id",
        "item_id": "items[].id",
    },
}


def feed(**changes: object) -> EventFeed:
    return EventFeed.model_validate(FEED | changes)


@pytest.mark.parametrize("field", PATHS)
def test_a_path_has_steps(field: str) -> None:
    assert path_of(field) == PATHS[field]


WRONG = {
    "is no path: write it as": {"fields": ["id", "items[*].id"]},
    "is no path": {"fields": ["id", "user..id"]},
    r"name the list \(explode: lines\), or one element \(lines\[0\]\)": {
        "fields": ["id", "lines[].id"]
    },
    r"explode: items": {"explode": None},
    "a list within a list": {"fields": ["items[].sizes[].id"]},
    "without brackets: items": {"explode": "items[]"},
    "lines of csv hold no lists": {"format": "csv"},
    "most_elements": {"most_elements": 1_001},
}


@pytest.mark.parametrize("said", WRONG)
def test_a_wrong_path_is_refused_with_its_cure(said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        feed(**WRONG[said])


def test_a_column_may_be_a_field_as_it_is_written() -> None:
    columns = feed().columns
    assert (columns["user_id"], columns["event_id"]) == (quoted("user.id"), "id")
    assert feed().is_nested and not feed(fields=["id"], explode=None).is_nested
    assert feed(fields=["user.id"], explode=None).is_nested


def test_an_id_made_of_its_element_is_left_alone() -> None:
    assert not feed().names_its_elements("event_id")
    for sql in ("concat(id, `items[].id`)", "concat(id, _place)"):
        own = feed(columns=FEED["columns"] | {"event_id": sql})
        assert own.names_its_elements("event_id")
    for sql in ("order_placed_id", "market_place", "concat(id, in_place)"):  # only a part of a name
        own = feed(columns=FEED["columns"] | {"event_id": sql})
        assert not own.names_its_elements("event_id")


def test_a_source_without_them_is_the_same_mapping_as_before_there_were_paths() -> None:
    as_before = {name: value for name, value in FEED.items() if name != "explode"}
    plain = EventFeed.model_validate(as_before | {"fields": ["id"]})
    assert plain.digest() == "cd6063092109020a"  # in the manifests of its batches
    assert feed(most_elements=100).digest() != feed().digest() != plain.digest()


def test_the_value_at_a_path_is_found_without_spark() -> None:
    line = {"a": [{"k": "x", "v": 1}, {"k": "y", "v": [5, 6]}, "z"], "b": "text"}
    assert value_at(line, path_of("a[k=y].v[1]")) == 6
    assert value_at(line, path_of("a[].v")) == [1, [5, 6], None]
    for nothing in ("a[9].v", "a[k=q].v", "b.c", "b[0]", "b[].c", "c.d", "a.k"):
        assert value_at(line, path_of(nothing)) is None
