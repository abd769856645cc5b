"""The page What customers see: what two versions answer to the same question, side by side."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from urllib.parse import urlsplit

from infra.errors import CatwalkError
from infra.ledger.ab_tests import read_ab_tests
from infra.ledger.live_pointer import before_live, live
from infra.person_keys import PersonKeys
from infra.records.shown_lists import ItemOnShow, ListOnShow, ListQuestion, ShowsLists, Who
from infra.report.csv_text import csv_text
from infra.report.templates import Frame, fill
from infra.storage import Storage

WHO: dict[Who, str] = {
    "": "nobody: a stranger",
    "user": "the user of this id",
    "visitor": "the visitor of this id",
    "key": "whoever has this key in our tables",
}
SOURCES = {
    "personal": "chosen for the customer",
    "session": "like what this visit is about",
    "similar": "like the item",
    "again": "bought before",
    "bestseller": "bestseller",
    "pinned": "pinned by a curator",
}
COLUMNS = ("list", "version", "position", "item_id", "title", "source", "reason", "url")
_HOST = re.compile(r"[a-z0-9.-]+(:\d{1,5})?", re.IGNORECASE)


@dataclass(frozen=True)
class Wish:
    """What a person fills in; `person` is a raw id, which goes no further than `question_of`."""

    placement: str = ""
    who: Who = ""
    person: str = ""
    items: str = ""
    market: str = ""
    category: str = ""
    beside: str = ""


@dataclass(frozen=True)
class Offer:
    """A version that may be looked at, and what it is to customers."""

    version: str
    role: str


@dataclass(frozen=True)
class Cell:
    """An item of one list; `other` is its position in the other, None where it is not in it."""

    item: ItemOnShow
    other: int | None
    picture: str


@dataclass(frozen=True)
class ListsPage:
    """The content of the page; without lists nobody asked yet.

    Attributes
    ----------
    offers : tuple of Offer
        What is live is the first.
    lists : tuple of ListOnShow
        Of what is live, and of the one beside it.
    mistake : str
        Why nothing is shown.
    """

    wish: Wish
    placements: tuple[str, ...]
    offers: tuple[Offer, ...]
    lists: tuple[ListOnShow, ...] = ()
    mistake: str = ""

    @property
    def chosen(self) -> tuple[Offer, ...]:
        """The versions that are shown: what is live, and the one beside it."""
        beside = [offer for offer in self.offers[1:] if offer.version == self.wish.beside]
        return (*self.offers[:1], *(beside or self.offers[1:2])[:1])

    @property
    def origins(self) -> tuple[str, ...]:
        """The hosts that the pictures of the page come from."""
        addresses = (picture_of(item) for shown in self.lists for item in shown.items)
        return tuple(dict.fromkeys(origin_of(address) for address in addresses if address))


def offers_of(storage: Storage) -> tuple[Offer, ...]:
    """Return what is live, what was before, and the arms of running A/B tests; () of nothing."""
    now = live(storage)
    if now is None:
        return ()
    found, before = [Offer(now.version, "live now")], before_live(storage, now)
    if before:
        found.append(Offer(before.version, "live before"))
    for state in read_ab_tests(storage).running():
        for name, arm in (("control", state.test.control), ("treatment", state.test.treatment)):
            found.append(Offer(arm.version, f"{name} of {state.test.name}"))
    first: dict[str, Offer] = {}
    for offer in found:
        first.setdefault(offer.version, offer)
    return tuple(first.values())


def question_of(wish: Wish, keys: PersonKeys) -> ListQuestion:
    """Turn what was filled in into a question of keys alone."""
    person = wish.person.strip()
    made = {"user": keys.of_user, "visitor": keys.of_visitor}
    key = made[wish.who](person) if wish.who in made else person.lower() if wish.who else ""
    return ListQuestion(
        placement=wish.placement,
        user_key="" if wish.who == "visitor" else key,
        visitor_key=key if wish.who == "visitor" else "",
        item_ids=tuple(re.split(r"[\s,]+", wish.items.strip())) if wish.items.strip() else (),
        market=wish.market.strip(),
        category=wish.category.strip(),
    )


def shown(shows: ShowsLists, page: ListsPage, question: ListQuestion) -> tuple[ListOnShow, ...]:
    """Return what each chosen version answers; one that cannot be opened says why."""
    return tuple(_shown(shows, offer.version, question) for offer in page.chosen)


def render_lists(page: ListsPage, frame: Frame) -> str:
    """Turn the page into HTML."""
    rows = list(zip_longest(*(_cells(page, place) for place in range(len(page.lists)))))
    both = sum(cell.other is not None for cell in _cells(page, 0)) if page.lists else 0
    return fill(
        "shown_lists.html",
        frame,
        page=page,
        who=WHO,
        sources=SOURCES,
        rows=rows,
        both=both,
    )


def lists_csv(page: ListsPage) -> str:
    """Return the lists, a line for each item; nothing of the person is in it."""
    rows = (
        {"list": offer.role, "version": offer.version, **item.model_dump()}
        for offer, each in zip(page.chosen, page.lists, strict=True)
        for item in each.items
    )
    return csv_text(COLUMNS, rows)


def picture_of(item: ItemOnShow) -> str:
    """Return the address of a picture that a browser may fetch; "" for any other text."""
    return item.picture_url if origin_of(item.picture_url) else ""


def origin_of(address: str) -> str:
    """Return the origin of a web address, as a content policy names it; "" of any other text.

    >>> origin_of("https://img.shop.example:8443/a.jpg"), origin_of("/a.jpg")
    ('https://img.shop.example:8443', '')
    >>> origin_of("javascript:alert(1)"), origin_of("https://a; script-src *//b")
    ('', '')
    """
    try:
        parts = urlsplit(address)
    except ValueError:
        return ""
    known = parts.scheme in ("http", "https") and _HOST.fullmatch(parts.netloc)
    return f"{parts.scheme}://{parts.netloc}" if known else ""


def _shown(shows: ShowsLists, version: str, question: ListQuestion) -> ListOnShow:
    try:
        return shows.show(version, question)
    except CatwalkError as error:
        return ListOnShow(version=version, refused=str(error))


def _cells(page: ListsPage, place: int) -> Iterator[Cell]:
    """Give the items of a list, each with its position in the other one."""
    others = [item for at, each in enumerate(page.lists) if at != place for item in each.items]
    positions = {item.item_id: item.position for item in others}
    for item in page.lists[place].items:
        yield Cell(item, positions.get(item.item_id), picture_of(item))
