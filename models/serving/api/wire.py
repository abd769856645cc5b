"""The shapes of version 1 of the API, with their bounds; absent means the default, null is refused.

`models/serving/api/openapi.py` describes them, and a test freezes that: what stands here is a
promise to shops.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Literal

from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from infra.ids import clean_id, person_id

MOST_EVENTS = 100
LONGEST_LIST = 100
CLOCKS_DIFFER = timedelta(minutes=5)  # as the ingestion allows, which quarantines what is later

Id = Annotated[str, Meta(max_length=200)]
ItemId = Annotated[str, Meta(min_length=1, max_length=200)]
Word = Annotated[str, Meta(max_length=200)]
Few = Annotated[list[ItemId], Meta(max_length=100)]
Whole = Annotated[int, Meta(ge=-(2**31), lt=2**31)]
EventType = Literal[
    "impression", "view", "click", "scroll", "wishlist", "cart", "purchase", "return", "rating"
]
Source = Literal["personal", "session", "similar", "again", "bestseller", "pinned"]


class Ask(Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """What to show in a placement: to whom, beside what, and from which part of the shop."""

    user_id: Annotated[Id, Meta(description="the shop's id of a customer who is logged in")] = ""
    visitor_id: Annotated[Id, Meta(description="its id of a browser, for all others")] = ""
    item_ids: Annotated[
        Few, Meta(description="the item of the product page, or all that lies in the cart")
    ] = []
    session_items: Annotated[
        Few, Meta(description="what this visit was about, the newest last: for strangers")
    ] = []
    market: Annotated[Word, Meta(description="nothing is answered that is not sold there")] = ""
    category: Annotated[Word, Meta(description="nothing else is answered")] = ""
    k: (
        Annotated[
            int, Meta(ge=1, le=LONGEST_LIST, description="how many; default: as the placement says")
        ]
        | UnsetType
    ) = UNSET
    exclude: Annotated[
        list[ItemId], Meta(max_length=1000, description="items that are not wanted here")
    ] = []
    explain: Annotated[bool, Meta(description="give a reason for each item")] = False


class ItemReason(Struct, frozen=True, gc=False):
    """Why an item is shown, in words and as what it follows from; empty where nobody knows."""

    text: str
    item_id: str
    event: Literal["", "bought", "looked at"]


class ShownItem(Struct, frozen=True, gc=False):
    """An item at its position, counted from 1; scores of different sources cannot be compared."""

    item_id: str
    position: int
    score: float
    source: Source
    reason: ItemReason | UnsetType = UNSET


class Shown(Struct, frozen=True, omit_defaults=True):
    """A list, best first; events carry its `request_id` back. `test` and `arm`: of an A/B test."""

    request_id: Annotated[str, Meta(description="a UUID")]
    placement: str
    version: Annotated[str, Meta(description="the version that answered")]
    applied_rules: Annotated[list[str], Meta(description="such as block:12, stock, scope")]
    items: list[ShownItem]
    test: str = ""
    arm: str = ""


class Event(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    """Something a customer did, or was shown, as the files of a shop say it too."""

    event_type: EventType
    event_time: Annotated[datetime, Meta(tz=True, description="with its offset, or Z")]
    item_id: ItemId
    event_id: Annotated[
        Id, Meta(description="the same when it is sent again; left out, it follows from the rest")
    ] = ""
    user_id: Annotated[Id, Meta(description="this or visitor_id, or both")] = ""
    visitor_id: Id = ""
    session_id: Id = ""
    request_id: Annotated[Id, Meta(description="of the answer that the item was shown by")] = ""
    placement: Word = ""
    quantity: Whole | UnsetType = UNSET
    unit_price: float | UnsetType = UNSET
    currency: Annotated[Word, Meta(description="ISO 4217")] = ""
    rating: Annotated[int, Meta(ge=1, le=5)] | UnsetType = UNSET
    market: Word = ""
    order_id: Annotated[Id, Meta(description="of a purchase: the order that the item is in")] = ""
    position: (
        Annotated[int, Meta(ge=1, le=1000, description="of the item in the list it was shown in")]
        | UnsetType
    ) = UNSET


class Events(Struct, frozen=True, forbid_unknown_fields=True):
    """Up to a hundred events; each is accepted or refused by itself."""

    events: Annotated[list[Raw], Meta(min_length=1, max_length=MOST_EVENTS)]


class Refused(Struct, frozen=True):
    """An event that is not taken: its index from 0, and why."""

    index: int
    reason: str


class Accepted(Struct, frozen=True):
    """How many events are on disk now, and which are not."""

    accepted: int
    refused: list[Refused]


class ItemStock(Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """Whether an item can be bought."""

    item_id: ItemId
    in_stock: bool


class StockNews(Struct, frozen=True, forbid_unknown_fields=True):
    """What changed in the stock; of an item that comes twice the last counts."""

    items: Annotated[list[ItemStock], Meta(min_length=1, max_length=1000)]


class StockTaken(Struct, frozen=True):
    """How many items it was about; all servers obey within five seconds."""

    items: int


class Live(Struct, frozen=True):
    """The version that answers here, since when it is live, and its card."""

    version: str
    since: Annotated[datetime, Meta(tz=True)]
    card: Raw


class PlacementFacts(Struct, frozen=True):
    """A placement: what answers, how long its list is, and whether it asks for a category."""

    name: str
    answers: str
    length: int
    needs_category: bool


class PlacementList(Struct, frozen=True):
    """The placements of the version that answers here."""

    placements: list[PlacementFacts]


class Health(Struct, frozen=True):
    """Whether this worker answers; `behind_s`: since when it could not ask what is live."""

    status: Literal["ok", "not ready"]
    version: str
    behind_s: float
    refused: str


def refusal(event: Event, now: datetime) -> str:
    """Say why the ingestion would not take an event; "" if it would."""
    for name in ("event_id", "user_id", "visitor_id", "item_id"):
        if clean_id(getattr(event, name)) is None:
            return f"Its {name} is no id: it has control characters, is too long or was rounded."
    if not person_id(event.user_id) and not person_id(event.visitor_id):
        return "It needs a user_id or a visitor_id."
    if not clean_id(event.item_id):
        return "Its item_id is blank."
    if event.event_time > now + CLOCKS_DIFFER:
        return "Its event_time lies in the future."
    is_below_zero = event.quantity is not UNSET and event.quantity < 0
    if is_below_zero and event.event_type != "return":
        return "Its quantity is below zero."
    return ""
