"""Talks to MLflow: a client whose errors are ours, and experiments that belong to one shop.

Nothing is ever loaded back from MLflow; what serves is the bundle. Importing it takes 5 s, so it
happens inside the functions.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from infra.errors import BusyError, SettingsError, StorageError
from infra.places import MLFLOW
from infra.settings import Settings
from models.tracking.home import artifacts_of, follow_home

if TYPE_CHECKING:
    from mlflow import MlflowClient

RETRAINING = "retrain_recommender"  # the experiment of releases
SHOP_TAG = "catwalk.shop"
# Else MLflow opens an experiment on the pages of language models, which are empty here.
KIND = ("mlflow.experimentKind", "custom_model_development")
# Another process writes into SQLite; a server is away: MLflow has tried again for a while.
_PASSES = ("database is locked", "failed with exception", "too many 5")
log = logging.getLogger(__name__)


@contextmanager
def client_of(settings: Settings) -> Iterator[MlflowClient]:
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


def experiment_id(client: MlflowClient, settings: Settings, name: str = RETRAINING) -> str:
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
        tags = dict([KIND, (SHOP_TAG, settings.shop)])
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
    if KIND[0] not in existing.tags:
        client.set_experiment_tag(number, *KIND)
    return number
