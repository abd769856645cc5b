"""Says by how much the treatment was better or worse before anybody saw it: on the hold-out."""

from __future__ import annotations

import numpy as np

from infra.errors import StorageError
from infra.ledger.run_records import RunRecords
from infra.records.ab_tests import Offline
from infra.storage import Storage
from models.evaluation.values import load_values
from models.metrics.confidence import LEVEL


def offline_difference(storage: Storage, run: str, control: str, treatment: str) -> Offline | None:
    """Return the relative difference by the metric that chooses among candidates.

    Parameters
    ----------
    run : str
        Which trained and scored both candidates.

    Returns
    -------
    Offline or None
        With its 95% interval over resampled customers; None where the run kept no values, or they
        cannot be read: no test depends on them.
    """
    try:
        evaluation = RunRecords(storage, run).load_evaluation()
        values = load_values(storage, evaluation) if evaluation else None
    except StorageError:
        return None
    found = values.sample(evaluation.judged_by) if evaluation and values else None
    if evaluation is None or found is None or not {control, treatment} <= found.values.keys():
        return None
    base, other = (float(found.values[name].mean()) for name in (control, treatment))
    if not base > 0:
        return None
    resampled = found.means[treatment] / np.maximum(found.means[control], np.finfo(float).tiny) - 1
    low, high = (float(end) for end in np.percentile(resampled, LEVEL))
    return Offline(metric=evaluation.judged_by, relative=other / base - 1, low=low, high=high)
