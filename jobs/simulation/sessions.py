"""Simulates sessions: what shoppers do, block by block, as arrays with one row per event.

A session is a run of looks at items. Some looks begin with a request of the recommender, which
shows `SLOTS` items. A look may go on to a scroll, a wish, the cart and the checkout. Returns and
ratings come later, from the purchases remembered of earlier blocks.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from infra.schemas import EVENT_TYPES
from jobs.simulation.catalogue import Catalogue
from jobs.simulation.shoppers import POPULAR, PickTable, Shoppers

Ints = NDArray[np.int64]

CODE = {name: number for number, name in enumerate(EVENT_TYPES)}
PLACEMENTS = ("home", "category", "product_page", "search", "cart_page")
PLACEMENT_SHARES = (0.35, 0.2, 0.25, 0.12, 0.08)
SLOTS = 4  # items shown by one request
LOOKS = 2.8  # a session, on the average
EVENTS_A_SESSION = 8.0  # a little under the truth, so that one draw is nearly always enough
CURIOUS = 0.12  # looks that follow popularity instead of the session's taste
# Chances per look. A curious look converts at a third of the rate of one that taste led to.
REQUESTED, CLICKED, SCROLLED = 0.24, 0.8, 0.45
WISHED, CARTED, BOUGHT = 0.18, 0.21, 0.46
CURIOUS_CONVERTS = 0.35
DAY_MS = 86_400_000
LONGEST_MS = 1_800_000  # a session is squeezed into half an hour
# Share of the day's sessions that start in each hour, before scaling: nights sleep, evenings shop.
HOURS = (3, 2, 1, 1, 1, 2, 4, 8, 12, 14, 15, 16, 18, 16, 15, 15, 17, 20, 24, 28, 30, 26, 16, 8)
# Purchases that may still be returned or rated, and blocks of a day they come from: both bound
# the memory.
REMEMBERED, BLOCKS_REMEMBERED = 20_000, 8
RETURNED, RATED = 0.004, 0.01  # of all events
STARS = (0.05, 0.07, 0.13, 0.3, 0.45)


@dataclass(frozen=True)
class Events:
    """Events as columns of equal length; -1 where a field does not apply, `who` is a session."""

    code: Ints
    who: Ints
    item: Ints
    at: Ints  # milliseconds since midnight UTC
    request: Ints
    placement: Ints
    quantity: Ints
    cents: Ints
    rating: Ints

    def __len__(self) -> int:
        return len(self.code)

    def take(self, rows: Ints) -> Events:
        """Return the rows asked for, in that order."""
        return Events(**{column.name: getattr(self, column.name)[rows] for column in fields(self)})


@dataclass(frozen=True)
class Block:
    """Up to one block of events in time order, and the user of each session number in them."""

    events: Events
    users: Ints


@dataclass(frozen=True)
class _Looks:
    """One row per look at an item; the columns that its events share."""

    who: Ints
    item: Ints
    at: Ints
    request: Ints
    placement: Ints
    curious: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.who)


class Shop:
    """The shop on one day: draws blocks of events and remembers a bounded number of purchases."""

    def __init__(self, shoppers: Shoppers, catalogue: Catalogue, rng: np.random.Generator) -> None:
        self._shoppers, self._catalogue, self._rng = shoppers, catalogue, rng
        self._picks: PickTable
        self._bought = np.empty((0, 4), np.int64)  # user, item, quantity, cents
        self._today: list[Ints] = []
        self._clock = _clock()

    def open_day(self, picks: PickTable) -> None:
        """Start a day with its pick table; yesterday's purchases can now be returned and rated."""
        self._picks = picks
        self._bought = np.concatenate([self._bought, *self._today])[-REMEMBERED:]
        self._today = []

    def block(self, size: int, begin: float, end: float) -> Block:
        """Draw at most `size` events of the part of the day from `begin` to `end`, both in 0..1."""
        late, late_users = self._aftermath(size, begin, end)
        sessions = int(size / EVENTS_A_SESSION) + 20
        visitors = self._shoppers.visitors(sessions, self._rng)
        looks = self._looks(visitors, begin, end, len(late_users))
        users = np.concatenate([late_users, visitors])
        events = _concat([late, self._shown(looks), *self._funnel(looks)])
        # Whole sessions in the order they were drawn, the last one cut: exactly `size` events.
        events = events.take(np.argsort(events.who * DAY_MS + events.at, kind="stable")[:size])
        self._remember(events, users)
        return Block(events.take(np.argsort(events.at, kind="stable")), users)

    def _looks(self, visitors: Ints, begin: float, end: float, first: int) -> _Looks:
        rng, sessions = self._rng, len(visitors)
        looks = rng.geometric(1 / LOOKS, sessions).clip(max=20)
        session = np.repeat(np.arange(sessions), looks)
        curious = rng.random(len(session)) < CURIOUS
        intents = self._shoppers.intents(visitors, rng)
        rows = np.where(curious, POPULAR, intents[session])
        requested = rng.random(len(session)) < REQUESTED
        placement = rng.choice(len(PLACEMENTS), size=len(session), p=PLACEMENT_SHARES)
        return _Looks(
            who=session + first,
            item=self._picks.draw(rows, rng),
            at=self._starts(sessions, begin, end)[session] + _dwell(looks, rng),
            request=np.where(requested, np.cumsum(requested), -1),
            placement=np.where(requested, placement, -1),
            curious=curious,
        )

    def _starts(self, count: int, begin: float, end: float) -> Ints:
        quantiles = begin + (end - begin) * self._rng.random(count)
        # From 5 s after midnight, since impressions come before the look, to a last start that
        # leaves time for the longest session and its checkout on the same day.
        hours = np.linspace(5_000, DAY_MS - LONGEST_MS - 300_000, len(self._clock))
        return np.interp(quantiles, self._clock, hours).astype(np.int64)

    def _shown(self, looks: _Looks) -> Events:
        """Return the impressions: the item that was looked at in one slot, popular ones beside."""
        asked = np.flatnonzero(looks.request >= 0)
        rows = np.repeat(asked, SLOTS)
        item = self._picks.draw(np.full(len(rows), POPULAR), self._rng)
        slot = self._rng.integers(SLOTS, size=len(asked))
        item[np.arange(len(asked)) * SLOTS + slot] = looks.item[asked]
        return _events("impression", looks, rows, -3_000, item=item)

    def _funnel(self, looks: _Looks) -> list[Events]:
        """Return clicks, views, scrolls, wishes, carts and purchases: each from the step before."""
        every = np.arange(len(looks))
        asked = every[looks.request >= 0]
        keen = np.where(looks.curious, CURIOUS_CONVERTS, 1.0)
        stocked = self._catalogue.in_stock[looks.item]
        carted = self._some(every, CARTED * keen * stocked)
        quantity = 1 + (self._rng.random(len(carted)) < 0.08)
        price = {"quantity": quantity, "cents": self._catalogue.cents[looks.item[carted]]}
        cart = _events("cart", looks, carted, 15_000, bare=True, **price)
        bought = self._some(np.arange(len(carted)), BOUGHT)
        paid = {name: column[bought] for name, column in price.items()}
        return [
            _events("click", looks, self._some(asked, CLICKED), -600),
            _events("view", looks, every, 0),
            _events("scroll", looks, self._some(every, SCROLLED), 4_000, bare=True),
            _events("wishlist", looks, self._some(every, WISHED * keen), 9_000, bare=True),
            cart,
            _events("purchase", looks, carted[bought], 240_000, bare=True, **paid),
        ]

    def _some(self, rows: Ints, chance: float | NDArray[np.float64]) -> Ints:
        return rows[self._rng.random(len(rows)) < chance]

    def _remember(self, events: Events, users: Ints) -> None:
        rows = np.flatnonzero(events.code == CODE["purchase"])[:REMEMBERED]
        columns = (users[events.who], events.item, events.quantity, events.cents)
        self._today.append(np.stack([column[rows] for column in columns], axis=1))
        self._today = self._today[-BLOCKS_REMEMBERED:]

    def _aftermath(self, size: int, begin: float, end: float) -> tuple[Events, Ints]:
        """Return returns and ratings of earlier days' purchases, each a session of its own."""
        wanted = self._rng.binomial(size, RETURNED + RATED)
        picked = self._rng.permutation(len(self._bought))[:wanted]
        user, item, quantity, cents = self._bought[picked].T
        self._bought = np.delete(self._bought, picked, axis=0)
        rated = self._rng.random(len(picked)) < RATED / (RETURNED + RATED)
        stars = 1 + np.searchsorted(np.cumsum(STARS)[:-1], self._rng.random(len(picked)))
        none = np.full(len(picked), -1)
        events = Events(
            code=np.where(rated, CODE["rating"], CODE["return"]),
            who=np.arange(len(picked)),
            item=item,
            at=self._starts(len(picked), begin, end),
            request=none,
            placement=none,
            quantity=np.where(rated, -1, quantity),
            cents=np.where(rated, -1, cents),
            rating=np.where(rated, stars, -1),
        )
        return events, user


def _events(
    name: str, looks: _Looks, rows: Ints, delay: int, bare: bool = False, **columns: Ints
) -> Events:
    """Return one event per row of looks; `bare` leaves out the placement and the request."""
    none = np.full(len(rows), -1)
    # Spread by look and item, so that events of one step do not all share the same milliseconds.
    item = columns.pop("item", looks.item[rows])
    base = {
        "code": np.full(len(rows), CODE[name]),
        "who": looks.who[rows],
        "item": item,
        "at": looks.at[rows] + delay + (rows * 7_919 + item * 104_729) % 500,
        "request": none if bare else looks.request[rows],
        "placement": none if bare else looks.placement[rows],
        "quantity": none,
        "cents": none,
        "rating": none,
    }
    return Events(**(base | columns))


def _concat(parts: list[Events]) -> Events:
    names = [column.name for column in fields(Events)]
    return Events(
        **{name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
    )


def _dwell(looks: Ints, rng: np.random.Generator) -> Ints:
    """Return milliseconds since the start of the session for every look, growing within it."""
    pauses = rng.exponential(35_000, int(looks.sum())).astype(np.int64) + 6_000
    total = np.cumsum(pauses)
    first = np.cumsum(looks) - looks
    since: Ints = total - np.repeat(total[first], looks)
    return np.minimum(since, LONGEST_MS)


def _clock() -> NDArray[np.float64]:
    """Return the share of the day's sessions that started before each full hour, 25 values."""
    return np.concatenate([[0.0], np.cumsum(HOURS) / np.sum(HOURS)])
