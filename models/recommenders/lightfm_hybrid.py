"""LightFM with WARP loss: item identity and attributes, so that new items get a place too.

Source: M. Kula, Metadata Embeddings for User and Item Cold-start Recommendations, 2015;
J. Weston et al., WSABIE, 2011 (the WARP loss).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from infra.errors import InputError
from models.recommender import (
    Interactions,
    ItemFeatures,
    ItemIds,
    Matrix,
    Recommendations,
    UserIds,
    require_learnable,
)
from models.recommenders.capabilities import NOBODY, Sessions, one_each
from models.recommenders.early_stopping import train_until_worse, watch
from models.recommenders.factors import Factors, assemble, not_fitted
from models.recommenders.model_files import load_parameters, real, save_parameters, whole
from models.recommenders.top_k import Vectors


class LightFMHybrid:
    """A factor model whose item vector is the mean of its identity's and its attributes' vectors.

    Parameters
    ----------
    components : int
        Length of the vectors, 1 to 1024.
    epochs : int
        Passes over the interactions, 1 to 1000; with `patience`, at most so many and one more.
    patience : int
        Stop after so many epochs without a better NDCG on the last day of some users, 0 to 1000;
        0 never stops early. With too few users that day, all epochs are done.
    learning_rate : float
        Of Adagrad, above 0 and at most 1.
    item_alpha, user_alpha : float
        L2 penalty, 0 to 1.
    max_sampled : int
        Negatives WARP tries per positive, 1 to 1000.
    attribute_share : float
        Weight of all attributes of an item against its identity, 0 to 100; 0 ignores them.
    weight_power : float
        Interaction weights are raised to this power, 0 to 1; 0 makes all equal.
    random_state : int
        Seed; bit-identical results need `num_threads` 1.
    num_threads : int
        OpenMP threads, 1 to 256; two are 1.5 times as fast as one.

    Raises
    ------
    SettingsError
        A parameter is out of range; the message names it.
    """

    def __init__(
        self,
        *,
        components: int = 32,
        epochs: int = 20,
        patience: int = 0,
        learning_rate: float = 0.05,
        item_alpha: float = 0.0,
        user_alpha: float = 0.0,
        max_sampled: int = 30,
        attribute_share: float = 0.1,
        weight_power: float = 0.5,
        random_state: int = 7,
        num_threads: int = 1,
    ) -> None:
        self._parameters: dict[str, Any] = {
            "components": whole("components", components, 1, 1024),
            "epochs": whole("epochs", epochs, 1, 1000),
            "patience": whole("patience", patience, 0, 1000),
            "learning_rate": real("learning_rate", learning_rate, 1e-9, 1.0),
            "item_alpha": real("item_alpha", item_alpha, 0.0, 1.0),
            "user_alpha": real("user_alpha", user_alpha, 0.0, 1.0),
            "max_sampled": whole("max_sampled", max_sampled, 1, 1000),
            "attribute_share": real("attribute_share", attribute_share, 0.0, 100.0),
            "weight_power": real("weight_power", weight_power, 0.0, 1.0),
            "random_state": whole("random_state", random_state, 0, 2**32 - 1),
            "num_threads": whole("num_threads", num_threads, 1, 256),
        }
        self._factors: Factors | None = None
        self._settled: dict[str, int] = {}

    def fit(self, train: Interactions, items: ItemFeatures) -> Self:
        """See `models.recommender.Recommender.fit`."""
        require_learnable(train, items)
        features = identity_and_attributes(items.matrix, self._parameters["attribute_share"])
        fitted = self._fit(train, items, features)
        self._factors = assemble(train, items, *_vectors(fitted, features))
        return self

    def recommend(self, users: UserIds, k: int, *, exclude_seen: bool = True) -> Recommendations:
        """See `models.recommender.Recommender.recommend`."""
        return self._fitted.recommend(users, k, exclude_seen=exclude_seen)

    def recommend_sessions(self, sessions: Sessions, k: int) -> Recommendations:
        """See `models.recommenders.capabilities.AnswersSessions`."""
        return self._alike(np.full(len(sessions), NOBODY), sessions, k)

    def settled_parameters(self) -> dict[str, int]:
        """See `capabilities.SettlesParameters`: the epochs that early stopping found."""
        return self._settled

    def similar_items(self, items: ItemIds, k: int) -> Recommendations:
        """See `models.recommenders.capabilities.FindsSimilar`."""
        return self._alike(items, one_each(items), k)

    def save(self, folder: Path) -> None:
        """See `models.recommender.Recommender.save`."""
        self._fitted.save(folder)
        save_parameters(folder, self._parameters)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """See `models.recommender.Recommender.load`."""
        model = load_parameters(folder, cls)
        model._factors = Factors.load(folder)
        return model

    @property
    def _fitted(self) -> Factors:
        return self._factors or not_fitted(self)

    def _alike(self, asked: NDArray[np.str_], sessions: Sessions, k: int) -> Recommendations:
        vectors = self._fitted.item_vectors[:, :-1]  # without the bias: it is no taste
        return self._fitted.alike(asked, sessions, k, vectors)

    def _fit(self, train: Interactions, items: ItemFeatures, features: Matrix) -> Any:
        """Train for all epochs, or until the watched users' last day gets no better."""
        model, epochs = self._unfitted(), self._parameters["epochs"]
        self._settled = {}
        watched = watch(train) if self._parameters["patience"] else None
        if watched is None:
            return self._train(model, train.weights, features, epochs)
        kept = watched.weights

        def quality(one: Any) -> float:
            return watched.ndcg(*_vectors(one, features), items.recommendable)

        def epoch(one: Any) -> Any:
            return self._train(one, kept, features, 1)

        best, found = train_until_worse(model, epoch, quality, epochs, self._parameters["patience"])
        self._settled = {"epochs": found + 1, "patience": 0}
        return self._train(best, train.weights, features, 1)  # the last day is learnt too

    def _unfitted(self) -> Any:
        from lightfm import LightFM

        chosen = self._parameters
        return LightFM(
            no_components=chosen["components"],
            loss="warp",
            learning_rate=chosen["learning_rate"],
            item_alpha=chosen["item_alpha"],
            user_alpha=chosen["user_alpha"],
            max_sampled=chosen["max_sampled"],
            random_state=chosen["random_state"],
        )

    def _train(self, model: Any, weights: Matrix, features: Matrix, epochs: int) -> Any:
        """Train on; WARP ignores interaction values, so weights go in as sample weights."""
        pairs = weights.tocoo()
        try:
            return model.fit_partial(
                pairs,
                item_features=features,
                sample_weight=sample_weights(pairs, self._parameters["weight_power"]),
                epochs=epochs,
                num_threads=self._parameters["num_threads"],
            )
        except ValueError as error:
            raise InputError(f"LightFM gave up: {error}.", "Lower the learning_rate.") from error


def _vectors(fitted: Any, features: Matrix) -> tuple[Vectors, Vectors]:
    """Return vectors of users and items; the last place holds the bias of the item.

    A user's own bias moves all their scores alike, so it is left out.
    """
    biases, items = fitted.get_item_representations(features)
    _, users = fitted.get_user_representations()
    one = np.ones((len(users), 1), dtype=np.float32)
    return np.hstack([users, one]), np.hstack([items, biases[:, None]])


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
