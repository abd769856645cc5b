"""Keeps MLflow's registry of models: one version for each release, and what is live by an alias."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.errors import StorageError
from infra.ledger.live_pointer import live
from infra.storage import Storage
from models.tracking.client import client_of, experiment_id
from models.tracking.runs import track_candidates

if TYPE_CHECKING:
    from mlflow import MlflowClient

MODEL_NAME = "recommender"
CHAMPION, PREVIOUS = "champion", "previous"
VERSION_TAG = "catwalk.version"


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
    with client_of(storage.settings) as client:
        experiment_id(client, storage.settings)  # the registry of another shop stays as it is
        number = _registered(client, now.version)
    if number is None:
        tracked = track_candidates(storage, now.run)
        if now.candidate not in tracked:
            raise StorageError(
                f"{now.candidate} of {now.run} is not in MLflow.",
                "Restore the evaluation of that run in the reports from a backup.",
            )
    with client_of(storage.settings) as client:
        number = number or _register(client, tracked[now.candidate], now.version)
        before = _registered(client, now.previous) if now.previous else None
        _set_alias(client, CHAMPION, number)
        _set_alias(client, PREVIOUS, before)
    return number


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
