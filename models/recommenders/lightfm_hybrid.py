"""LightFM with WARP loss, on items and their attributes, so that it can recommend new items.

Source: M. Kula, Metadata Embeddings for User and Item Cold-start Recommendations, 2015;
J. Weston et al., WSABIE, 2011 (the WARP loss).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from infra.errors import InputError
from infra.rules import Strict
from models.recommender import Interactions, ItemFeatures, Matrix, require_learnable
from models.recommenders.early_stopping import train_until_worse, watch
from models.recommenders.factors import Factors, assemble
from models.recommenders.new_items import by_attributes
from models.recommenders.top_k import Vectors

BIASES = 1  # the last place of an item's vector is its bias


class LightFMHybrid(Strict):
    """A factor model whose item vector is the mean of its identity's and its attributes' vectors.

    With `patience`, training stops after so many epochs without a better NDCG on the last day of
    some users, and does at most one epoch more than `epochs`; with too few users that day, all
    epochs are done. With `own_pairs`, an item that few or no users took is placed by its
    attributes, see `new_items`. Bit-identical results need one thread; two are 1.5 times as fast.
    """

    components: int = Field(32, ge=1, le=1024, description="length of the vectors")
    epochs: int = Field(20, ge=1, le=1000, description="passes over the interactions")
    patience: int = Field(0, ge=0, le=1000, description="epochs; 0 never stops early")
    learning_rate: float = Field(0.05, ge=1e-9, le=1, description="of Adagrad")
    item_alpha: float = Field(0.0, ge=0, le=1, description="L2 penalty of items")
    user_alpha: float = Field(0.0, ge=0, le=1, description="L2 penalty of users")
    max_sampled: int = Field(30, ge=1, le=1000, description="negatives WARP tries per positive")
    attribute_share: float = Field(
        0.1, ge=0, le=100, description="weight of all attributes of an item against its identity"
    )
    weight_power: float = Field(
        0.5, ge=0, le=1, description="weights are raised to this power; 0 makes all equal"
    )
    own_pairs: float = Field(
        0, ge=0, le=1000, description="pairs that make an item's own vector count as its attributes"
    )
    random_state: int = Field(7, ge=0, le=2**32 - 1, description="seed")
    num_threads: int = Field(1, ge=1, le=256, description="OpenMP threads")

    def fit(self, train: Interactions, items: ItemFeatures) -> Factors:
        """See `models.recommender.Recipe.fit`."""
        require_learnable(train, items)
        features = identity_and_attributes(items.matrix, self.attribute_share)
        trained, settled, curve = self._train_to_the_end(train, items, features)
        users, vectors = _vectors(trained, features)
        if self.own_pairs:
            pairs = np.bincount(train.weights.indices, minlength=len(items.items))
            vectors = by_attributes(vectors, pairs, items.matrix, self.own_pairs)
        assembled = assemble(train, items, users, vectors)
        return replace(assembled, biases=BIASES, settled=settled, curve=curve)

    @classmethod
    def load(cls, folder: Path) -> Factors:
        """See `models.recommender.Recipe.load`."""
        return Factors.load(folder, biases=BIASES)

    def _train_to_the_end(
        self, train: Interactions, items: ItemFeatures, features: Matrix
    ) -> tuple[Any, dict[str, int], tuple[float, ...]]:
        """Train for all epochs, or until the watched users' last day gets no better.

        Returns
        -------
        LightFM
            Trained.
        dict
            The parameters that early stopping found; none if it did not watch.
        tuple of float
            The NDCG@10 of the watched users after each epoch.
        """
        model = self.untrained()
        watched = watch(train) if self.patience else None
        if watched is None:
            return self.train_on(model, train.weights, features, self.epochs), {}, ()
        kept = watched.weights

        def quality(model: Any) -> float:
            return watched.ndcg(*_vectors(model, features), items.recommendable)

        def epoch(model: Any) -> Any:
            return self.train_on(model, kept, features, 1)

        best, curve = train_until_worse(model, epoch, quality, self.epochs, self.patience)
        last = self.train_on(best, train.weights, features, 1)  # the last day is learnt too
        epochs = curve.index(max(curve)) + 2
        return last, {"epochs": epochs, "patience": 0}, tuple(curve)

    def untrained(self) -> Any:
        """Make LightFM's own model."""
        from lightfm import LightFM

        return LightFM(
            no_components=self.components,
            loss="warp",
            learning_rate=self.learning_rate,
            item_alpha=self.item_alpha,
            user_alpha=self.user_alpha,
            max_sampled=self.max_sampled,
            random_state=self.random_state,
        )

    def train_on(self, model: Any, weights: Matrix, features: Matrix, epochs: int) -> Any:
        """Train on; WARP ignores interaction values, so weights go in as sample weights."""
        pairs = weights.tocoo()
        try:
            return model.fit_partial(
                pairs,
                item_features=features,
                sample_weight=sample_weights(pairs, self.weight_power),
                epochs=epochs,
                num_threads=self.num_threads,
            )
        except ValueError as error:
            raise InputError(f"LightFM gave up: {error}.", "Lower the learning_rate.") from error


def _vectors(fitted: Any, features: Matrix) -> tuple[Vectors, Vectors]:
    """Return vectors of users and items; the last place holds the bias of the item.

    A user's own bias moves all their scores alike, so it is left out.
    """
    biases, items = fitted.get_item_representations(features)
    _, users = fitted.get_user_representations()
    ones = np.ones((len(users), 1), dtype=np.float32)
    return np.hstack([users, ones]), np.hstack([items, biases[:, None]])


def identity_and_attributes(attributes: Matrix, share: float) -> Matrix:
    """Return csr (n_items, n_items + n_features) whose rows sum to 1.

    An item without attributes is its identity alone.
    """
    from scipy.sparse import csr_matrix, diags_array, hstack, identity

    counts = np.diff(attributes.indptr)
    each = np.divide(share, counts, out=np.zeros(len(counts)), where=counts > 0)
    own = identity(attributes.shape[0], format="csr")
    both = hstack([own, diags_array(each) @ attributes], format="csr")
    total = 1.0 + each * counts
    return csr_matrix(diags_array(1.0 / total) @ both, dtype=np.float32)


def sample_weights(pairs: Matrix, power: float) -> Matrix:
    """Return the weights, damped and with mean 1, in the order LightFM reads the pairs.

    Undamped, a few heavy buyers' steps outgrow the learning rate.
    """
    from scipy.sparse import coo_matrix

    damped: NDArray[np.float64] = pairs.data.astype(np.float64) ** power
    weights = (damped / damped.mean()).astype(np.float32)
    return coo_matrix((weights, (pairs.row, pairs.col)), shape=pairs.shape)
