"""The customers of a simulated shop, as they react to the lists that they are shown.

They have the tastes of the shop's own simulation, and more that no model is told of: a part of
their own in every item, what they think of its price, and how far down a list they look. They buy
without help too, and how soon they come again depends on what they found. What is drawn belongs to
a day, a customer and a place of the list, not to what is shown there: two worlds with the same seed
that differ in their lists alone are compared without the luck of the draw.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jobs.simulation.catalogue import Catalogue
from jobs.simulation.options import SimulationOptions
from jobs.simulation.shoppers import SLOT_SHARES, Shoppers, affinities

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
HIDDEN_TASTES = 6
NOBODY = -1  # an empty place of a list
_VISIT, _LOOK, _CLICK, _BUY, _UNAIDED, _RETURN = range(6)  # what is drawn, each by its own numbers


@dataclass(frozen=True)
class Customers:
    """How the customers of a world behave.

    Attributes
    ----------
    visits : float
        Mean chance that a customer comes on a day.
    patience : float
        The place of a list at which half of them have stopped looking.
    clicks, buys : float
        Chance that an item which is looked at is clicked, and that a clicked one is bought, at the
        customer's own best.
    own : float
        The weight of what no attribute tells, in standard deviations of taste.
    price : float
        How much dearer items are wanted less.
    unaided : float
        Chance that a visit ends with an item that the customer finds alone.
    has_needs : bool
        They buy what they came for and nothing else: a list can only say which it is.
    keeps : float
        How much of the contentment of a visit is left at the next one.
    returns : float
        Chance that a bought piece is sent back.
    """

    visits: float = 0.12
    patience: float = 3.0
    clicks: float = 0.12
    buys: float = 0.15
    own: float = 0.5
    price: float = 0.4
    unaided: float = 0.01
    has_needs: bool = False
    keeps: float = 0.7
    returns: float = 0.05


KINDS = {
    "shoppers": Customers(),
    "bargain hunters": Customers(price=1.2),
    "originals": Customers(own=1.5),
    "impatient": Customers(patience=1.5, clicks=0.2),
    "regulars": Customers(visits=0.25, unaided=0.03),
}
NEEDY = "those who come for one thing"  # a better list sells them nothing more
KINDS_AND_NEEDY = KINDS | {NEEDY: Customers(unaided=0.08, has_needs=True, keeps=1.0)}


@dataclass(frozen=True)
class Day:
    """What happened on a day; a row for each visit.

    Attributes
    ----------
    users : array of int64, shape (n,)
    lists : array of int64, shape (n, k)
        Items as they were shown; `NOBODY` where a list is shorter.
    seen, clicked, bought, returned : arrays of bool, shape (n, k)
    unaided : array of int64, shape (n,)
        The item that was bought without the list; `NOBODY` where none was.
    """

    users: Ints
    lists: Ints
    seen: Flags
    clicked: Flags
    bought: Flags
    returned: Flags
    unaided: Ints


class World:
    """Customers of the shop that `jobs.simulate_shop` writes by the same options.

    Parameters
    ----------
    options : SimulationOptions
    customers : Customers
        How they behave.
    seed : int
        Of what they do; the shop itself has that of the options.
    """

    def __init__(self, options: SimulationOptions, customers: Customers, seed: int = 0) -> None:
        self.customers = customers
        self._seed = seed
        self.cents, self.on_sale, self.utility = _utility(options, self.customers)
        self.users, self.items = self.utility.shape
        self._threshold = np.quantile(self.utility, 0.97, axis=1)
        self._spread = self.utility.std(axis=1)
        self._often = np.random.default_rng([seed, 0]).gamma(2.0, 0.5, self.users)
        self.content = np.full(self.users, 0.5)

    def visitors(self, day: int) -> Ints:
        """Return who comes on a day."""
        chance = self.customers.visits * self._often * (0.5 + self.content)
        return np.flatnonzero(self._draw(day, _VISIT)[:, 0] < chance)

    def react(self, day: int, users: Ints, lists: Ints) -> Day:
        """Return what visitors do with their lists, and remember how content they are.

        Parameters
        ----------
        users : array of int64, shape (n,)
            Each at most once.
        lists : array of int64, shape (n, k)
        """
        there, places = lists != NOBODY, lists.shape[1]
        wanted = self._wanted(users, lists)
        looks = 1 / (1 + (np.arange(places) / self.customers.patience) ** 2)
        seen = there & (self._draw(day, _LOOK, places)[users] < looks)
        clicked = seen & (self._draw(day, _CLICK, places)[users] < self.customers.clicks * wanted)
        bought = clicked & (self._draw(day, _BUY, places)[users] < self.customers.buys * wanted)
        unaided = self._unaided(day, users)
        if self.customers.has_needs:
            first = np.cumsum(bought, axis=1) == 1
            bought = bought & first & (unaided != NOBODY)[:, None]
            unaided = np.where(bought.any(axis=1), NOBODY, unaided)
        keeps = self.customers.keeps
        pleased = clicked.any(axis=1) | (unaided != NOBODY)
        self.content[users] = keeps * self.content[users] + (1 - keeps) * pleased
        returned = bought & (self._draw(day, _RETURN, places)[users] < self.customers.returns)
        return Day(users, lists, seen, clicked, bought, returned, unaided)

    def best(self, users: Ints, k: int) -> Ints:
        """Return the lists of somebody who knows everything: the best k items of each."""
        open_ = np.where(self.on_sale, self.utility[users], -np.inf)
        order: Ints = np.argsort(-open_, axis=1)[:, :k]
        return order

    def revenue(self, day: Day) -> NDArray[np.int64]:
        """Return what each visit spent, in cents, without what came back."""
        kept = (day.bought & ~day.returned) * self.cents[day.lists.clip(0)]
        alone = np.where(day.unaided == NOBODY, 0, self.cents[day.unaided.clip(0)])
        return np.asarray(kept.sum(axis=1) + alone, dtype=np.int64)

    def changed(self, seed: int) -> World:
        """Return the same people with other draws, as if the days were lived again."""
        again = World.__new__(World)
        again.__dict__.update(self.__dict__)
        again._seed, again.content = seed, np.full(self.users, 0.5)
        return again

    def _wanted(self, users: Ints, items: Ints) -> Floats:
        """Return how much items are wanted, from 0 to 1; a half at the customer's best 3%."""
        utility = self.utility[users[:, None], items.clip(0)]
        distance = (utility - self._threshold[users, None]) / self._spread[users, None]
        return np.asarray(1 / (1 + np.exp(-2 * distance)))

    def _unaided(self, day: int, users: Ints) -> Ints:
        """Return what each finds alone: one of the best 200, whichever comes first."""
        chance, place = self._draw(day, _UNAIDED, 2)[users].T
        around = self.best(users, 200)
        found = around[np.arange(len(users)), (place * around.shape[1]).astype(np.int64)]
        return np.where(chance < self.customers.unaided, found, NOBODY)

    def _draw(self, day: int, what: int, places: int = 1) -> Floats:
        """Return the numbers of a day, for every customer and place, whoever comes."""
        return np.random.default_rng([self._seed, 1 + day, what]).random((self.users, places))


def world_of(events: int, days: int, kind: str, seed: int) -> World:
    """Return the customers of a simulated shop of this size, of a kind by its name."""
    return World(SimulationOptions(events=events, days=days), KINDS_AND_NEEDY[kind], seed)


def _utility(
    options: SimulationOptions, customers: Customers
) -> tuple[NDArray[np.int64], Flags, Floats]:
    """Return prices, what is on sale, and what each customer wants each item by, at the end."""
    streams = (np.random.default_rng([options.seed, part]) for part in range(6))
    _, items, users, tastes, _, _ = streams  # as `jobs.simulate_shop` has them
    catalogue = Catalogue(options.items, options.days, items)
    shoppers = Shoppers(options.users, options.days, users)
    affinity = affinities(catalogue.attributes, tastes)
    for day in range(options.days):
        catalogue.open_day(day)
        shoppers.open_day(day)
    utility = np.tile(np.log(catalogue.popularity), (options.users, 1))
    for slot, share in enumerate(SLOT_SHARES):
        utility += share * affinity[shoppers.tastes[:, slot]]
    utility /= utility.std()
    hidden = np.random.default_rng([options.seed, 7])
    own = hidden.normal(size=(options.users, HIDDEN_TASTES))
    of_items = hidden.normal(size=(HIDDEN_TASTES, options.items))
    utility += customers.own * (own @ of_items) / np.sqrt(HIDDEN_TASTES)
    dear = np.log(catalogue.cents / np.median(catalogue.cents))
    care = hidden.gamma(2.0, 0.5, options.users)
    utility -= customers.price * care[:, None] * dear
    on_sale = catalogue.in_stock & catalogue.has_picture
    on_sale[catalogue.listed :] = False
    return catalogue.cents, on_sale, utility
