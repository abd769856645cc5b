"""Recommends items alike in words, brand, category and colour, from their first hour on.

Source: G. Salton, C. Buckley, Term-weighting approaches in automatic text retrieval, 1988.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.sparse import csr_matrix, diags_array, hstack

from infra.rules import Strict
from models.recommender import Interactions, ItemFeatures, Matrix, require_learnable
from models.recommenders.nearest import nearest
from models.recommenders.neighbours import Neighbours, assemble

WORD = re.compile(r"[^\W_]{2,}")  # letters and digits of any script


class Content(Strict):
    """Scores an item by its likeness to what the user had; other users do not count."""

    neighbours: int = Field(200, ge=1, le=10_000, description="most similar items kept per item")
    weight_power: float = Field(
        0.5, ge=0, le=1, description="weights are raised to this power; 0 makes all equal"
    )

    def fit(self, train: Interactions, items: ItemFeatures) -> Neighbours:
        """See `models.recommender.Recipe.fit`."""
        require_learnable(train, items)
        vectors = tf_idf(terms(items))
        similar = nearest(vectors, items.items, items.recommendable, self.neighbours)
        says = train.weights.data ** np.float32(self.weight_power)
        return assemble(train, items, says, similar)

    @classmethod
    def load(cls, folder: Path) -> Neighbours:
        """See `models.recommender.Recipe.load`."""
        return Neighbours.load(folder)


def terms(items: ItemFeatures) -> Matrix:
    """Count attributes and title words per item, csr (n_items, n_features + n_words)."""
    if items.titles is None:
        return items.matrix
    return csr_matrix(hstack([items.matrix, word_counts(items.titles)]), dtype=np.float32)


def word_counts(titles: NDArray[np.str_]) -> Matrix:
    """Count the words of every title, csr (n_titles, n_words); words in alphabetical order.

    A word is two or more letters or digits; upper and lower case are the same.

    Examples
    --------
    >>> word_counts(np.array(["Red coat", "RED red T-shirt"])).toarray().tolist()
    [[1.0, 1.0, 0.0], [0.0, 2.0, 1.0]]
    """
    by_title = [WORD.findall(title.casefold()) for title in titles.tolist()]
    rows = np.repeat(np.arange(len(by_title)), [len(words) for words in by_title])
    every = np.array([word for words in by_title for word in words], dtype=np.str_)
    vocabulary, columns = np.unique(every, return_inverse=True)
    ones = np.ones(len(every), dtype=np.float32)
    return csr_matrix((ones, (rows, columns)), shape=(len(by_title), len(vocabulary)))


def tf_idf(counts: Matrix) -> Matrix:
    """Weigh counts by ln((1 + n) / (1 + items with it)) + 1, rows of length 1.

    An item without any term keeps an empty row.

    Examples
    --------
    >>> tf_idf(csr_matrix(np.float32([[1, 1], [1, 0]]))).toarray().round(3).tolist()
    [[0.5799999833106995, 0.8149999976158142], [1.0, 0.0]]
    """
    n_items, n_terms = counts.shape
    with_it = np.bincount(counts.indices, minlength=n_terms)
    weighted = counts @ diags_array(np.log((1 + n_items) / (1 + with_it)) + 1)
    lengths = np.sqrt(np.asarray(weighted.multiply(weighted).sum(axis=1))).ravel()
    inverse = np.divide(1.0, lengths, out=np.zeros(n_items), where=lengths > 0)
    return csr_matrix(diags_array(inverse) @ weighted, dtype=np.float32)
