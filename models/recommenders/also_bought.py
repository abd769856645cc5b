"""Customers who bought this also bought that: items are alike if the same users took both.

Sources: G. Linden, B. Smith, J. York, Amazon.com Recommendations: Item-to-Item Collaborative
Filtering, 2003 (cosine); S. Robertson, H. Zaragoza, The Probabilistic Relevance Framework: BM25
and Beyond, 2009, read with users as words and items as documents.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field
from scipy.sparse import csr_matrix, diags_array

from infra.rules import Strict
from models.recommender import Interactions, ItemFeatures, Matrix, require_learnable
from models.recommenders.nearest import nearest
from models.recommenders.neighbours import Neighbours, assemble

BM25_K1, BM25_B = 1.2, 0.75  # Robertson and Zaragoza's own middle values


class AlsoBought(Strict):
    """An item scores by its likeness to what the user had.

    `weighting` is the cosine of the damped weights, or the dot product of their BM25 weights, which
    tells less of an item by users who take everything.
    """

    weighting: Literal["cosine", "bm25"] = "cosine"
    neighbours: int = Field(100, ge=1, le=10_000, description="most similar items kept per item")
    weight_power: float = Field(
        0.5, ge=0, le=1, description="weights are raised to this power; 0 makes all equal"
    )
    longest_history: int = Field(
        500,
        ge=2,
        le=100_000,
        description="latest items of a user that count: counting costs the square of it",
    )

    def fit(self, train: Interactions, items: ItemFeatures) -> Neighbours:
        """See `models.recommender.Recipe.fit`."""
        require_learnable(train, items)
        damped = train.weights.copy()
        damped.data = damped.data ** np.float32(self.weight_power)
        counted = latest(damped, train, self.longest_history)
        weigh = cosine_weights if self.weighting == "cosine" else bm25_weights
        similar = nearest(weigh(counted), items.items, items.recommendable, self.neighbours)
        return assemble(train, items, damped.data, similar)

    @classmethod
    def load(cls, folder: Path) -> Neighbours:
        """See `models.recommender.Recipe.load`."""
        return Neighbours.load(folder)


def latest(weights: Matrix, train: Interactions, most: int) -> Matrix:
    """Return weights (in the order of `train.weights`) of each user's `most` latest items."""
    lengths = np.diff(weights.indptr)
    if lengths.max() <= most:
        return weights
    users = np.repeat(np.arange(len(lengths)), lengths)
    newest_first = np.lexsort((weights.indices, -train.last_times.astype(np.int64), users))
    rank = np.arange(len(users)) - weights.indptr[users]
    chosen = np.sort(newest_first[rank < most])
    rows, columns = users[chosen], weights.indices[chosen]
    return csr_matrix((weights.data[chosen], (rows, columns)), shape=weights.shape)


def cosine_weights(weights: Matrix) -> Matrix:
    """Return csr (n_items, n_users) with rows of length 1, so that products are cosines.

    Examples
    --------
    >>> cosine_weights(csr_matrix(np.float32([[3, 0], [4, 2]]))).toarray().round(2).tolist()
    [[0.6000000238418579, 0.800000011920929], [0.0, 1.0]]
    """
    by_item = weights.T.tocsr()
    lengths = np.sqrt(np.asarray(by_item.multiply(by_item).sum(axis=1), dtype=np.float64)).ravel()
    inverse = np.divide(1.0, lengths, out=np.zeros(len(lengths)), where=lengths > 0)
    return csr_matrix(diags_array(inverse) @ by_item, dtype=np.float32)


def bm25_weights(weights: Matrix) -> Matrix:
    """Return csr (n_items, n_users) of BM25 weights: users are words, items are documents.

    A weight w becomes idf(user) * w * (k1 + 1) / (w + k1 * (1 - b + b * l / mean l)), where l is
    the summed weight of the item and idf(user) = ln(1 + (n - d + 0.5) / (d + 0.5)) for a user
    with d of n items.

    Examples
    --------
    >>> bm25_weights(csr_matrix(np.float32([[1, 0], [1, 1]]))).toarray().round(3).tolist()
    [[0.6100000143051147, 0.1599999964237213], [0.0, 0.210999995470047]]
    """
    by_item = weights.T.tocoo()
    n_items, _ = by_item.shape
    had = np.bincount(by_item.col, minlength=by_item.shape[1])
    idf = np.log1p((n_items - had + 0.5) / (had + 0.5))
    lengths = np.bincount(by_item.row, by_item.data, minlength=n_items)
    norms = 1 - BM25_B + BM25_B * lengths / lengths[lengths > 0].mean()
    strength = by_item.data * (BM25_K1 + 1) / (by_item.data + BM25_K1 * norms[by_item.row])
    places = (by_item.row, by_item.col)
    return csr_matrix((idf[by_item.col] * strength, places), by_item.shape, dtype=np.float32)
