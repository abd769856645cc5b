"""Deleting old versions: never one that is live, or that somebody may still put live."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from infra.errors import PublishError, StorageError
from infra.ledger import live_pointer as pointer
from infra.ledger.live_pointer import live
from infra.places import bundle_key, version_key
from infra.records.release import PublishRecord, Withdrawn
from infra.storage import Storage
from infra.stores.numbered import key
from models.publishing.publish import publish
from models.publishing.retire import retire
from models.publishing.retired_versions import is_retired
from models.publishing.roll_back_release import roll_back_release
from tests.models.conftest import AS_OF, RUN, WriteRun, prepare_bundle
from tests.models.interrupted import OTHER, is_whole, meanwhile, once_at
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


def point_again(shop: Storage) -> None:
    """Let one more pointer name what is live, as if it had been released again."""
    now = live(shop)
    assert now is not None
    point_at(shop, now.version, now.withdrawn)


def point_at(shop: Storage, version: str, withdrawn: tuple[Withdrawn, ...] = ()) -> None:
    """Let one more pointer name a version."""
    now = live(shop)
    assert now is not None
    change = {"number": now.number + 1, "at": now.at + timedelta(microseconds=1)}
    named = {"version": version, "withdrawn": withdrawn}
    pointer.point(shop, now.model_copy(update={**change, **named}))


def delete_old(shop: Storage, now: datetime) -> list[str]:
    """Mark what need not stay, release once more, delete; return what is gone."""
    assert retire(shop, now) == [], "it is marked, and nothing was released since"
    point_again(shop)
    return retire(shop, now)


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
    assert delete_old(keeping_only(shop, 3, 8.0), AS_OF) == ["never_live", *names[:6]]
    assert not (place / ".v99.0a1b2c3d").exists()
    assert delete_old(keeping_only(shop, 5, 0.5), AS_OF) == names[6:11]
    shop.published.write("versions/readme.txt", b"no version")
    os.utime(Path(shop.published.address, "versions/readme.txt"), (0, 0))
    assert delete_old(keeping_only(shop, 2, 0.5), AS_OF) == names[11:14]
    Path(shop.published.address, "versions/readme.txt").unlink()
    assert delete_old(keeping_only(shop, 2, 0.5), AS_OF) == []
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
            with pytest.raises(PublishError, match="was deleted, or is being deleted"):
                roll_back_release(shop, names[2], "anna", WHY, "run=back")
            number = now.number + 1
            change = {"number": number, "version": names[2], "previous": now.version}
            pointer.point(shop, now.model_copy(update=change))

    keeping.published.delete_folder = while_the_pointer_moves  # type: ignore[method-assign]
    retire(keeping, AS_OF)
    point_again(shop)
    assert retire(keeping, AS_OF) == [names[0], names[1], names[3]]
    assert standing(shop) == [names[2], names[4], names[5]]


def test_what_previous_means_stays_however_far_back(shop: Storage, write_run: WriteRun) -> None:
    """Also where all that was live since was rolled back from."""
    prepare_bundle(shop, write_run())
    names = point_many(shop, publish(shop, RUN), 4)
    roll_back_release(shop, "previous", "anna", WHY, "run=1")
    grow_old(shop)
    assert delete_old(keeping_only(shop, 2, 0.001), AS_OF + timedelta(days=36500)) == names[:1]
    assert standing(shop) == names[1:], "live is v02, v03 was, and v01 is what previous means"
    back = roll_back_release(keeping_only(shop, 2, 0.001), "previous", "anna", WHY, "run=2")
    assert back.version == names[1]


def test_retire_after_a_roll_back_keeps_both(shop: Storage, write_run: WriteRun) -> None:
    prepare_bundle(shop, write_run())
    names = point_many(shop, publish(shop, RUN), 2)
    roll_back_release(shop, "previous", "anna", WHY, "run=back")
    grow_old(shop)
    assert delete_old(keeping_only(shop, 2, 0.001), AS_OF + timedelta(days=36500)) == []
    assert standing(shop) == names


def test_a_deletion_that_died_goes_on(shop: Storage, write_run: WriteRun) -> None:
    """Nobody goes back to a version from its first moment on."""
    names = long_ago(shop, write_run, 4)
    keeping = keeping_only(shop, 2, 0.5)
    retire(keeping, AS_OF)
    point_again(shop)
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
    assert delete_old(keeping, AS_OF) == names[1:2]
    assert names[0] in standing(shop) and is_whole(shop, now)


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
        delete_old_again(rest)
        assert is_whole(rest, now), moment
        seen.add(now.run)
        for place, copy in zip(places, before, strict=True):
            shutil.rmtree(place)
            shutil.copytree(copy, place)
        moment += 1
    assert moment > 10
    return seen


def delete_old_again(shop: Storage) -> None:
    retire(shop)
    point_again(shop)
    retire(shop)


def publish_or_not(shop: Storage, run: str) -> None:
    with suppress(PublishError):
        publish(Storage(shop.settings), run)


def test_a_publisher_at_each_moment_of_a_mark(rest: Storage) -> None:
    """It goes live, or is refused: what is live is whole."""
    assert interleaved(rest, retire, lambda: publish_or_not(rest, OTHER)) == {RUN, OTHER}


def test_a_publisher_at_each_moment_of_a_deletion(rest: Storage) -> None:
    """It is refused at each, since the version is marked."""
    retire(rest)
    point_again(rest)
    assert interleaved(rest, retire, lambda: publish_or_not(rest, OTHER)) == {RUN}
    assert len(retire(rest)) == 1


def test_a_mark_at_each_moment_of_a_publishing(rest: Storage) -> None:
    late = partial(retire, Storage(rest.settings))
    assert interleaved(rest, lambda storage: publish(storage, OTHER), late) == {RUN, OTHER}


def test_a_mark_a_release_and_a_deletion_at_each_moment_of_a_publishing(rest: Storage) -> None:
    """Only who moved the pointer before is live; the version is deleted under nobody."""
    late = partial(delete_old_again, Storage(rest.settings))
    assert interleaved(rest, lambda storage: publish(storage, OTHER), late) == {RUN, OTHER}


def test_a_publisher_that_looks_before_a_mark_and_points_after_it(rest: Storage) -> None:
    """It looked after a release that came after the one who marks looked for the first time."""
    looked, may_point = threading.Event(), threading.Event()

    def wait() -> None:
        looked.set()
        assert may_point.wait(timeout=20)

    slow = threading.Thread(target=publish, args=(meanwhile(rest, wait), OTHER))

    def before_the_mark() -> None:
        if not looked.is_set():
            point_again(rest)
            slow.start()
            assert looked.wait(timeout=20)

    marking = Storage(rest.settings)
    create = marking.published.create

    def late(key: str, content: bytes) -> None:
        before_the_mark()
        create(key, content)

    marking.published.create = late  # type: ignore[method-assign]
    assert retire(marking) == []
    assert retire(rest) == [], "no release came since the mark: the next pointer may be this one's"
    may_point.set()
    slow.join()
    now = live(rest)
    assert now is not None and now.run == OTHER and is_whole(rest, now)
    delete_old_again(rest)
    assert is_whole(rest, now)


@pytest.mark.parametrize("moment", ["before the mark", "after the mark"])
def test_a_version_that_goes_live_beside_its_mark_can_be_gone_back_to(
    shop: Storage, write_run: WriteRun, moment: str
) -> None:
    """Until another mark, that nobody went live beside, lets it be deleted."""
    names = long_ago(shop, write_run, 4)
    keeping, far = keeping_only(shop, 2, 0.001), AS_OF + timedelta(days=36500)
    if moment == "after the mark":
        late = meanwhile(shop, lambda: retire(Storage(keeping.settings), AS_OF))
        roll_back_release(late, names[0], "anna", WHY, "run=1")
    else:
        retire(once_before_a_mark(keeping, names[0]), AS_OF)
    point_again(shop)
    assert names[0] not in retire(keeping, AS_OF), "it is live"
    roll_back_release(shop, names[3], "anna", WHY, "run=2")
    assert roll_back_release(shop, names[0], "anna", WHY, "run=3") == live(shop)
    point_at(shop, names[2])
    point_at(shop, names[3])
    retire(keeping, far)
    with pytest.raises(PublishError, match="was deleted, or is being deleted"):
        roll_back_release(shop, names[0], "anna", WHY, "run=4")
    point_again(shop)
    assert names[0] in retire(keeping, far)


def once_before_a_mark(shop: Storage, version: str) -> Storage:
    """Return the same shop, where a version goes live when it was seen that it need not stay."""
    late = Storage(shop.settings)
    create = late.published.create

    def after_it(key: str, content: bytes) -> None:
        if key == f"retired/{version}/0000000001.json":
            roll_back_release(shop, version, "anna", WHY, "run=1")
        create(key, content)

    late.published.create = after_it  # type: ignore[method-assign]
    return late


def test_what_an_earlier_catwalk_gave_up_stays_given_up(shop: Storage, write_run: WriteRun) -> None:
    """It wrote a numbered log for each version, whose last entry names no pointer."""
    version = prepare_bundle(shop, write_run())
    shop.published.create(key(f"claims/{version}", 1), b'{"pointer":1}')
    assert not is_retired(shop, version)
    shop.published.create(key(f"claims/{version}", 2), b'{"pointer":null}')
    with pytest.raises(PublishError, match=f"{version} was deleted, or is being deleted"):
        publish(shop, RUN)
    assert live(shop) is None
