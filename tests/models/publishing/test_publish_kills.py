"""Releasing killed by SIGKILL at every step: what is live is the old or the new version, whole."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import sys
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from infra.ledger.live_pointer import live
from infra.ledger.run_records import RunRecords
from infra.places import version_key
from infra.storage import Storage
from infra.stores.local_store import LocalStore
from infra.stores.object_store import MANIFEST
from models.publishing.publish import publish
from models.publishing.retire import retire
from models.tracking.registry import follow_pointer
from tests.models.conftest import AS_OF, RUN, WriteRun, prepare_bundle
from tests.models.interrupted import OTHER, MortalStore, is_whole, mortal
from tests.models.publishing.test_retire import (
    grow_old,
    keeping_only,
    point_again,
    point_many,
    standing,
)
from tests.models.tracking.test_registry import aliases

STUCK_SECONDS = 60
CHANGES = {"os.rename", "os.link", "os.remove", "os.rmdir", "os.mkdir"}
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
STRIDE = 2  # of some fifty moments of a publishing
NEAR = 12  # moments before and after the pointer moves, of which none is left out
NEVER = 10**6

Watched: TypeAlias = Callable[[Storage, Callable[[str], object]], Storage]


def kill_this_process(_: str) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def in_a_child(step: Callable[[], object]) -> int:
    """Do something in a process of its own, which may kill itself; return how it ended."""
    child = os.fork()  # a fresh interpreter would cost a second each time
    if child == 0:
        signal.alarm(STUCK_SECONDS)
        try:
            step()
            os._exit(0)
        finally:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def publish_in_a_child(make: Callable[[], Storage]) -> int:
    """Publish in a process of its own; return how it ended."""
    return in_a_child(lambda: publish(make(), OTHER))


def watch_changes(tell: Callable[[str], object]) -> None:
    """Tell before this process changes anything on a disk, for as long as it lives.

    Python itself tells of every file it opens to write, renames, links or removes, also in the
    middle of an operation of a store.
    """

    def watch(event: str, about: tuple[Any, ...]) -> None:
        writes = event == "open" and isinstance(about[2], int) and about[2] & WRITING
        if event in CHANGES or writes:
            tell(f"{event} {about[:2]}")

    sys.addaudithook(watch)


def die_before_change(moment: int) -> None:
    """Kill this process before it changes anything on a disk for so many times."""
    watch_changes(dying_at(moment))


def dying_at(moment: int) -> Callable[[str], None]:
    passed = itertools.count()
    return lambda where: kill_this_process(where) if next(passed) == moment else None


def each_change(shop: Storage, tell: Callable[[str], object]) -> Storage:
    """Return the shop, and tell of every change on the disk."""
    watch_changes(tell)
    return Storage(shop.settings)


def moments_of(shop: Storage, watched: Watched) -> list[int]:
    """Publish while noting every moment; return the ones to die at, and one that never comes.

    Those are all near the last creation, which moves the pointer, and some of the others.
    """
    notes = shop.settings.home / "notes"

    def note_all() -> None:
        with notes.open("a", buffering=1) as file:
            publish(watched(shop, lambda where: file.write(f"{where!r}\n")), OTHER)

    assert in_a_child(note_all) == 0
    found = notes.read_text().splitlines()
    moved = max(
        place for place, where in enumerate(found) if "os.link" in where or "create" in where
    )
    near = range(moved - NEAR, moved + NEAR + 1)
    return [place for place in range(len(found)) if place % STRIDE == 0 or place in near] + [NEVER]


@pytest.mark.parametrize("watched", [mortal, each_change])
def test_killed_at_a_moment_and_run_again(
    shop: Storage, write_run: WriteRun, watched: Watched
) -> None:
    """Before and after what a store does, and in the middle of it."""
    prepare_bundle(shop, write_run())
    first = publish(shop, RUN)
    version = prepare_bundle(shop, write_run(run=OTHER, as_of=AS_OF + timedelta(hours=6)))
    moments = moments_of(shop, watched)
    seen = set()
    for moment in moments:
        go_back(shop, version)
        ended = publish_in_a_child(partial(watched, shop, dying_at(moment)))
        assert ended == (0 if moment == NEVER else -signal.SIGKILL), moment
        now = live(shop)
        assert now is not None and is_whole(shop, now), moment
        assert now == first or (now.number, now.version) == (2, version), moment
        seen.add(now.version)
        assert publish_in_a_child(partial(Storage, shop.settings)) == 0, moment
        now = live(shop)
        assert now is not None and now == RunRecords(shop, OTHER).load_published(), moment
        assert (now.number, now.version, now.previous) == (2, version, first.version)
        assert is_whole(shop, now) and is_whole(shop, first), moment
        assert len(shop.published.list("live")) == 2, moment
    assert len(moments) > 30 and seen == {first.version, version}


def go_back(shop: Storage, version: str) -> None:
    """Make it as it was before the second publishing."""
    pointer = shop.published.read("live/0000000001.json")
    for key in ("live", version_key(version)):
        shop.published.delete_folder(key)
    shop.published.write("live/0000000001.json", pointer)
    Path(shop.reports.address, OTHER, "published.json").unlink()


def test_killed_while_a_folder_is_put(tmp_path: Path) -> None:
    """It is the old one, the new one, or none that a reader takes for whole."""
    old, new = ({MANIFEST: mark, "a": mark, "deep/b": mark} for mark in (b"old", b"new"))

    def put_until(store: LocalStore, moment: int) -> None:
        die_before_change(moment)
        store.put_folder(tmp_path / "new", "one")

    ended, moments, seen = -signal.SIGKILL, itertools.count(), set()
    folder_of(tmp_path / "new", new)
    while ended == -signal.SIGKILL:
        moment = next(moments)
        store = LocalStore(tmp_path / str(moment))
        store.put_folder(folder_of(tmp_path / "old", old), "one")
        ended = in_a_child(partial(put_until, store, moment))
        there = {key.removeprefix("one/"): store.read(key) for key in store.list("one")}
        assert there in (old, new) or MANIFEST not in there, moment
        seen.add(there.get(MANIFEST))
        store.put_folder(tmp_path / "new", "one")
        assert [store.read(f"one/{name}") for name in new] == [b"new"] * 3
    assert ended == 0 and seen == {b"old", None, b"new"}


def folder_of(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def test_killed_in_the_middle_of_restoring_what_is_live(shop: Storage, write_run: WriteRun) -> None:
    """What readers can still use of it stays; the next call ends it."""
    version = prepare_bundle(shop, write_run(run=OTHER))
    record = publish(shop, OTHER)
    folder = Path(shop.published.address, version_key(version))
    right = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    harmed = folder / "card.json"

    def restore_until(moment: int) -> None:
        die_before_change(moment)
        publish(shop, OTHER)

    ended, moments = -signal.SIGKILL, itertools.count(0, STRIDE)
    while ended == -signal.SIGKILL:
        harmed.write_text("{}")
        ended = in_a_child(partial(restore_until, next(moments)))
        for path, content in right.items():
            assert path.read_bytes() == content or path == harmed
        assert publish_in_a_child(partial(Storage, shop.settings)) == 0
        assert is_whole(shop, record) and live(shop) == record
    assert ended == 0


@pytest.mark.parametrize("marked", [False, True])
def test_killed_while_old_versions_are_retired(
    shop: Storage, write_run: WriteRun, marked: bool
) -> None:
    """While they are marked, and while they are deleted after the release that follows."""
    prepare_bundle(shop, write_run())
    names = point_many(shop, publish(shop, RUN), 4)
    keeping = keeping_only(shop, 2, 0.5)
    grow_old(shop)
    if marked:
        retire(keeping, AS_OF)
        point_again(shop)
    place, before = Path(shop.published.address), shop.settings.home / "before"
    shutil.copytree(place, before)

    def retire_until(moment: int) -> None:
        die_before_change(moment)
        retire(keeping, AS_OF)

    ended, moments = -signal.SIGKILL, itertools.count(0, STRIDE)
    while ended == -signal.SIGKILL:
        shutil.rmtree(place)
        shutil.copytree(before, place)
        grow_old(shop)
        moment = next(moments)
        ended = in_a_child(partial(retire_until, moment))
        now = live(shop)
        assert now is not None and now.version == names[3] and is_whole(shop, now), moment
        for name in standing(shop):
            there = shop.published.exists(f"{version_key(name)}/{MANIFEST}")
            named = now.model_copy(update={"version": name})
            assert not there or is_whole(shop, named), (moment, name)
        if not marked:
            retire(keeping, AS_OF)
            assert standing(shop) == names, "they are marked, and nothing was released since"
            point_again(shop)
        retire(keeping, AS_OF)
        assert standing(shop) == names[2:], moment
    assert ended == 0 and moment > 2 * STRIDE


REGISTRY_STEPS = [  # of what the registry is told, and how often before
    ("after log_batch", 0),
    ("after create_model_version", 0),
    ("after set_registered_model_alias", 0),
]


def test_killed_while_the_registry_is_told(shop: Storage, write_run: WriteRun) -> None:
    """The pointer stays, and the next call brings the aliases to it; MLflow runs in children."""
    import mlflow  # once, for all of them

    first = prepare_bundle(shop, write_run())
    publish(shop, RUN)
    assert in_a_child(partial(follow_pointer, shop)) == 0
    place, before = shop.settings.home / "mlflow", shop.settings.home / "before"
    shutil.copytree(place, before)
    second = prepare_bundle(shop, write_run(run=OTHER, as_of=AS_OF + timedelta(hours=6)))
    now = publish(shop, OTHER)

    def follow_until(step: str, times: int) -> None:
        passed, client = itertools.count(), mlflow.MlflowClient

        def die(where: str) -> None:
            if where == step and next(passed) == times:
                kill_this_process(where)

        mlflow.MlflowClient = lambda **where: MortalStore(client(**where), die)  # type: ignore
        follow_pointer(shop)

    def mend() -> None:
        new = {"champion": second, "previous": first}
        assert aliases(shop) in ({"champion": first}, {"champion": second}, new)
        follow_pointer(shop)
        assert aliases(shop) == new

    for step, times in REGISTRY_STEPS:
        shutil.rmtree(place)
        shutil.copytree(before, place)
        assert in_a_child(partial(follow_until, step, times)) == -signal.SIGKILL, step
        assert live(shop) == now
        assert in_a_child(mend) == 0, step
