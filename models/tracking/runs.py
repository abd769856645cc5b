"""Writes the scores of a run to MLflow: one MLflow run for each candidate."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from infra.ledger.record_files import RecordFiles
from infra.ledger.run_records import RunRecords
from infra.places import PAGE, TRACKED
from infra.records.evaluation import Score
from infra.settings import Settings
from infra.storage import Storage
from models.tracking.client import RETRAINING, client_of, experiment_id

if TYPE_CHECKING:
    from mlflow import MlflowClient

RUN_TAG, CANDIDATE_TAG = "catwalk.run", "catwalk.candidate"
NOTE_TAG = "mlflow.note.content"
DIGEST_TAG = "catwalk.model_sha256"


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
    tracked = track_scores(RETRAINING, run, scores, files, storage.settings, report)
    with client_of(storage.settings) as client:
        place = experiment_id(client, storage.settings)
    pages = {name: f"#/experiments/{place}/runs/{run_id}" for name, run_id in tracked.items()}
    RecordFiles(storage.reports, run).write_mapping(TRACKED, pages)
    return tracked


def track_scores(
    experiment: str,
    run: str,
    scores: Sequence[Score],
    files: Mapping[str, str],
    settings: Settings,
    report: str = "",
) -> dict[str, str]:
    """Write scores to an experiment of MLflow, each as a run; see `track_candidates`."""
    with client_of(settings) as client:
        place = experiment_id(client, settings, experiment)
        return {
            score.name: _track_score(client, place, run, score, files, report) for score in scores
        }


def _track_score(
    client: MlflowClient,
    experiment: str,
    run: str,
    score: Score,
    files: Mapping[str, str],
    report: str,
) -> str:
    from mlflow.entities import Metric, RunTag

    run_id = _run_of(client, experiment, run, score)
    logged, moment = client.get_run(run_id).data.metrics, int(time.time() * 1000)
    fresh = {name: value for name, value in score.metrics.items() if logged.get(name) != value}
    note = (NOTE_TAG, f"[The report of this run, in Airflow]({report})")  # MLflow shows it on top
    client.log_batch(
        run_id,
        metrics=[Metric(name, value, moment, 0) for name, value in fresh.items()],
        tags=[RunTag(DIGEST_TAG, score.model_sha256), *([RunTag(*note)] if report else [])],
    )
    for name, content in files.items():
        client.log_text(run_id, content, name)
    client.set_terminated(run_id)
    return run_id


def _run_of(client: MlflowClient, experiment: str, run: str, score: Score) -> str:
    """Return the MLflow run of a candidate with these parameters; create it if it is missing.

    MLflow never lets go of a parameter, so other parameters need another run. One without any
    is the rest of a call that died before it wrote them.
    """
    from mlflow.entities import Param

    parameters = {name: str(value) for name, value in score.parameters.items()}
    tags = {RUN_TAG: run, CANDIDATE_TAG: score.name}
    wanted = " and ".join(f"tags.`{tag}` = '{value}'" for tag, value in tags.items())
    for tracked in client.search_runs([experiment], filter_string=wanted):  # the newest first
        if tracked.data.params in (parameters, {}):
            break
    else:
        tracked = client.create_run(experiment, tags=tags, run_name=score.name)
    run_id = str(tracked.info.run_id)
    if tracked.data.params != parameters:
        params = [Param(name, value) for name, value in parameters.items()]
        client.log_batch(run_id, params=params)
    return run_id
