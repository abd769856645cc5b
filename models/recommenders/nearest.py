"""The nearest neighbours of every item, from vectors that say what items are like.

Source: B. Sarwar et al., Item-based Collaborative Filtering Recommendation Algorithms, 2001.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, identity

from models.recommender import ItemIds, Matrix
from models.recommenders.top_k import Vectors, top_k_of
from models.ties import Ties, hashes


def nearest(vectors: Matrix, ids: ItemIds, allowed: NDArray[np.bool_], keep: int) -> Matrix:
    """Return the `keep` nearest allowed items of every item by dot product above 0.

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
    others = vectors[np.flatnonzero(allowed)].T.tocsr()
    itself = identity(n_items, format="csr", dtype=np.float32)

    def score(rows: slice) -> Vectors:
        scores: Vectors = (vectors[rows] @ others).toarray()
        return scores

    most, ties = min(keep, n_items), Ties(own, own)
    items, scores = top_k_of(score, n_items, most, allowed, itself, ties)
    kept = scores > 0
    rows = np.repeat(np.arange(n_items), kept.sum(axis=1))
    similar = csr_matrix((scores[kept], (rows, items[kept])), shape=(n_items, n_items))
    similar.sort_indices()
    return similar
