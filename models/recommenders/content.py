"""Items alike in words, brand, category and colour: new items are in from their first hour.

Source: G. Salton, C. Buckley, Term-weighting approaches in automatic text retrieval, 1988.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags_array, hstack

from models.recommender import (
    Interactions,
    ItemFeatures,
    ItemIds,
    Matrix,
    Recommendations,
    UserIds,
    require_learnable,
)
from models.recommenders.capabilities import Sessions
from models.recommenders.factors import not_fitted
from models.recommenders.model_files import load_parameters, real, save_parameters, whole
from models.recommenders.neighbours import Neighbours, assemble, nearest

WORD = re.compile(r"[^\W_]{2,}")  # letters and digits of any script


class Content:
    """An item scores by its likeness to what the user had; nobody else's taste is asked.

    Parameters
    ----------
    neighbours : int
        Most similar items kept per item, 1 to 10000.
    weight_power : float
        Interaction weights are raised to this power, 0 to 1; 0 makes all equal.

    Raises
    ------
    SettingsError
        A parameter is out of range; the message names it.
    """

    def __init__(self, *, neighbours: int = 200, weight_power: float = 0.5) -> None:
        self._parameters: dict[str, Any] = {
            "neighbours": whole("neighbours", neighbours, 1, 10_000),
            "weight_power": real("weight_power", weight_power, 0.0, 1.0),
        }
        self._neighbours: Neighbours | None = None

    def fit(self, train: Interactions, items: ItemFeatures) -> Self:
        """See `models.recommender.Recommender.fit`."""
        require_learnable(train, items)
        vectors = tf_idf(terms(items))
        similar = nearest(vectors, items.recommendable, self._parameters["neighbours"])
        says = train.weights.data ** np.float32(self._parameters["weight_power"])
        self._neighbours = assemble(train, items, says, similar)
        return self

    def recommend(self, users: UserIds, k: int, *, exclude_seen: bool = True) -> Recommendations:
        """See `models.recommender.Recommender.recommend`."""
        return self._fitted.recommend(users, k, exclude_seen=exclude_seen)

    def recommend_sessions(self, sessions: Sessions, k: int) -> Recommendations:
        """See `models.recommenders.capabilities.AnswersSessions`."""
        return self._fitted.recommend_sessions(sessions, k)

    def similar_items(self, items: ItemIds, k: int) -> Recommendations:
        """See `models.recommenders.capabilities.FindsSimilar`."""
        return self._fitted.recommend_alike(items, k)

    def because(
        self, given: Recommendations, sessions: Sessions | None = None
    ) -> NDArray[np.int32]:
        """See `models.recommenders.capabilities.GivesReasons`."""
        return self._fitted.because(given, sessions)

    def save(self, folder: Path) -> None:
        """See `models.recommender.Recommender.save`."""
        self._fitted.save(folder)
        save_parameters(folder, self._parameters)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """See `models.recommender.Recommender.load`."""
        model = load_parameters(folder, cls)
        model._neighbours = Neighbours.load(folder)
        return model

    @property
    def _fitted(self) -> Neighbours:
        return self._neighbours or not_fitted(self)


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
    found = [WORD.findall(title.casefold()) for title in titles.tolist()]
    rows = np.repeat(np.arange(len(found)), [len(words) for words in found])
    every = np.array([word for words in found for word in words], dtype=np.str_)
    known, columns = np.unique(every, return_inverse=True)
    ones = np.ones(len(every), dtype=np.float32)
    return csr_matrix((ones, (rows, columns)), shape=(len(found), len(known)))


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
