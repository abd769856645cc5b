"""Publishing into a real bucket: whatever breaks, the pointer names one complete version."""

from __future__ import annotations

import itertools
import signal
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from infra.errors import PublishError, StorageError
from infra.ledger.live_pointer import next_time, point
from infra.ledger.run_records import RunRecords
from infra.places import version_key
from infra.records.release import PublishRecord
from infra.storage import Storage
from infra.stores.object_store import MANIFEST
from models.publishing.publish import live, publish
from models.publishing.retire import retire
from tests.models.conftest import AS_OF, RUN, WriteRun, prepare_bundle
from tests.models.interrupted import OTHER, MortalStore, is_whole, one_of_two_is_first
from tests.models.publishing.test_publish_kills import kill_this_process, publish_in_a_child
from tests.s3_server import BUCKET, BreakingProxy, S3Server

BREAKS = (0.3, 0.6, 0.95)  # of the bytes that a whole publishing sends


@pytest.fixture
def bucket_shop(shop: Storage, s3: S3Server) -> Storage:
    """Return a shop that publishes and reports into a bucket; its tables are local."""
    prefix = f"s3://{BUCKET}/{uuid.uuid4().hex}"
    places = {"published": f"{prefix}/published", "reports": f"{prefix}/reports"}
    return Storage(shop.settings.model_copy(update={**places, "s3_endpoint": s3.endpoint}))


@pytest.fixture
def proxy(s3: S3Server) -> Iterator[BreakingProxy]:
    proxy = BreakingProxy(s3.port)
    yield proxy
    proxy.close()


def through(proxy: BreakingProxy, shop: Storage) -> Storage:
    return Storage(shop.settings.model_copy(update={"s3_endpoint": proxy.endpoint}))


def prepare_other(shop: Storage, write_run: WriteRun) -> str:
    return prepare_bundle(shop, write_run(run=OTHER, as_of=AS_OF + timedelta(hours=6)))


def test_the_pointer_moves(bucket_shop: Storage, write_run: WriteRun) -> None:
    version = prepare_bundle(bucket_shop, write_run())
    assert live(bucket_shop) is None
    first = publish(bucket_shop, RUN)
    assert live(bucket_shop) == first == publish(bucket_shop, RUN)
    assert (first.number, first.version, first.previous) == (1, version, None)
    prepare_other(bucket_shop, write_run)
    second = publish(bucket_shop, OTHER)
    assert live(bucket_shop) == second == RunRecords(bucket_shop, OTHER).load_published()
    assert (second.number, second.previous) == (2, first.version)
    assert is_whole(bucket_shop, first) and is_whole(bucket_shop, second)
    with pytest.raises(PublishError, match="is live, but"):
        publish(bucket_shop, RUN)


def test_of_two_publishers_one_loses(bucket_shop: Storage, write_run: WriteRun) -> None:
    prepare_bundle(bucket_shop, write_run())
    prepare_other(bucket_shop, write_run)
    one_of_two_is_first(bucket_shop)


def test_a_connection_cut_anywhere(
    bucket_shop: Storage, write_run: WriteRun, proxy: BreakingProxy
) -> None:
    prepare_bundle(bucket_shop, write_run())
    breaking = through(proxy, bucket_shop)
    first = publish(breaking, RUN)
    needed = proxy.sent
    version = prepare_other(bucket_shop, write_run)
    pointer = bucket_shop.published.read("live/0000000001.json")
    for part in BREAKS:
        proxy.sent, proxy.allowed = 0, int(needed * part)
        with pytest.raises((StorageError, PublishError)):
            publish(breaking, OTHER)
        assert proxy.is_cut
        now = live(bucket_shop)
        assert now is not None and now.version in {first.version, version}
        assert is_whole(bucket_shop, now)
        second = publish(bucket_shop, OTHER)
        assert live(bucket_shop) == second and second.number == 2
        assert is_whole(bucket_shop, second) and is_whole(bucket_shop, first)
        for key in ("live", version_key(version)):
            bucket_shop.published.delete_folder(key)
        bucket_shop.published.write("live/0000000001.json", pointer)


def test_a_server_killed_in_the_middle_of_an_upload(
    bucket_shop: Storage, write_run: WriteRun, proxy: BreakingProxy, s3: S3Server
) -> None:
    version = prepare_bundle(bucket_shop, write_run())
    unlucky = through(proxy, bucket_shop)
    fill_folder = unlucky.published.fill_folder

    def half_of_it(source: Path, key: str) -> None:
        files = (path for path in source.rglob("*") if path.is_file())
        proxy.allowed = proxy.sent + sum(path.stat().st_size for path in files) // 2
        fill_folder(source, key)

    unlucky.published.fill_folder = half_of_it  # type: ignore[method-assign]
    proxy.when_cut = s3.kill_gateway
    try:
        with pytest.raises(StorageError, match="Cannot write"):
            publish(unlucky, RUN)
    finally:
        s3.start_gateway()
    arrived = bucket_shop.published.list(version_key(version))
    assert arrived and version_key(version) + f"/{MANIFEST}" not in arrived
    assert live(bucket_shop) is None
    record = publish(bucket_shop, RUN)
    assert live(bucket_shop) == record and is_whole(bucket_shop, record)


def test_a_pointer_whose_answer_was_lost(
    bucket_shop: Storage, write_run: WriteRun, proxy: BreakingProxy
) -> None:
    prepare_bundle(bucket_shop, write_run())
    unlucky = through(proxy, bucket_shop)
    create = unlucky.published.create

    def without_an_answer(key: str, content: bytes) -> None:
        proxy.lost_answers = 1
        create(key, content)

    unlucky.published.create = without_an_answer  # type: ignore[method-assign]
    assert publish(unlucky, RUN) == live(bucket_shop)
    assert proxy.lost_answers == 0


@pytest.mark.parametrize("where", ["before fill_folder", "after fill_folder"])
def test_killed_before_the_pointer(bucket_shop: Storage, write_run: WriteRun, where: str) -> None:
    _old_then_new(bucket_shop, write_run, where, 0, went_live=False)


def test_killed_after_the_pointer(bucket_shop: Storage, write_run: WriteRun) -> None:
    _old_then_new(bucket_shop, write_run, "after create", 0, went_live=True)


# requests to the server, and how often before: files of the version, then the pointer
REQUESTS = [
    ("after upload_file", 4),
    ("after upload_file", 9),
    ("before put_object", 0),
]


def test_killed_between_two_requests(bucket_shop: Storage, write_run: WriteRun) -> None:
    """Also in the middle of putting a folder, and with only its manifest missing."""
    prepare_bundle(bucket_shop, write_run())
    first = publish(bucket_shop, RUN)
    version = prepare_other(bucket_shop, write_run)
    pointer = bucket_shop.published.read("live/0000000001.json")
    for where, times in REQUESTS:

        def mortal(where: str = where, times: int = times) -> Storage:
            place, passed = Storage(bucket_shop.settings), itertools.count()

            def die(step: str) -> None:
                if step == where and next(passed) == times:
                    kill_this_process(step)

            place.published._client = MortalStore(place.published._client, die)  # type: ignore
            return place

        _dies_then_ends(bucket_shop, mortal, first, first.version, version)
        for key in ("live", version_key(version)):
            bucket_shop.published.delete_folder(key)
        bucket_shop.published.write("live/0000000001.json", pointer)


def _old_then_new(
    shop: Storage, write_run: WriteRun, where: str, times: int, *, went_live: bool
) -> None:
    """Kill a publisher by SIGKILL at one of its steps, and run it again."""
    prepare_bundle(shop, write_run())
    first = publish(shop, RUN)
    version = prepare_other(shop, write_run)

    def mortal() -> Storage:
        place = Storage(shop.settings)
        place.published = MortalStore(place.published, die)  # type: ignore[assignment]
        return place

    passed = itertools.count()

    def die(step: str) -> None:
        if step == where and next(passed) == times:
            kill_this_process(step)

    _dies_then_ends(shop, mortal, first, version if went_live else first.version, version)


def _dies_then_ends(
    shop: Storage, mortal: Callable[[], Storage], first: PublishRecord, then: str, version: str
) -> None:
    """Kill a publisher: `then` is live, whole; run it again: the new version is."""
    assert publish_in_a_child(mortal) == -signal.SIGKILL
    now = live(shop)
    assert now is not None and now.version == then and is_whole(shop, now)
    assert publish_in_a_child(lambda: Storage(shop.settings)) == 0
    now = live(shop)
    assert now is not None and (now.number, now.version) == (2, version)
    assert is_whole(shop, now) and is_whole(shop, first)


def test_old_versions_are_deleted_but_not_champion_and_previous(
    bucket_shop: Storage, write_run: WriteRun, tmp_path: Path
) -> None:
    prepare_bundle(bucket_shop, write_run())
    first = publish(bucket_shop, RUN)
    source = bucket_shop.published.fetch_folder(version_key(first.version), tmp_path)
    before = first
    for number in (2, 3, 4):
        bucket_shop.published.put_folder(source, version_key(f"v{number}"))
        change = {"number": number, "version": f"v{number}", "previous": before.version}
        before = point(bucket_shop, first.model_copy(update={**change, "at": next_time(before)}))
    bucket_shop.published.write("versions/never_live/card.json", b"{}")
    few = {"keep_versions": 2, "keep_version_hours": 0.001}
    keeping = Storage(bucket_shop.settings.model_copy(update=few))
    assert retire(keeping, datetime(2000, 1, 1, tzinfo=UTC)) == [], "all of it may still be read"
    much_later = datetime(2126, 1, 1, tzinfo=UTC)
    assert retire(keeping, much_later) == [], "marked, and nothing was released since"
    change = {"number": before.number + 1, "at": next_time(before)}
    before = point(bucket_shop, before.model_copy(update=change))
    gone = retire(keeping, much_later)
    assert sorted(gone) == sorted([first.version, "v2", "never_live"])
    left = {key.split("/")[1] for key in bucket_shop.published.list("versions")}
    assert left == {"v3", "v4"} and is_whole(bucket_shop, before)
