"""What a list must not hold: the one rule of a placement, as evaluation and the refit apply it.

`recommend_users` applies the same rule to the table of the whole window, in Spark.
"""

from __future__ import annotations

from datetime import timedelta

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from infra.placements import ListRule
from models.data.run_tables import RunTables
from models.recommender import Matrix


def left_out(tables: RunTables, rule: ListRule, rows: NDArray[np.intp]) -> Matrix:
    """Mark what some of the train users may not be shown at the cut.

    Parameters
    ----------
    rule : ListRule
        `bought` leaves out what the user bought in the days before the cut, also if it was sent
        back; `seen` every item the user did anything with; `nothing` nothing.
    rows : array of int, shape (n,)
        Positions in `tables.train.users`.

    Returns
    -------
    csr_matrix of bool, shape (n, n_items)
    """
    if rule.leave_out == "seen":
        return tables.past.seen[rows]
    if rule.leave_out == "nothing":
        return csr_matrix((len(rows), tables.past.seen.shape[1]), dtype=np.bool_)
    bought = tables.past.bought[rows]
    since = np.datetime64((tables.cut - timedelta(days=rule.within_days)).replace(tzinfo=None))
    late = bought.data >= since.astype("datetime64[us]").astype(np.int64)
    starts = np.concatenate([[0], np.cumsum(late)])[bought.indptr]
    return csr_matrix((late[late], bought.indices[late], starts), shape=bought.shape)
