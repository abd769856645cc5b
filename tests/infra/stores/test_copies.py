"""Small files read through their copies are always the files as they are, in few requests."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from infra.errors import StorageError
from infra.stores import object_store
from infra.stores.copies import CopiedFolder
from infra.stores.local_store import LocalStore
from infra.stores.object_store import MissingError, ObjectStore, read_if_there
from infra.stores.s3_store import S3Store
from tests.counting_store import CountingStore
from tests.infra.stores.test_object_store import new_address
from tests.message_servers import serving
from tests.s3_server import S3Server

COPIES = "index/small.json"
FILES = {f"small/{number:04d}.json": f"content {number}".encode() for number in range(40)}
TICK = 0.05  # seconds, more than the tick of a file system's clock


@pytest.fixture(params=["local", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    if request.param == "local":
        return LocalStore(tmp_path / "store")
    return S3Store(new_address(), request.getfixturevalue("s3").endpoint)


@pytest.fixture
def local(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalStore:
    """Return a folder with files old enough to be copied."""
    monkeypatch.setattr(object_store, "_SETTLED", timedelta(seconds=TICK))
    store = LocalStore(tmp_path / "store")
    put(store, FILES)
    time.sleep(2 * TICK)
    return store


def put(store: ObjectStore, files: dict[str, bytes]) -> None:
    for key, content in files.items():
        store.write(key, content)


def read(store: ObjectStore) -> dict[str, bytes]:
    files = CopiedFolder(store, "small", ".json", COPIES).read()
    return {key: file.content for key, file in files.items()}


def requests_of(store: ObjectStore) -> list[tuple[str, str]]:
    counting = CountingStore(store)
    assert read(counting) == read(store)  # type: ignore[arg-type]
    return counting.requests


def test_a_folder_is_read_whole_and_then_from_its_copies(store: ObjectStore) -> None:
    put(store, {**FILES, "small/other.txt": b"another kind", "elsewhere/0.json": b"x"})
    time.sleep(2.2)  # a file that changed just now is not copied
    assert read(store) == FILES
    assert requests_of(store) == [("stamps", "small"), ("read", COPIES)]


def test_only_what_changed_since_is_read(store: ObjectStore) -> None:
    put(store, {**FILES, "small/gone/0.json": b"soon gone"})
    time.sleep(2.2)
    read(store)
    news = {"small/0003.json": b"content x", "small/new.json": b"new"}
    put(store, news)
    store.delete_folder("small/gone")
    counting = CountingStore(store)
    changed = {**FILES, **news}
    assert read(counting) == changed  # type: ignore[arg-type]
    asked = [key for method, key in counting.requests if method == "read" and key != COPIES]
    assert sorted(asked) == ["small/0003.json", "small/new.json"]


def test_a_reader_asks_again_only_for_what_changed_in_between(local: LocalStore) -> None:
    counting = CountingStore(local)
    folder = CopiedFolder(counting, "small", ".json", COPIES)  # type: ignore[arg-type]
    folder.read()
    counting.requests.clear()
    local.write("small/0001.json", b"another")
    assert folder.read()["small/0001.json"].content == b"another"
    assert counting.requests == [("stamps", "small"), ("read", "small/0001.json")]


@pytest.mark.parametrize(
    "harm",
    [
        lambda content: b"",
        lambda content: b"{",
        lambda content: content[:-9],
        lambda content: content.replace(b"content 7", b"content 8"),
        lambda content: content.partition(b"\n")[2],
        lambda content: b"\xff" + content,
    ],
    ids=["empty", "no copies", "cut", "changed by hand", "no digest", "not text"],
)
def test_damaged_copies_are_made_anew(local: LocalStore, harm: Callable[[bytes], bytes]) -> None:
    read(local)
    local.write(COPIES, harm(local.read(COPIES)))
    assert read(local) == FILES
    assert requests_of(local) == [("stamps", "small"), ("read", COPIES)]


def test_a_change_in_place_of_equal_length_and_time_is_seen(local: LocalStore) -> None:
    """An editor that keeps the file, and sets the time it had back."""
    file = local.root / "small/0005.json"
    read(local)
    facts = file.stat()
    file.write_bytes(b"content 6")
    os.utime(file, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert read(local)["small/0005.json"] == b"content 6"


def test_a_file_that_changed_just_now_is_not_copied(tmp_path: Path) -> None:
    """Its next change may fall into the same tick of the clock, and show no other time."""
    store = LocalStore(tmp_path / "store")
    put(store, FILES)
    assert all(not stamp.mark for stamp in store.stamps("small").values())
    read(store)
    assert read_if_there(store, COPIES) is None


def test_any_bytes_come_back(local: LocalStore) -> None:
    odd = bytes(range(256)) + "äß😀\n".encode() + b"\xed\xa0\x80\xed\xb0\x80"
    local.write("small/odd.json", odd)
    time.sleep(2 * TICK)
    read(local)
    assert ("read", "small/odd.json") not in requests_of(local)
    assert read(local)["small/odd.json"] == odd


def test_who_may_not_write_the_copies_reads_all_the_same(local: LocalStore) -> None:
    local.write("index", b"a file where the copies want a folder")
    assert read(local) == FILES


def test_who_may_not_read_the_copies_reads_all_the_same(local: LocalStore) -> None:
    """A person may have made them, by a command that only reads, for nobody else."""
    copies = 300 * "x"  # a name that no file can have
    with pytest.raises(StorageError, match="File name too long"):
        read_if_there(local, copies)
    files = CopiedFolder(local, "small", ".json", copies).read()
    assert {key: file.content for key, file in files.items()} == FILES


def test_what_is_missing_is_told_from_a_store_that_cannot_be_used(store: ObjectStore) -> None:
    assert read_if_there(store, "small/none.json") is None
    store.write("small/file.json", b"x")
    assert read_if_there(store, "small") is None, "a folder has no content"
    with pytest.raises(MissingError, match=r"small/none\.json"):
        store.read("small/none.json")
    with pytest.raises(StorageError) as caught:
        read_if_there(store, "small/" + 1100 * "x")
    assert not isinstance(caught.value, MissingError)


class NoPage(BaseHTTPRequestHandler):
    """Answers that it has no such page, whatever it is asked."""

    def do_GET(self) -> None:
        """Answer in the one way."""
        self.send_response(404)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_a_server_that_knows_no_page_has_no_missing_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """CATWALK_S3_ENDPOINT names a server that is no S3, or a proxy in front of one."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    with serving(NoPage) as server:
        store = S3Store("s3://bucket/x", f"http://127.0.0.1:{server.port}")
        with pytest.raises(StorageError, match="some/key") as caught:
            store.read("some/key")
    assert not isinstance(caught.value, MissingError)


def test_a_bucket_that_is_not_there_is_no_missing_file(s3: S3Server) -> None:
    store = S3Store("s3://no-such-bucket/x", s3.endpoint)
    with pytest.raises(StorageError, match="there is no such bucket") as caught:
        store.read("some/key")
    assert not isinstance(caught.value, MissingError)
