"""What a killed task left goes after a day; what a living one writes, and all else, stays."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from infra import leftovers
from infra.storage import Storage
from infra.stores import aside

AGE = leftovers.DEAD_AFTER.total_seconds() + 3600


def die_in(shop: Storage, write: Callable[[Storage], object]) -> None:
    """Let a process of its own write and be killed in the middle of it."""
    child = os.fork()
    if child == 0:
        try:
            write(shop)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


def kill(*_: object, **__: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def half_a_file(shop: Storage) -> None:
    Path.replace = kill  # type: ignore[method-assign,assignment]
    shop.reports.write("run=dead/index.html", b"x")


def half_a_version(shop: Storage) -> None:
    with shop.scratch() as folder:
        (folder / "deep").mkdir()
        (folder / "deep/model.npz").write_bytes(b"x")
        Path.rename = kill  # type: ignore[method-assign,assignment]
        shop.published.put_folder(folder, "versions/dead")


def half_a_replay(shop: Storage) -> None:
    from infra.stores.opening import open_store

    os.link = kill  # type: ignore[assignment]
    open_store(shop.landing, shop.settings).create("replayed/shop/dead.jsonl", b"x")


def half_a_table_for_spark(shop: Storage) -> None:
    with shop.lake_scratch() as key:
        shop.lake.store.write(f"{key}/part.parquet", b"x")
        kill()


def half_a_log_of_spark(shop: Storage) -> None:
    half = "98933e3c-05d1-42de-997e-982058011498.tmp"
    for name in (f".1.{half}", f"..1.{half}.crc", f".9.compact.{half}"):
        shop.lake.store.write(f"checkpoints/shop/offsets/{name}", b"x")
    kill()


DEATHS = (
    half_a_file,
    half_a_version,
    half_a_replay,
    half_a_table_for_spark,
    half_a_log_of_spark,
)


def everything(shop: Storage) -> set[str]:
    return {str(path) for path in shop.settings.home.rglob("*") if path.is_file()}


def grow_old(paths: set[str]) -> None:
    """Let a day and an hour pass for some files and the folders they stand in."""
    then = time.time() - AGE
    for name in paths:
        for path in (Path(name), *Path(name).parents[:3]):
            os.utime(path, (then, then))


@pytest.fixture
def kept(shop: Storage) -> set[str]:
    """Return old files that are nobody's left-overs."""
    shop.lake.store.write("events/batch=shop-000001/part-0.parquet", b"x")
    shop.lake.store.write("events/batch=shop-000001/.part-0.parquet.crc", b"x")
    shop.lake.store.write("checkpoints/shop/offsets/.0.crc", b"x")
    shop.reports.write("run=old/index.html", b"x")
    shop.published.write("versions/old/_manifest.json", b"{}")
    landing = Path(shop.landing)
    (landing / "events/shop").mkdir(parents=True)
    (landing / "events/shop/.day.jsonl.0a1b2c3d").write_bytes(b"an upload of the shop's own")
    return everything(shop)


@pytest.mark.parametrize("death", DEATHS)
def test_what_a_killed_task_left_goes_after_a_day_and_is_named(
    shop: Storage,
    kept: set[str],
    death: Callable[[Storage], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    die_in(shop, death)
    left = everything(shop) - kept
    assert left
    leftovers.remove_leftovers(shop)
    assert everything(shop) == kept | left, "its owner may live"
    grow_old(kept | left)
    leftovers.remove_leftovers(shop)
    assert everything(shop) == kept
    said = capsys.readouterr().out.splitlines()
    named = [line.rpartition(": ")[2] for line in said]
    assert named and all(any(name.startswith(one) for one in named) for name in left)


def test_a_long_task_keeps_what_it_still_writes_to(shop: Storage) -> None:
    with shop.scratch() as folder, shop.lake_scratch() as key:
        (folder / "spark/blocks").mkdir(parents=True)
        for name in ("old", "new"):
            (folder / "spark/blocks" / name).write_bytes(b"x")
            shop.lake.store.write(f"{key}/{name}.parquet", b"x")
        grow_old({name for name in everything(shop) if "old" in Path(name).name})
        leftovers.remove_leftovers(shop)
        assert len(list(folder.rglob("*"))) == 4
        assert len(shop.lake.store.list(key)) == 2


def test_a_storage_that_refuses_stops_nobody(
    shop: Storage, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/dev/null")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    bucket = {"landing": "s3://shop/landing"}
    die_in(shop, half_a_file)
    grow_old(everything(shop))
    leftovers.remove_leftovers(Storage(shop.settings.model_copy(update=bucket)))
    removed, refused = capsys.readouterr().out.splitlines()
    assert removed.startswith("Removed what a killed task left behind: ")
    assert refused.startswith(
        "Some of what killed tasks left behind stays: Cannot delete s3://shop"
    )
    assert everything(shop) == set(), "the other places are swept all the same"


def test_a_file_that_refuses_spares_no_other(
    shop: Storage, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    scratch = shop.settings.home / "scratch"
    for name in ("a", "b"):
        (scratch / name).mkdir(parents=True)
        (scratch / name / "part").write_bytes(b"x")
    shop.reports.write(f"run=dead/{aside.name_aside(Path('page')).name}", b"x")
    grow_old(everything(shop))
    remove = shutil.rmtree

    def refuse_one(path: Path) -> None:
        if path.name == "a":
            raise PermissionError(errno.EACCES, "Permission denied", "part")
        remove(path)

    monkeypatch.setattr(shutil, "rmtree", refuse_one)
    leftovers.remove_leftovers(shop)
    assert everything(shop) == {str(scratch / "a/part")}
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == (
        "Some of what killed tasks left behind stays: "
        f"Cannot delete {scratch / 'a'}: Permission denied. Check that it exists and may be used."
    )


def test_a_day_is_more_than_a_task_lives(shop: Storage) -> None:
    from infra.airflow.defaults import task_defaults

    longest = task_defaults(shop.settings)["execution_timeout"]
    assert longest + timedelta(hours=6) < leftovers.DEAD_AFTER
