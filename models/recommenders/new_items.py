"""Vectors of new items: what their attributes are worth among the items that customers took.

An item that nobody took keeps the random start of its own vector and bias, and one that few took
stays near it. As any bias grows with every pair, such an item ends below everything else, whatever
its attributes say. So its vector is replaced by the one that its attributes foretell, and moves to
its own with every pair.

Source: Z. Gantner et al., Learning Attribute-to-Feature Mappings for Cold-Start Recommendations,
2010 (the linear mapping).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags_array
from scipy.sparse.linalg import lsqr

from models.recommender import Matrix
from models.recommenders.top_k import Vectors

# Of an attribute's part; in items with the mean number of pairs. Planted tastes without noise are
# served the same by 5 to 50; below 20 new items crowd out others where tastes are mixed.
RIDGE = 30.0
EXACT = 1e-6  # of the solution, relative; vectors have 7 digits


def by_attributes(
    vectors: Vectors, pairs: NDArray[np.int64], attributes: Matrix, own_pairs: float
) -> Vectors:
    """Mix the vector of every item with the one its attributes foretell.

    Parameters
    ----------
    vectors : array of float32, shape (n_items, d)
        As trained, with the bias in the last place.
    pairs : array of int, shape (n_items,)
        How many users took each item.
    attributes : csr_matrix, shape (n_items, n_features)
        An item without one keeps its vector.
    own_pairs : float
        With so many pairs an item's own vector counts as much as the foretold one.
    """
    described = np.diff(attributes.indptr) > 0
    learnt = described & (pairs > 0)
    if not learnt.any():
        return vectors
    own = pairs[:, None].astype(np.float64)
    mixed = (own * vectors + own_pairs * _foretold(vectors, pairs, attributes, learnt)) / (
        own + own_pairs
    )
    return np.where(described[:, None], mixed, vectors).astype(np.float32)


def _foretold(
    vectors: Vectors, pairs: NDArray[np.int64], attributes: Matrix, learnt: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Fit the vectors of taken items by ridge regression, each pair counting the same."""
    weights = pairs[learnt] / pairs[learnt].mean()
    mean = np.average(vectors[learnt].astype(np.float64), axis=0, weights=weights)
    root = np.sqrt(weights)
    design = csr_matrix(diags_array(root) @ attributes[learnt].astype(np.float64))
    wanted = (vectors[learnt] - mean) * root[:, None]
    parts = [
        lsqr(design, column, damp=RIDGE**0.5, atol=EXACT, btol=EXACT)[0] for column in wanted.T
    ]
    return np.asarray(mean + attributes @ np.stack(parts, axis=1))
