"""The hold-out as arrays: on which users, and on which of their items, models are scored.

These are users with train history who had a success after the cut, such as a purchase, with an item
that they might have been shown: what their list leaves out is not wanted from it. A wanted item
that may not be shown (no picture, out of stock) stays wanted, so it counts as a miss for every
model. All that is left out is counted: looks, repeats, users first seen after the cut (they are
scored apart, see `models.evaluation.newcomers`) and items unknown at the cut.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from infra.errors import InputError
from infra.placements import ListRule
from models.data.left_out import left_out
from models.data.run_tables import RunTables
from models.metrics.ranking import Counts
from models.recommender import NONE, Matrix, UserIds, positions

BUY_AGAIN = "If customers buy the same again, let `home` of CATWALK_PLACEMENTS leave out nothing."


@dataclass(frozen=True)
class Amounts:
    """What a hold-out has, and how much of it nobody is scored on.

    Attributes
    ----------
    pairs : int
        Pairs of user and item after the cut.
    successes : int
        Those with a success.
    known : int
        Those of users with train history and of items known at the cut.
    repeats : int
        Those that lists leave out.
    users, cold_users, unknown_items : int
        Users with a success, those of them without train history, and items unknown at the cut.
    """

    pairs: int
    successes: int
    known: int
    repeats: int
    users: int
    cold_users: int
    unknown_items: int


@dataclass(frozen=True)
class Holdout:
    """The eligible users and what they wanted.

    Attributes
    ----------
    users : array of str, shape (n,)
        Sorted.
    rows : array of int, shape (n,)
        Their positions among the train users.
    wanted : csr_matrix of bool, shape (n, n_items)
        At least one entry per row.
    purchased, repeated : csr_matrix of bool, shape (n, n_items)
        Which of the wanted items were bought, and with which of them the user did something before.
    left_out : csr_matrix of bool, shape (n, n_items)
        What the same users may not be shown.
    amounts : Amounts
    """

    users: UserIds
    rows: NDArray[np.intp]
    wanted: Matrix
    purchased: Matrix
    repeated: Matrix
    left_out: Matrix
    amounts: Amounts

    @property
    def relevant(self) -> Counts:
        """How many items each user wanted, shape (n,)."""
        counts: Counts = np.diff(self.wanted.indptr).astype(np.int64)
        return counts


def select(tables: RunTables, rule: ListRule) -> Holdout:
    """Choose the users and items to score on, for lists that leave out what `rule` says.

    Raises
    ------
    InputError
        Nobody is left to score on; it says what was left out.
    """
    pairs = tables.holdout
    rows = positions(tables.train.users, pairs.users)
    columns = positions(tables.train.items, pairs.items)
    success = pairs.successes > 0
    known = success & (rows != NONE) & (columns != NONE)
    shape = tables.train.weights.shape
    taken = _marks(rows[known], columns[known], shape)
    wanted = without(taken, left_out(tables, rule, np.arange(shape[0])))
    amounts = Amounts(
        pairs=len(pairs.users),
        successes=int(success.sum()),
        known=int(taken.nnz),
        repeats=int(taken.nnz - wanted.nnz),
        users=len(np.unique(pairs.users[success])),
        cold_users=len(np.unique(pairs.users[success & (rows == NONE)])),
        unknown_items=len(np.unique(pairs.items[success & (columns == NONE)])),
    )
    eligible = np.flatnonzero(np.diff(wanted.indptr))
    if not eligible.size:
        raise _nobody(amounts)
    bought = known & (pairs.purchases > 0)
    purchased = _marks(rows[bought], columns[bought], shape)
    return Holdout(
        users=tables.train.users[eligible],
        rows=eligible,
        wanted=wanted[eligible],
        purchased=within(wanted, purchased)[eligible],
        repeated=within(wanted, tables.past.seen)[eligible],
        left_out=left_out(tables, rule, eligible),
        amounts=amounts,
    )


def notes_of(holdout: Holdout, tables: RunTables) -> list[str]:
    """Say in sentences what the numbers of a run do not cover; nothing where all is covered."""
    had, bare = holdout.amounts, np.flatnonzero(np.diff(tables.items.matrix.indptr) == 0)
    looks, example = had.pairs - had.successes, tables.items.items[bare[0]] if bare.size else ""
    amounts = {
        f"of {had.pairs:,} hold-out pairs hold no success, such as looks, and were left out": looks,
        f"of {had.known:,} hold-out pairs are repeats and were left out": had.repeats,
        "hold-out users have no history before the cut": had.cold_users,
        "hold-out items were unknown at the cut": had.unknown_items,
        f"items have no attributes, such as {example}": len(bare),
    }
    return [f"{count:,} {what}." for what, count in amounts.items() if count]


def within(wanted: Matrix, others: Matrix) -> Matrix:
    """Return the entries of one csr matrix of bool that another one has too."""
    both = csr_matrix(wanted.multiply(others.astype(np.bool_)), dtype=np.bool_)
    both.eliminate_zeros()
    return both


def without(wanted: Matrix, others: Matrix) -> Matrix:
    """Return the entries of one csr matrix of bool that another one lacks."""
    rest = csr_matrix(wanted.astype(np.int8) - within(wanted, others).astype(np.int8))
    rest.eliminate_zeros()
    return rest.astype(np.bool_)


def _marks(rows: NDArray[np.int64], columns: NDArray[np.int64], shape: tuple[int, int]) -> Matrix:
    return csr_matrix((np.ones(len(rows), dtype=np.bool_), (rows, columns)), shape=shape)


def _nobody(amounts: Amounts) -> InputError:
    """Say why nobody can be scored."""
    if amounts.pairs and not amounts.successes:
        return InputError(
            f"None of {amounts.pairs} hold-out pairs holds a success.",
            "Name what counts as a success in CATWALK_PLACEMENTS, or for the source.",
        )
    if amounts.known and amounts.known == amounts.repeats:
        return InputError(
            f"All {amounts.known} hold-out pairs are things that the same user had before; "
            "repeats are left out of the lists, and not judged.",
            BUY_AGAIN,
        )
    return InputError(
        f"None of {amounts.users} hold-out users has train history and an item that was known.",
        "Widen CATWALK_TRAINING_WINDOW_DAYS or CATWALK_HOLDOUT_DAYS.",
    )
