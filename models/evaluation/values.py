"""The values of every model by customer: a drop of any size can be judged from them, also later.

They are arrays without keys, in the order of the hold-out, one for each metric and model. The
record of the evaluation names their digest.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from infra.errors import StorageError
from infra.places import values_key
from infra.records.evaluation import EvaluationRecord, Score
from infra.storage import Storage
from infra.stores.object_store import read_if_there
from models.evaluation.compare import entry_of
from models.evaluation.measure import Measured
from models.metrics.confidence import Sample, sample
from models.metrics.ranking import Values

SEED = "seed"
AGAIN = "Run evaluate again, and all that follows."


@dataclass(frozen=True)
class UserValues:
    """What every model of a run is worth to every customer it was scored on.

    Attributes
    ----------
    seed : int
        By which customers are resampled: the same for the page and for the verdict.
    by_metric : dict of str to dict of str to array of float64, shape (n_users,)
        By metric, and then by model: the name of a candidate, `champion` or `anchor`.
    """

    seed: int
    by_metric: Mapping[str, Mapping[str, Values]]

    def sample(self, metric: str) -> Sample | None:
        """Return the models on one metric, resampled once; None for one without values."""
        if metric not in self.by_metric:
            return None
        if metric not in self._samples:
            self._samples[metric] = sample(self.by_metric[metric], self.seed)
        return self._samples[metric]

    @cached_property
    def _samples(self) -> dict[str, Sample]:
        return {}


def values_of(scored: Iterable[tuple[Score, Measured]], seed: int) -> UserValues:
    """Take the values of all models from what was measured of them."""
    by_metric: dict[str, dict[str, Values]] = {}
    for score, measured in scored:
        for metric, values in measured.by_user.items():
            by_metric.setdefault(metric, {})[entry_of(score)] = values
    return UserValues(seed, by_metric)


def save_values(storage: Storage, run: str, values: UserValues) -> str:
    """Write the values of a run; return their digest, which its record names."""
    file = io.BytesIO()
    arrays: dict[str, Any] = {
        f"{metric} {entry}": array
        for metric, entries in values.by_metric.items()
        for entry, array in entries.items()
    }
    arrays[SEED] = np.array(values.seed)
    np.savez_compressed(file, **arrays)
    content = file.getvalue()
    storage.lake.store.write(values_key(run), content)
    return hashlib.sha256(content).hexdigest()


def load_values(storage: Storage, record: EvaluationRecord) -> UserValues | None:
    """Return the values of an evaluation; None for one of an earlier Catwalk, which kept none.

    Raises
    ------
    StorageError
        They are gone, or are not those that the record names.
    """
    if not record.values_sha256:
        return None
    key = values_key(record.run)
    content = read_if_there(storage.lake.store, key)
    if content is None or hashlib.sha256(content).hexdigest() != record.values_sha256:
        raise StorageError(f"{key} is not what the evaluation of {record.run} wrote.", AGAIN)
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    seed, by_metric = int(arrays.pop(SEED)), dict[str, dict[str, Values]]()
    for name, array in arrays.items():
        metric, entry = name.split(" ", 1)
        by_metric.setdefault(metric, {})[entry] = array
    return UserValues(seed, by_metric)
