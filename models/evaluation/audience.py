"""Whose lists are looked at as a whole: customers at random, not only those who came back.

How many customers get a full list, and how many items are shown to anybody, is asked of the lists
that customers get. The judged users alone would answer otherwise: a few hundred lists cannot reach
a catalogue of thousands, and who comes back is better known than the others.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from infra.placements import Placement
from models.data.left_out import left_out
from models.data.run_tables import RunTables
from models.recommender import Matrix, UserIds

LISTS = 20_000  # of as many customers; 100 times more would move a coverage in the third digit


@dataclass(frozen=True)
class Audience:
    """The customers whose lists are looked at, the same for every model of a run.

    Attributes
    ----------
    users : array of str, shape (n,)
        All users with train history, or `LISTS` of them at random.
    left_out : csr_matrix of bool, shape (n, n_items)
        What they may not be shown.
    length : int
        Of their lists.
    """

    users: UserIds
    left_out: Matrix
    length: int


def audience(tables: RunTables, placement: Placement, seed: int) -> Audience:
    """Draw the customers of a run."""
    amount = len(tables.train.users)
    rows = np.arange(amount)
    if amount > LISTS:
        rows = np.sort(np.random.default_rng(seed).choice(amount, LISTS, replace=False))
    hidden = left_out(tables, placement.rule, rows)
    return Audience(tables.train.users[rows], hidden, placement.length)
