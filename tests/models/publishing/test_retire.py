"""Deleting old versions: never one that is live, or that somebody may still put live."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from infra.errors import PublishError, StorageError
from infra.ledger import live_pointer as pointer
from infra.ledger.live_pointer import live
from infra.places import bundle_key, version_key
from infra.records.release import PublishRecord
from infra.storage import Storage
from infra.stores.numbered import key
from models.publishing.publish import publish
from models.publishing.retire import retire
from models.publishing.roll_back_release import roll_back_release
from models.publishing.version_claims import claim
from tests.models.conftest import AS_OF, RUN, WriteRun, prepare_bundle
from tests.models.interrupted import OTHER, is_whole, once_at
from tests.models.publishing.test_roll_back_release import WHY


def point_many(shop: Storage, first: PublishRecord, amount: int) -> list[str]:
    """Copy a version under many names, each live for an hour, the last one since AS_OF."""
    names = [f"v{number:02d}" for number in range(amount)]
    source = Path(shop.published.address, version_key(first.version))
    shop.published.delete_folder("live")
    for place, name in enumerate(names):
        shop.published.put_folder(source, version_key(name))
        record = first.model_copy(
            update={
                "number": place + 1,
                "version": name,
                "previous": names[place - 1] if place else None,
                "at": AS_OF - timedelta(hours=amount - 1 - place),
            }
        )
        shop.published.create(key("live", place + 1), record.model_dump_json().encode())
    shop.published.delete_folder(version_key(first.version))
    return names


def standing(shop: Storage) -> list[str]:
    return sorted({key.split("/")[1] for key in shop.published.list("versions")})


def keeping_only(shop: Storage, keep: int, hours: float) -> Storage:
    """Return the same shop, which keeps so many versions, and replaced ones for so many hours."""
    change = {"keep_versions": keep, "keep_version_hours": hours}
    return Storage(shop.settings.model_copy(update=change))


def grow_old(shop: Storage) -> None:
    """Let everything that was published have been written long ago."""
    long_ago = (AS_OF - timedelta(days=100)).timestamp()
    for path in [*Path(shop.published.address).rglob("*")]:
        os.utime(path, (long_ago, long_ago))


def long_ago(shop: Storage, write_run: WriteRun, amount: int) -> list[str]:
    """Leave so many versions that were live, the last one is; return their names."""
    prepare_bundle(shop, write_run())
    names = point_many(shop, publish(shop, RUN), amount)
    grow_old(shop)
    return names


def test_retire_keeps_what_is_needed_and_what_may_be_read(
    shop: Storage, write_run: WriteRun
) -> None:
    prepare_bundle(shop, write_run())
    names = point_many(shop, publish(shop, RUN), 16)
    place = Path(shop.published.address, "versions")
    for name in ("never_live", ".v99.0a1b2c3d"):
        (place / name).mkdir()
        (place / name / "card.json").write_text("{}")
    assert retire(keeping_only(shop, 3, 8.0)) == [], "all of it was written just now"
    assert (place / ".v99.0a1b2c3d").exists() and (place / "never_live").exists()
    grow_old(shop)
    assert retire(keeping_only(shop, 3, 8.0), AS_OF) == ["never_live", *names[:6]]
    assert not (place / ".v99.0a1b2c3d").exists()
    assert retire(keeping_only(shop, 5, 0.5), AS_OF) == names[6:11]
    shop.published.write("versions/readme.txt", b"no version")
    os.utime(Path(shop.published.address, "versions/readme.txt"), (0, 0))
    assert retire(keeping_only(shop, 2, 0.5), AS_OF) == names[11:14]
    Path(shop.published.address, "versions/readme.txt").unlink()
    assert retire(keeping_only(shop, 2, 0.5), AS_OF) == []
    assert standing(shop) == names[14:], "champion and previous"


def test_a_version_that_goes_live_during_a_deletion_stays(
    shop: Storage, write_run: WriteRun
) -> None:
    names = long_ago(shop, write_run, 6)
    keeping = keeping_only(shop, 2, 0.5)
    delete_folder = keeping.published.delete_folder

    def while_the_pointer_moves(key: str) -> None:
        delete_folder(key)
        if key == version_key(names[0]):
            now = live(shop)
            assert now is not None
            change = {"number": 7, "version": names[2], "previous": now.version}
            claim(shop, names[2], 7)
            pointer.point(shop, now.model_copy(update=change))

    keeping.published.delete_folder = while_the_pointer_moves  # type: ignore[method-assign]
    assert retire(keeping, AS_OF) == [names[0], names[1], names[3]]
    assert standing(shop) == [names[2], names[4], names[5]]


def test_what_previous_means_stays_however_far_back(shop: Storage, write_run: WriteRun) -> None:
    """Also where all that was live since was rolled back from."""
    prepare_bundle(shop, write_run())
    names = point_many(shop, publish(shop, RUN), 4)
    roll_back_release(shop, "previous", "anna", WHY, "run=1")
    grow_old(shop)
    assert retire(keeping_only(shop, 2, 0.001), AS_OF + timedelta(days=36500)) == names[:1]
    assert standing(shop) == names[1:], "live is v02, v03 was, and v01 is what previous means"
    back = roll_back_release(keeping_only(shop, 2, 0.001), "previous", "anna", WHY, "run=2")
    assert back.version == names[1]


def test_retire_after_a_roll_back_keeps_both(shop: Storage, write_run: WriteRun) -> None:
    prepare_bundle(shop, write_run())
    names = point_many(shop, publish(shop, RUN), 2)
    roll_back_release(shop, "previous", "anna", WHY, "run=back")
    grow_old(shop)
    assert retire(keeping_only(shop, 2, 0.001), AS_OF + timedelta(days=36500)) == []
    assert standing(shop) == names


def test_a_deletion_that_died_goes_on(shop: Storage, write_run: WriteRun) -> None:
    """Nobody goes back to a version from its first moment on."""
    names = long_ago(shop, write_run, 4)
    keeping = keeping_only(shop, 2, 0.5)
    keeping.published.delete_folder = not_at_all  # type: ignore[method-assign]
    with pytest.raises(StorageError):
        retire(keeping, AS_OF)
    with pytest.raises(PublishError, match=f"{names[0]} was deleted, or is being deleted"):
        roll_back_release(shop, names[0], "anna", WHY, "run=back")
    assert names[0] in retire(keeping_only(shop, 2, 0.5), AS_OF)


def not_at_all(key: str) -> None:
    raise StorageError(f"{key} is stuck.", "Wait.")


def test_what_is_kept_no_longer_may_be_gone_back_to_while_it_stands(
    shop: Storage, write_run: WriteRun
) -> None:
    names = long_ago(shop, write_run, 4)
    keeping = keeping_only(shop, 2, 0.5)
    now = roll_back_release(keeping, names[0], "anna", WHY, "run=back")
    assert retire(keeping, AS_OF) == names[1:2]
    assert live(shop) == now and is_whole(shop, now)


@pytest.fixture
def rest(shop: Storage, write_run: WriteRun) -> Storage:
    """Give a shop where a publisher died before its pointer, long ago, and left a whole copy."""
    prepare_bundle(shop, write_run())
    publish(shop, RUN)
    version = prepare_bundle(shop, write_run(run=OTHER, as_of=AS_OF + timedelta(hours=6)))
    with shop.scratch() as scratch:
        source = shop.lake.store.fetch_folder(bundle_key(OTHER), scratch)
        shop.published.fill_folder(source, version_key(version))
    grow_old(shop)
    return keeping_only(shop, 2, 1e-6)


def interleaved(
    rest: Storage, outer: Callable[[Storage], object], inner: Callable[[], object]
) -> set[str]:
    """Do one thing whole at each moment of another; return what was live then, in words."""
    places = [Path(rest.published.address), Path(rest.reports.address)]
    before = [shutil.copytree(place, place.with_name(f"before-{place.name}")) for place in places]
    seen, moment, happened = set(), 0, True
    while happened:
        happened = False

        def at_once() -> None:
            nonlocal happened
            happened = True
            inner()

        with suppress(PublishError):
            outer(once_at(rest, moment, at_once))
        now = live(rest)
        assert now is not None and is_whole(rest, now), moment
        retire(rest)
        assert is_whole(rest, now), moment
        seen.add(now.run)
        for place, copy in zip(places, before, strict=True):
            shutil.rmtree(place)
            shutil.copytree(copy, place)
        moment += 1
    assert moment > 15
    return seen


def test_a_publisher_at_each_moment_of_a_deletion(rest: Storage) -> None:
    """It goes live, or is refused: what is live is whole."""

    def late() -> None:
        with suppress(PublishError):
            publish(Storage(rest.settings), OTHER)

    assert interleaved(rest, retire, late) == {RUN, OTHER}


def test_a_deletion_at_each_moment_of_a_publishing(rest: Storage) -> None:
    late = partial(retire, Storage(rest.settings))
    assert interleaved(rest, lambda storage: publish(storage, OTHER), late) == {RUN, OTHER}
