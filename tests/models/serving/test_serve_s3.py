"""A server whose published folder is a bucket of a real S3 server, which goes and comes back."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from infra.errors import StorageError
from infra.storage import Storage
from models.serving.home import unpacked
from models.serving.unpack import unpack
from models.serving.version import Version
from tests.models.serving.conftest import publish_first
from tests.models.serving.running import eventually, publish_another, running
from tests.s3_server import BUCKET, BreakingProxy, S3Server

BREAKS = (0.2, 0.5)  # of the bytes that ask for a whole version, and then for what is live


@pytest.fixture
def bucket_shop(shop: Storage, s3: S3Server) -> Storage:
    """Return a shop that publishes into a bucket."""
    places = {"published": f"s3://{BUCKET}/{uuid.uuid4().hex}", "s3_endpoint": s3.endpoint}
    return Storage(shop.settings.model_copy(update=places))


def test_a_download_that_breaks_leaves_nothing_and_the_next_one_is_whole(
    bucket_shop: Storage, s3: S3Server
) -> None:
    version = publish_first(bucket_shop).version
    target = unpacked(bucket_shop.settings, version)
    with through_proxy(bucket_shop, s3) as (proxy, shop):
        unpack(shop, version)
        whole = proxy.sent
    for part in BREAKS:
        shutil.rmtree(target, ignore_errors=True)
        with through_proxy(bucket_shop, s3) as (proxy, shop):
            proxy.allowed = int(part * whole)
            with pytest.raises(StorageError):
                unpack(shop, version)
        assert [path.name for path in target.parent.iterdir()] == [".lock"]
    assert unpack(bucket_shop, version) == target
    assert Version.open(target).name == version


@contextmanager
def through_proxy(shop: Storage, s3: S3Server) -> Iterator[tuple[BreakingProxy, Storage]]:
    """Give a proxy before the bucket, and the shop that goes through it."""
    with closing(BreakingProxy(s3.port)) as proxy:
        yield proxy, Storage(shop.settings.model_copy(update={"s3_endpoint": proxy.endpoint}))


def test_the_bucket_goes_away_and_comes_back(
    bucket_shop: Storage, s3: S3Server, tmp_path: Path
) -> None:
    first = publish_first(bucket_shop)
    settings = {
        "CATWALK_PUBLISHED": bucket_shop.settings.published,
        "CATWALK_S3_ENDPOINT": s3.endpoint,
    }
    with running(bucket_shop, tmp_path / "serve.log", **settings) as server:
        assert server.ask("home")["version"] == first.version
        second = publish_another(bucket_shop, "second")
        eventually(lambda: server.ask("home")["version"] == second.version)
        s3.kill_gateway()
        try:
            eventually(lambda: server.client.get("/health/ready").json()["behind_s"] > 4)
            assert server.ask("home")["version"] == second.version
            server.stop()
            server.start()
            server.wait_ready()
            assert server.ask("home")["version"] == second.version
        finally:
            s3.start_gateway()
        eventually(lambda: server.client.get("/health/ready").json()["behind_s"] < 4)
        third = publish_another(bucket_shop, "third")
        eventually(lambda: server.ask("home")["version"] == third.version)
