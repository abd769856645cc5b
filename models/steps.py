"""What people did visit by visit, as arrays: for models and metrics that look at the order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.recommender import ItemIds, UserIds

NO_CHOICE = ("impression", "return")  # what the shop showed, and what came back


@dataclass(frozen=True)
class Steps:
    """The events of many visits: ordered by person, then by the time a visit began, then by time.

    A visit is one session of one person. Visit v has the steps from `starts[v]` up to, and without,
    `starts[v + 1]`.

    Attributes
    ----------
    persons : array of str, shape (n_persons,)
        Sorted and unique, each with at least one visit: customers, and visitors without a user id.
        They are named as `Interactions.users` are.
    items : array of str, shape (n_items,)
        The sorted items that positions point into.
    visitors : array of int64, shape (n_visits,)
        Position in `persons` of the one whose visit it is; ascending.
    starts : array of int64, shape (n_visits + 1,)
        Where the steps of each visit begin; the last is n_steps. Every visit has a step.
    item : array of int64, shape (n_steps,)
        Position in `items`; -1 for an item that is not among them.
    kind : array of int8, shape (n_steps,)
        Position of the event type in `infra.schemas.EVENT_TYPES`.
    times : array of datetime64[us], shape (n_steps,)
        UTC; ascending within a visit.
    quantity, unit_price : arrays of float64, shape (n_steps,)
        NaN where the shop did not say.
    """

    persons: UserIds
    items: ItemIds
    visitors: NDArray[np.int64]
    starts: NDArray[np.int64]
    item: NDArray[np.int64]
    kind: NDArray[np.int8]
    times: NDArray[np.datetime64]
    quantity: NDArray[np.float64]
    unit_price: NDArray[np.float64]

    @property
    def visits(self) -> NDArray[np.int64]:
        """The number of the visit of every step, shape (n_steps,)."""
        return np.repeat(np.arange(len(self.visitors)), np.diff(self.starts))

    def of_persons(self, chosen: NDArray[np.bool_]) -> Steps:
        """Keep the visits of some persons; `chosen` has the shape of `persons`."""
        return self.of_steps(chosen[self.visitors][self.visits])

    def of_steps(self, chosen: NDArray[np.bool_]) -> Steps:
        """Keep some steps, and the visits and persons that have any; `chosen` has their shape."""
        lengths = np.bincount(self.visits[chosen], minlength=len(self.visitors))
        visitors = self.visitors[lengths > 0]
        persons = np.unique(visitors)
        return Steps(
            persons=self.persons[persons],
            items=self.items,
            visitors=np.searchsorted(persons, visitors),
            starts=np.concatenate([[0], np.cumsum(lengths[lengths > 0])]),
            item=self.item[chosen],
            kind=self.kind[chosen],
            times=self.times[chosen],
            quantity=self.quantity[chosen],
            unit_price=self.unit_price[chosen],
        )
