"""Gives a notebook the tables of a run as pandas frames, and scores models on its hold-out.

Nothing of it is kept, and nothing of it can be released: what is worth keeping becomes an entry of
`models/candidates.yaml`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from infra.errors import InputError
from infra.ledger.run_rules import placements_of
from infra.records.evaluation import Score
from infra.schemas import CATALOGUE, HISTORY, INTERACTIONS, ITEMS, STEPS, TABLES, Table
from infra.storage import Storage
from models.candidates import candidate_named, make
from models.data.run_steps import read_steps
from models.data.run_tables import held_to_schema, read_run
from models.evaluation.score_run import Entrant, score_run
from models.experiments.plan import latest_accepted as latest_accepted
from models.recommender import Recipe, Recommender
from models.training.train import learn, read_lesson

if TYPE_CHECKING:
    import pandas as pd

OF_RUN = {table.name: table for table in (INTERACTIONS, STEPS, ITEMS, HISTORY, CATALOGUE)}
RIVAL = "popularity"
SHOWN = ("ndcg_at_10", "recall_at_10", "user_coverage", "catalogue_coverage")


def frames_of(storage: Storage, run: str) -> dict[str, pd.DataFrame]:
    """Return the tables of a run; `columns_of` says what their columns are.

    Returns
    -------
    dict of str to DataFrame
        `interactions`, `steps` and `items` are those of training and hold-out, `history` and
        `catalogue` those of the refit. Times are UTC; persons are keys.

    Raises
    ------
    StorageError
        A table was never finished.
    """
    return {name: _frame(storage, run, table) for name, table in OF_RUN.items()}


def columns_of(name: str) -> pd.DataFrame:
    """Return what the columns of a table are: type, whether one may be null, unit and meaning."""
    import pandas as pd

    table = next((table for table in TABLES if table.name == name), None)
    if table is None:
        names = ", ".join(table.name for table in TABLES)
        raise InputError(f"There is no table '{name}'.", f"There are {names}.")
    rows = [(each.name, each.kind, each.nullable, each.about) for each in table.described]
    return pd.DataFrame(rows, columns=["column", "type", "may be null", "what it is"]).set_index(
        "column"
    )


def trained_on(storage: Storage, run: str, recipe: Recipe) -> Recommender:
    """Fit a recipe on what a run learns from, as its task `train` does."""
    return learn(recipe, read_lesson(storage, run, recipe))[0]


def scored_on(storage: Storage, run: str, models: Mapping[str, Recommender]) -> pd.DataFrame:
    """Score models on the hold-out of a run as `evaluate` does, beside bestsellers.

    Returns
    -------
    DataFrame
        A row per model: `users` judged, some metrics, `low` and `high` of the metric that judges,
        and its difference to bestsellers with an interval over customers that holds for all models
        at once. What training again with another seed would do is not in it.
    """
    tables, placements = read_run(storage, run), placements_of(storage, run)
    steps = read_steps(storage, run, tables.items.items, "holdout")
    bestsellers = trained_on(storage, run, make(candidate_named(RIVAL), storage.settings))
    entrants = [
        Entrant(Score(name=name, role="candidate", parameters={}, metrics={}, noise={}), model)
        for name, model in {RIVAL: bestsellers, **models}.items()
    ]
    seed, rivals = storage.settings.seed, frozenset({RIVAL})
    scored = score_run(tables, steps, entrants, placements, rivals, seed)
    return _table(scored.scores, placements.judged_by, len(scored.holdout.users))


def _table(scores: tuple[Score, ...], judged_by: str, users: int) -> pd.DataFrame:
    import pandas as pd

    rows: dict[str, dict[str, float | str]] = {}
    for score in scores:
        low, high = score.intervals[judged_by]
        shown = {name: score.metrics[name] for name in dict.fromkeys((judged_by, *SHOWN))}
        rows[score.name] = {"users": users, **shown, "low": low, "high": high}
        for made in score.comparisons:
            rows[score.name] |= {
                f"against {RIVAL}": made.difference,
                "from": made.low,
                "to": made.high,
                "finding": made.finding,
            }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("model")


def _frame(storage: Storage, run: str, table: Table) -> pd.DataFrame:
    storage.lake.manifest(table.name, run)
    with storage.scratch() as scratch:
        folder = storage.lake.store.fetch_folder(f"{table.name}/{run}", scratch)
        files = sorted(folder.glob("*.parquet"))
        rows = pa.concat_tables([pq.read_table(file, partitioning=None) for file in files])
    frame: pd.DataFrame = held_to_schema(rows, table, table.name, run).to_pandas()
    return frame
