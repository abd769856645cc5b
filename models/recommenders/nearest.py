"""The nearest neighbours of every item, from vectors that say what items are like.

Source: B. Sarwar et al., Item-based Collaborative Filtering Recommendation Algorithms, 2001.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, identity

from models.recommender import ItemIds, Matrix
from models.recommenders.top_k import Vectors, top_k_of
from models.ties import Ties, hashes

FEW = 0.1  # of all pairs of items: with fewer that meet, only these are looked at
BLOCK = 5_000_000  # pairs that meet, at a time


def nearest(vectors: Matrix, ids: ItemIds, allowed: NDArray[np.bool_], keep: int) -> Matrix:
    """Return the `keep` nearest allowed items of every item by dot product above 0.

    Time grows with the pairs of items that have a place of their vectors in common, or, where these
    are many, with all pairs.

    Parameters
    ----------
    vectors : csr_matrix, shape (n_items, d)
    ids : array of str, shape (n_items,)
        They break ties.
    allowed : array of bool, shape (n_items,)
        Which items may be neighbours.
    keep : int
        At least 1.

    Returns
    -------
    csr_matrix of float32, shape (n_items, n_items)
        Sorted column indices.
    """
    n_items, own = vectors.shape[0], hashes(ids)
    most, ties = min(keep, n_items), Ties(own, own)
    met = _met(vectors, allowed)
    find = _of_those_that_meet if met.sum() < FEW * n_items * allowed.sum() else _of_all
    rows, items, scores = find(vectors, allowed, most, ties)
    similar = csr_matrix((scores, (rows, items)), shape=(n_items, n_items))
    similar.sort_indices()
    return similar


Pairs = tuple[NDArray[np.intp], NDArray[np.intp], Vectors]


def _of_all(vectors: Matrix, allowed: NDArray[np.bool_], most: int, ties: Ties) -> Pairs:
    """Score every item with every allowed one."""
    n_items = vectors.shape[0]
    others = vectors[np.flatnonzero(allowed)].T.tocsr()
    itself = identity(n_items, format="csr", dtype=np.float32)

    def score(rows: slice) -> Vectors:
        scores: Vectors = (vectors[rows] @ others).toarray()
        return scores

    items, scores = top_k_of(score, n_items, most, allowed, itself, ties)
    kept = scores > 0
    rows = np.repeat(np.arange(n_items), kept.sum(axis=1))
    return rows, items[kept].astype(np.intp), scores[kept]


def _of_those_that_meet(
    vectors: Matrix, allowed: NDArray[np.bool_], most: int, ties: Ties
) -> Pairs:
    """Score the pairs of items alone that have a place of their vectors in common."""
    columns = np.flatnonzero(allowed)
    others = vectors[columns].T.tocsr()
    found = [
        _best(vectors[rows] @ others, rows.start, columns, most, ties)
        for rows in _blocks(_met(vectors, allowed))
    ]
    rows, items, scores = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return rows, items, scores


def _best(products: Matrix, first: int, columns: NDArray[np.intp], most: int, ties: Ties) -> Pairs:
    """Keep the largest products of each row; `first` is the item of the first row."""
    rows = first + np.repeat(np.arange(products.shape[0]), np.diff(products.indptr))
    items, scores = columns[products.indices], products.data
    good = (scores > 0) & (rows != items)
    rows, items, scores = rows[good], items[good], scores[good]
    order = np.lexsort((ties.keys(rows, items), -scores, rows))
    of_row = np.bincount(rows - first, minlength=products.shape[0])
    rank = np.arange(len(rows)) - np.repeat(np.cumsum(of_row) - of_row, of_row)
    kept = order[rank < most]
    return rows[kept], items[kept], scores[kept]


def _met(vectors: Matrix, allowed: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Count how often each item meets an allowed one, shape (n_items,)."""
    taken = np.bincount(vectors[np.flatnonzero(allowed)].indices, minlength=vectors.shape[1])
    met = np.concatenate([[0], np.cumsum(taken[vectors.indices], dtype=np.int64)])
    of_items: NDArray[np.int64] = np.diff(met[vectors.indptr])
    return of_items


def _blocks(met: NDArray[np.int64]) -> Iterator[slice]:
    """Cut rows into blocks that meet so many, or have one row."""
    ends = np.flatnonzero(np.diff(np.cumsum(met) // BLOCK)) + 1
    starts = np.concatenate([[0], ends])
    for start, end in zip(starts, np.append(ends, len(met)), strict=True):
        yield slice(int(start), int(end))
