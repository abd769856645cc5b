"""Writes the scores of a run to MLflow: one MLflow run for each candidate."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from infra.ledger.record_files import RecordFiles
from infra.ledger.run_records import RunRecords
from infra.places import PAGE, TRACKED
from infra.records.evaluation import Learning, Score
from infra.report.importances import draw_importances
from infra.storage import Storage
from models.tracking.client import RETRAINING, client_of, experiment_id
from models.tracking.origin import commit_of_code, data_of

if TYPE_CHECKING:
    from mlflow import MlflowClient

RUN_TAG, CANDIDATE_TAG = "catwalk.run", "catwalk.candidate"
PLACEMENT_TAG, TABLES_TAG = "catwalk.placement", "catwalk.tables"
NOTE_TAG, COMMIT_TAG = "mlflow.note.content", "mlflow.source.git.commit"
DIGEST_TAG = "catwalk.model_sha256"
CURVE = "learning_ndcg_at_10"
PICTURE = "importances.svg"
JUDGED_PLACEMENT = "home"  # the list that models are judged by
MOST_AT_ONCE = 500  # metrics; MLflow takes 1,000


@dataclass(frozen=True)
class Evaluated:
    """What the models of one evaluation have in common.

    Attributes
    ----------
    name : str
        The run, or the experiment.
    at : datetime
    tables : str
        The run whose tables they learnt from.
    files : mapping of str to str
        Name to text: kept with each of them.
    tags : mapping of str to str
    """

    name: str
    at: datetime
    tables: str
    files: Mapping[str, str]
    tags: Mapping[str, str] = field(default_factory=dict)


def track_candidates(storage: Storage, run: str, report: str = "") -> dict[str, str]:
    """Write every scored candidate of a run to MLflow; a rerun updates instead of doubling.

    Parameters
    ----------
    report : str
        The address of the run's report, for whoever looks at it in MLflow.

    Returns
    -------
    dict of str to str
        Candidate to MLflow run id; empty if the run was never evaluated.

    Raises
    ------
    StorageError
        MLflow does not answer.
    """
    evaluation = RunRecords(storage, run).load_evaluation()
    if evaluation is None:
        return {}
    files = {"evaluation.json": evaluation.model_dump_json(indent=1)}
    page = f"{run}/{PAGE}"
    if storage.reports.exists(page):
        files[PAGE] = storage.reports.read(page).decode()
    scores = [score for score in evaluation.scores if score.role == "candidate"]
    note = f"[The report of this run, in Airflow]({report})"  # MLflow shows it on top
    tags = {NOTE_TAG: note} if report else {}
    evaluated = Evaluated(run, evaluation.at, run, files, tags)
    tracked = track_scores(storage, RETRAINING, evaluated, scores)
    with client_of(storage.settings) as client:
        place = experiment_id(client, storage.settings)
    pages = {name: f"#/experiments/{place}/runs/{run_id}" for name, run_id in tracked.items()}
    RecordFiles(storage.reports, run).write_mapping(TRACKED, pages)
    return tracked


def track_scores(
    storage: Storage, experiment: str, evaluated: Evaluated, scores: Sequence[Score]
) -> dict[str, str]:
    """Write scores to an experiment of MLflow, each as a run; see `track_candidates`."""
    with client_of(storage.settings) as client:
        place = experiment_id(client, storage.settings, experiment)
        tracked = {score.name: _track_score(client, place, evaluated, score) for score in scores}
        data = data_of(storage, evaluated.tables)
        for run_id in tracked.values():
            if data:
                client.log_inputs(run_id, data)
            client.set_terminated(run_id)
    return tracked


def _track_score(client: MlflowClient, place: str, evaluated: Evaluated, score: Score) -> str:
    from mlflow.entities import Metric, RunTag

    run_id = _run_of(client, place, evaluated, score)
    logged, moment = client.get_run(run_id).data.metrics, int(time.time() * 1000)
    fresh = {name: value for name, value in score.metrics.items() if logged.get(name) != value}
    tags = {
        DIGEST_TAG: score.model_sha256,
        PLACEMENT_TAG: JUDGED_PLACEMENT,
        TABLES_TAG: evaluated.tables,
        COMMIT_TAG: commit_of_code(),
        **evaluated.tags,
    }
    metrics = [Metric(name, value, moment, 0) for name, value in fresh.items()]
    client.log_batch(
        run_id, metrics, tags=[RunTag(name, value) for name, value in tags.items() if value]
    )
    _log_learning(client, run_id, evaluated, score.learning)
    for name, content in evaluated.files.items():
        client.log_text(run_id, content, name)
    return run_id


def _log_learning(
    client: MlflowClient, run_id: str, evaluated: Evaluated, learning: Learning
) -> None:
    """Write the curve of a training by its steps, and a picture of what its features are worth.

    MLflow knows a point by its time, step and value: written again, it is the same point.
    """
    from mlflow.entities import Metric

    moment = int(evaluated.at.timestamp() * 1000)
    points = [Metric(CURVE, value, moment, step) for step, value in enumerate(learning.curve, 1)]
    for start in range(0, len(points), MOST_AT_ONCE):
        client.log_batch(run_id, points[start : start + MOST_AT_ONCE])
    if learning.importances:
        client.log_text(run_id, draw_importances(learning.importances), PICTURE)


def _run_of(client: MlflowClient, place: str, evaluated: Evaluated, score: Score) -> str:
    """Return the MLflow run of a candidate with these parameters; create it if it is missing.

    MLflow never lets go of a parameter, so other parameters need another run. One without any
    is the rest of a call that died before it wrote them.
    """
    from mlflow.entities import Param

    parameters = {name: str(value) for name, value in score.parameters.items()}
    tags = {RUN_TAG: evaluated.name, CANDIDATE_TAG: score.name}
    wanted = " and ".join(f"tags.`{tag}` = '{value}'" for tag, value in tags.items())
    for tracked in client.search_runs([place], filter_string=wanted):  # the newest first
        if tracked.data.params in (parameters, {}):
            break
    else:
        name = f"{score.name} {evaluated.at:%Y-%m-%d %H:%M}"
        tracked = client.create_run(place, tags=tags, run_name=name)
    run_id = str(tracked.info.run_id)
    if tracked.data.params != parameters:
        params = [Param(name, value) for name, value in parameters.items()]
        client.log_batch(run_id, params=params)
    return run_id
