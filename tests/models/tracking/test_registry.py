"""The registry of MLflow follows the pointer, whatever happened to it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from infra.storage import Storage
from models.publishing.publish import publish
from models.tracking import registry
from models.tracking.client import client_of
from tests.models.conftest import AS_OF, RUN, WriteRun, prepare_bundle

pytestmark = pytest.mark.usefixtures("mlflow_tables")


def test_the_aliases_follow_the_pointer_after_any_crash(shop: Storage, write_run: WriteRun) -> None:
    assert registry.follow_pointer(shop) is None, "nothing is live"
    first = prepare_bundle(shop, write_run())
    publish(shop, RUN)
    registry.follow_pointer(shop)
    other = write_run(run="run=other", as_of=AS_OF + timedelta(hours=6))
    second = prepare_bundle(shop, other)
    publish(shop, other)  # and here the process died: MLflow knows nothing of it
    registry.follow_pointer(shop)
    assert aliases(shop) == {"champion": second, "previous": first}
    with client_of(shop.settings) as client:  # somebody moved it by hand
        wrong = registry._alias(client, registry.PREVIOUS)
        client.set_registered_model_alias(registry.MODEL_NAME, registry.CHAMPION, wrong)
        client.delete_registered_model_alias(registry.MODEL_NAME, registry.PREVIOUS)
    registry.follow_pointer(shop)
    assert aliases(shop) == {"champion": second, "previous": first}


def aliases(shop: Storage) -> dict[str, str]:
    """Return the aliases and the versions of ours they name."""
    with client_of(shop.settings) as client:
        found = client.get_registered_model(registry.MODEL_NAME).aliases
        named = {
            alias: client.get_model_version(registry.MODEL_NAME, str(number)).tags
            for alias, number in found.items()
        }
    return {alias: tags[registry.VERSION_TAG] for alias, tags in named.items()}
