"""Writes scores and versions to MLflow: one MLflow run per candidate, one version per release.

Nothing is ever loaded back from MLflow; what serves is the bundle. Importing it takes 5 s, so it
happens inside the functions.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from infra.errors import BusyError, SettingsError, StorageError
from infra.ledger.live_pointer import live
from infra.ledger.record_files import RecordFiles
from infra.ledger.run_records import RunRecords
from infra.places import MLFLOW, PAGE, TRACKED
from infra.records.evaluation import Score
from infra.settings import Settings
from infra.storage import Storage
from models.mlflow_home import artifacts_of, follow_home

if TYPE_CHECKING:
    from mlflow import MlflowClient

EXPERIMENT = "retrain_recommender"
MODEL_NAME = "recommender"
CHAMPION, PREVIOUS = "champion", "previous"
SHOP_TAG = "catwalk.shop"
RUN_TAG, CANDIDATE_TAG = "catwalk.run", "catwalk.candidate"
NOTE_TAG = "mlflow.note.content"
DIGEST_TAG, VERSION_TAG = "catwalk.model_sha256", "catwalk.version"
# Another process writes into SQLite; a server is away: MLflow has tried again for a while.
_PASSES = ("database is locked", "failed with exception", "too many 5")
log = logging.getLogger(__name__)


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
    tracked = track_scores(EXPERIMENT, run, scores, files, storage.settings, report)
    with _client(storage.settings) as client:
        place = _experiment(client, storage.settings)
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
    with _client(settings) as client:
        place = _experiment(client, settings, experiment)
        return {
            score.name: _track_score(client, place, run, score, files, report) for score in scores
        }


def follow_pointer(storage: Storage) -> str | None:
    """Make what is live the `champion` of the registry, and what was live before it `previous`.

    The pointer decides: where an earlier call died, the next one corrects the registry.

    Returns
    -------
    str or None
        MLflow's own number of the champion, the same at every call; None if nothing is live.

    Raises
    ------
    StorageError
        MLflow does not answer, or the run that made what is live left no evaluation.
    """
    now = live(storage)
    if now is None:
        return None
    with _client(storage.settings) as client:
        _experiment(client, storage.settings)  # the registry of another shop stays as it is
        number = _registered(client, now.version)
    if number is None:
        tracked = track_candidates(storage, now.run)
        if now.candidate not in tracked:
            raise StorageError(
                f"{now.candidate} of {now.run} is not in MLflow.",
                "Restore the evaluation of that run in the reports from a backup.",
            )
    with _client(storage.settings) as client:
        number = number or _register(client, tracked[now.candidate], now.version)
        before = _registered(client, now.previous) if now.previous else None
        _set_alias(client, CHAMPION, number)
        _set_alias(client, PREVIOUS, before)
    return number


@contextmanager
def _client(settings: Settings) -> Iterator[MlflowClient]:
    """Give a client, silence its chatter, and turn its errors into ours."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    try:
        uri = settings.mlflow_uri
        if uri.startswith("sqlite:///"):
            (settings.home / MLFLOW).mkdir(parents=True, exist_ok=True)
            follow_home(settings)
        yield MlflowClient(tracking_uri=uri, registry_uri=uri)
    except MlflowException as error:
        reason = str(error).splitlines()[0]
        kind = BusyError if any(word in reason for word in _PASSES) else StorageError
        raise kind(f"MLflow refused: {reason}", "Check CATWALK_MLFLOW_URI.") from error


def _experiment(client: MlflowClient, settings: Settings, name: str = EXPERIMENT) -> str:
    """Return the id of an experiment; its artifacts are below HOME unless a server keeps them.

    It is taken out of MLflow's trash, and at its first use it is noted whose it is.

    Raises
    ------
    SettingsError
        It belongs to another shop.
    """
    of_home = settings.mlflow_uri == f"sqlite:///{settings.home / MLFLOW / 'mlflow.db'}"
    existing = client.get_experiment_by_name(name)
    if existing is None:
        local = settings.mlflow_uri.startswith("sqlite:///")
        place = artifacts_of(settings) if local else None
        tags = {SHOP_TAG: settings.shop}
        return str(client.create_experiment(name, artifact_location=place, tags=tags))
    number, owner = str(existing.experiment_id), existing.tags.get(SHOP_TAG)
    if owner not in (None, settings.shop) and not of_home:
        raise SettingsError(
            f"The experiment {name} of MLflow belongs to the shop '{owner}', and this is "
            f"'{settings.shop}'.",
            "Give this shop an MLflow of its own: CATWALK_MLFLOW_URI. If it is the same shop, set "
            f"CATWALK_SHOP={owner}.",
        )
    if existing.lifecycle_stage == "deleted":
        client.restore_experiment(number)
        log.warning("The experiment %s was in MLflow's trash and is restored.", name)
    if owner is None:
        client.set_experiment_tag(number, SHOP_TAG, settings.shop)
    return number


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


def _registered(client: MlflowClient, version: str) -> str | None:
    versions = client.search_model_versions(
        f"name='{MODEL_NAME}' and tags.`{VERSION_TAG}`='{version}'"
    )
    return str(versions[0].version) if versions else None


def _register(client: MlflowClient, run_id: str, version: str) -> str:
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(MODEL_NAME)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    source = client.get_run(run_id).info.artifact_uri
    made = client.create_model_version(
        MODEL_NAME, source=source, run_id=run_id, tags={VERSION_TAG: version}
    )
    return str(made.version)


def _set_alias(client: MlflowClient, alias: str, number: str | None) -> None:
    """Let an alias name a version; one that names nothing is taken away."""
    if number is None:
        if _alias(client, alias) is not None:
            client.delete_registered_model_alias(MODEL_NAME, alias)
    elif _alias(client, alias) != number:
        client.set_registered_model_alias(MODEL_NAME, alias, number)


def _alias(client: MlflowClient, alias: str) -> str | None:
    """Return the version an alias names, as text: over REST it is text already."""
    aliases = client.get_registered_model(MODEL_NAME).aliases
    return str(aliases[alias]) if alias in aliases else None
