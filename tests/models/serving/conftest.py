"""What the tests of the server share: a shop with a version that is live, and a server of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.ledger.live_pointer import point
from infra.places import version_key
from infra.records.release import PublishRecord
from infra.storage import Storage
from models.bundle_layout import manifest_sha256, version_of
from models.candidates import candidate_named, make
from tests.conftest import shop_at
from tests.models.conftest import AS_OF, RUN, WINNER, arrays, tastes
from tests.models.serving.bundles import write_bundle
from tests.models.serving.running import Running, running


@pytest.fixture(scope="package")
def live_shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Storage]:
    """Return a shop with a version that is live; the environment names it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        shop = shop_at(tmp_path_factory.mktemp("serving") / "shop", patch)
        publish_first(shop)
        yield shop


def publish_first(shop: Storage) -> PublishRecord:
    """Put a small version live."""
    candidate = candidate_named(WINNER)
    train, items = arrays(*tastes())
    model = make(candidate, shop.settings).fit(train, items)
    with shop.scratch() as scratch:
        folder = write_bundle(scratch / "bundle", model, candidate, train, tastes()[1])
        version, sha256 = version_of(folder), manifest_sha256(folder)
        shop.published.put_folder(folder, version_key(version))
    record = PublishRecord(
        run=RUN, at=AS_OF, number=1, version=version, manifest_sha256=sha256, candidate=WINNER
    )
    return point(shop, record)


@pytest.fixture(scope="package")
def server(live_shop: Storage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Return the one server of all tests that do not stop it."""
    log: Path = tmp_path_factory.mktemp("log") / "serve.log"
    with running(live_shop, log) as server:
        yield server
