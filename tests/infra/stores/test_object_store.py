"""One contract for files on a disk and in a bucket, and what only one of them can suffer."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from infra.errors import StorageError
from infra.settings import Settings
from infra.stores.local_store import LocalStore
from infra.stores.object_store import MANIFEST, AlreadyExistsError, ObjectStore
from infra.stores.opening import open_store
from infra.stores.s3_store import S3Store
from tests.s3_server import BUCKET, PAGE, BreakingProxy, S3Server

MULTIPART = 9 * 1024**2  # more than the 8 MB from which boto3 uploads in parts


def new_address() -> str:
    return f"s3://{BUCKET}/{uuid.uuid4().hex}/shop"


@pytest.fixture(params=["local", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    if request.param == "local":
        return LocalStore(tmp_path / "store")
    return S3Store(new_address(), request.getfixturevalue("s3").endpoint)


@pytest.fixture
def proxy(s3: S3Server) -> Iterator[BreakingProxy]:
    proxy = BreakingProxy(s3.port)
    yield proxy
    proxy.close()


def folder_of(folder: Path, **files: bytes) -> Path:
    for name, content in files.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_what_is_written_is_read(store: ObjectStore) -> None:
    for content in (b"first", b"", bytes(range(256)) * 1000):
        store.write("some/folder/file.bin", content)
        assert store.read("some/folder/file.bin") == content
        assert store.read("some/folder/file.bin", 3) == content[:3]
    assert store.list("") == ["some/folder/file.bin"]


def test_a_missing_key_is_named(store: ObjectStore) -> None:
    assert not store.exists("no/such.json")
    with pytest.raises(StorageError, match=r"no/such\.json"):
        store.read("no/such.json")
    with pytest.raises(StorageError, match=r"no/folder does not exist"):
        store.fetch_folder("no/folder", Path("unused"))


def test_create_never_replaces(store: ObjectStore) -> None:
    store.create("live/1.json", b"first")
    assert store.exists("live/1.json") and not store.exists("live")
    for content in (b"second", b"first"):
        with pytest.raises(AlreadyExistsError, match=r"live/1\.json"):
            store.create("live/1.json", content)
    assert store.read("live/1.json") == b"first"


@pytest.mark.parametrize("equal", [True, False], ids=["equal bytes", "own bytes"])
def test_create_has_one_winner(store: ObjectStore, equal: bool) -> None:
    writers = [b"same" if equal else f"writer {place}".encode() for place in range(8)]
    for number in range(20):
        key = f"race/{number}"
        assert winners(store, key, writers) == [store.read(key)]


def winners(store: ObjectStore, key: str, writers: Sequence[bytes]) -> list[bytes]:
    together = threading.Barrier(len(writers))
    won: list[bytes] = []

    def run(mine: bytes) -> None:
        together.wait(timeout=10)
        with contextlib.suppress(AlreadyExistsError):
            store.create(key, mine)
            won.append(mine)

    threads = [threading.Thread(target=run, args=(mine,)) for mine in writers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return won


def test_a_list_holds_one_folder_sorted(store: ObjectStore) -> None:
    names = [f"many/{number:03d}" for number in range(2 * PAGE + 5)]
    for name in (*reversed(names), "many.json", "manyfold/x", "many/nested/deep/x"):
        store.write(name, b"x")
    assert store.list("many") == [*names, "many/nested/deep/x"]
    assert store.list("many/nested") == ["many/nested/deep/x"]
    assert len(store.list("")) == len(names) + 3
    assert store.list("none") == store.list("many.json") == store.list("man") == []


def test_a_folder_comes_back_as_it_was(store: ObjectStore, tmp_path: Path) -> None:
    files = {"Zebra": b"1", "empty": b"", "deep__er__x": b"2", MANIFEST: b"{}"}
    source = folder_of(tmp_path / "source", **files, large=os.urandom(MULTIPART))
    store.put_folder(source, "versions/one")
    fetched = store.fetch_folder("versions/one", tmp_path / "scratch")
    assert contents(fetched) == contents(source)
    assert store.list("versions/one") == sorted(f"versions/one/{key}" for key in contents(source))


def test_a_folder_is_replaced_not_mixed(store: ObjectStore, tmp_path: Path) -> None:
    store.put_folder(folder_of(tmp_path / "a", a=b"1", both=b"1"), "versions/one")
    store.put_folder(folder_of(tmp_path / "b", b=b"2", both=b"2"), "versions/one")
    fetched = store.fetch_folder("versions/one", tmp_path / "scratch")
    assert contents(fetched) == {"b": b"2", "both": b"2"}


def test_a_folder_is_filled_under_its_readers(store: ObjectStore, tmp_path: Path) -> None:
    """Whoever reads what is right already misses nothing; what does not belong there goes."""
    files = {f"file{number}": b"right" for number in range(6)} | {MANIFEST: b"{}"}
    source = folder_of(tmp_path / "source", **files)
    store.fill_folder(source, "versions/one")
    for key in ("file0", "deep/extra"):
        store.write(f"versions/one/{key}", b"wrong")
    done, missed = threading.Event(), []

    def read() -> None:
        while not done.is_set():
            with contextlib.suppress(StorageError):
                if store.read("versions/one/file5") == b"right" == store.read("versions/one/file1"):
                    continue
            missed.append("a file was gone or wrong")

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(3):
        store.fill_folder(source, "versions/one")
    done.set()
    reader.join()
    assert not missed
    fetched = store.fetch_folder("versions/one", tmp_path / "scratch")
    assert contents(fetched) == contents(source)


def test_what_was_put_outlives_a_power_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file is on the disk before its name is, and then the name is."""
    synced: list[Path] = []
    fsync, rename = os.fsync, Path.rename

    def noted(number: int) -> None:
        synced.append(Path(f"/proc/self/fd/{number}").readlink())
        fsync(number)

    def renamed(path: Path, target: Path) -> Path:
        assert {file for file in path.rglob("*") if file.is_file()} <= set(synced)
        return rename(path, target)

    monkeypatch.setattr(os, "fsync", noted)
    monkeypatch.setattr(Path, "rename", renamed)
    store = LocalStore(tmp_path / "store")
    source = folder_of(tmp_path / "source", a=b"x", deep__b=b"x")
    store.put_folder(source, "versions/one")
    assert synced[-1] == tmp_path / "store/versions"
    store.create("live/1.json", b"{}")
    assert synced[-1] == tmp_path / "store/live"


def test_a_missing_source_destroys_nothing(store: ObjectStore, tmp_path: Path) -> None:
    store.write("versions/one/file", b"x")
    with pytest.raises(StorageError, match="nowhere does not exist"):
        store.put_folder(tmp_path / "nowhere", "versions/one")
    assert store.read("versions/one/file") == b"x"


def test_one_file_is_deleted_and_no_other(store: ObjectStore) -> None:
    for key in ("some/a.json", "some/a.json.more", "some/a"):
        store.write(key, b"x")
    for _ in range(2):
        store.delete("some/a")
    assert store.list("") == ["some/a.json", "some/a.json.more"]
    with pytest.raises(StorageError, match="not plain"):
        store.delete("some/../a.json")


def test_a_deleted_folder_leaves_its_neighbours(store: ObjectStore) -> None:
    for key in ("one/a", "one/deep/b", "one-more/a", "one.json"):
        store.write(f"versions/{key}", b"x")
    store.delete_folder("versions/one")
    store.delete_folder("versions/never")
    assert store.list("") == ["versions/one-more/a", "versions/one.json"]


def test_two_may_delete_the_same_folder(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    for _ in range(10):
        for number in range(40):
            store.write(f"one/{number}/file", b"x")
        with ThreadPoolExecutor() as pool:
            list(pool.map(store.delete_folder, ["one"] * 4))
        assert store.list("") == []


def test_a_file_that_goes_while_files_are_listed(tmp_path: Path) -> None:
    class Busy(LocalStore):
        def list(self, prefix: str) -> list[str]:
            found = super().list(prefix)
            self.path("one/a").unlink()
            return found

    store = Busy(tmp_path)
    for key in ("one/a", "one/b"):
        store.write(key, b"x")
    assert list(store.stamps("one")) == ["one/b"]


def test_the_manifest_arrives_last_and_goes_first(store: ObjectStore, tmp_path: Path) -> None:
    names = [*(f"A{number}" for number in range(12)), *(f"z{number}" for number in range(12))]
    source = folder_of(tmp_path / "source", **dict.fromkeys((MANIFEST, *names), b"x"))
    done, half = threading.Event(), []

    def read_arriving() -> None:
        while not done.is_set():
            if store.exists(f"v/one/{MANIFEST}") and len(store.list("v/one")) <= len(names):
                half.append("a manifest before its files")

    def read_going() -> None:
        while not done.is_set():
            if len(store.list("v/one")) < len(names) and store.exists(f"v/one/{MANIFEST}"):
                half.append("a manifest after its files")

    for reader, change in (
        (read_arriving, lambda: store.put_folder(source, "v/one")),
        (read_going, lambda: store.delete_folder("v/one")),
    ):
        done.clear()
        thread = threading.Thread(target=reader)
        thread.start()
        change()
        done.set()
        thread.join()
    assert half == []


ESCAPING = ["", "/etc/passwd", "..", "../x", "a/../../x", "a/..", "./a", "a//b", "a/", "a\0b"]


@pytest.mark.parametrize("key", ESCAPING, ids=repr)
def test_keys_that_escape_are_refused(store: ObjectStore, tmp_path: Path, key: str) -> None:
    source = folder_of(tmp_path / "source", file=b"x")
    for use in (
        lambda: store.read(key),
        lambda: store.write(key, b"x"),
        lambda: store.create(key, b"x"),
        lambda: store.exists(key),
        lambda: store.list(key or ".."),  # "" lists all
        lambda: store.put_folder(source, key),
        lambda: store.fetch_folder(key, tmp_path / "scratch"),
        lambda: store.delete_folder(key),
    ):
        with pytest.raises(StorageError, match="is not plain"):
            use()


def test_links_out_of_the_folder_are_refused(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "store")
    store.write("file", b"x")
    (tmp_path / "store/away").symlink_to(tmp_path)
    with pytest.raises(StorageError, match="leads out of"):
        store.write("away/file", b"x")


def test_unfinished_files_are_not_listed(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    folder_of(tmp_path, seen=b"", **{".half.0a1b": b"", ".half__x": b""})
    assert store.list("") == ["seen"]


def test_a_full_disk(small_disk: Path, tmp_path: Path) -> None:
    store, full = LocalStore(small_disk), r"No space left on device\. Free some space"
    store.write("file", b"old")
    store.write("folder/file", b"old")
    source = folder_of(tmp_path / "source", a=b"new", deep__b=bytes(2 * 1024**2), file=b"new")
    for use in (
        lambda: store.write("file", bytes(2 * 1024**2)),
        lambda: store.create("new", bytes(2 * 1024**2)),
        lambda: store.put_folder(source, "folder"),
    ):
        with pytest.raises(StorageError, match=full):
            use()
        assert contents(small_disk) == {"file": b"old", "folder/file": b"old"}, "no half file"


def test_a_bucket_fetched_to_a_full_disk(small_disk: Path, s3: S3Server) -> None:
    store = S3Store(new_address(), s3.endpoint)
    store.write("folder/file", bytes(2 * 1024**2))
    with pytest.raises(StorageError, match=r"folder/file: No space left on device\. Free some"):
        store.fetch_folder("folder", small_disk)
    assert contents(small_disk) == {}


def every_use(store: ObjectStore, folder: Path) -> list[Callable[[], Any]]:
    source = folder_of(folder / "source", file=b"x")
    return [
        lambda: store.read("key"),
        lambda: store.write("key", b"x"),
        lambda: store.create("key", b"x"),
        lambda: store.exists("key"),
        lambda: store.list("key"),
        lambda: store.put_folder(source, "key"),
        lambda: store.fetch_folder("key", folder / "scratch"),
        lambda: store.delete_folder("key"),
    ]


WRONG = [
    ({"AWS_SECRET_ACCESS_KEY": "wrong"}, r"credentials are refused \((Signature\w+|403)\)\. Check"),
    ({"AWS_ACCESS_KEY_ID": "stranger"}, r"credentials are refused \((InvalidAcc\w+|403)\)\. Check"),
    ({"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, r"are no credentials\. Check AWS_AC"),
]


@pytest.mark.parametrize(("variables", "said"), WRONG, ids=["secret", "access key", "nothing"])
def test_wrong_credentials(
    s3: S3Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
    said: str,
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    for use in every_use(S3Store(new_address(), s3.endpoint), tmp_path):
        with pytest.raises(StorageError, match=said):
            use()


def test_a_bucket_is_probed_for_one_winner_and_for_strangers(s3: S3Server) -> None:
    store = S3Store(new_address(), s3.endpoint)
    store.write("key", b"x")
    store.probe("key")
    for acl, said in (("public-read", "Everybody can read the bucket"), ("private", "")):
        store._client.put_bucket_acl(Bucket=BUCKET, ACL=acl)
        with pytest.raises(StorageError, match=said) if said else contextlib.nullcontext():
            store.probe("key")


def test_a_missing_bucket(s3: S3Server) -> None:
    store = S3Store("s3://nowhere/shop", s3.endpoint)
    with pytest.raises(StorageError, match=r"s3://nowhere/shop/key: there is no such bucket\."):
        store.write("key", b"x")


def test_a_server_that_is_gone(s3: S3Server, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        gone = f"http://127.0.0.1:{listener.getsockname()[1]}"
    store = S3Store(new_address(), gone)
    uses = every_use(store, tmp_path)[1:3]
    assert len(uses) == 2
    for use in uses:
        started = time.monotonic()
        with pytest.raises(StorageError, match=rf"connect to the endpoint URL: \"{gone}.*Check"):
            use()
        assert time.monotonic() - started < 8


def test_no_address_of_a_server() -> None:
    with pytest.raises(StorageError, match="Invalid endpoint: nonsense"):
        S3Store(new_address(), "nonsense")


def test_an_answer_cut_in_its_middle(s3: S3Server, proxy: BreakingProxy) -> None:
    S3Store(address := new_address(), s3.endpoint).write("key", bytes(4 * 1024**2))
    store = S3Store(address, proxy.endpoint)
    proxy.lost_answers = 10
    with pytest.raises(StorageError, match="Cannot read s3://.*/key: .*closed"):
        store.read("key")


def test_a_creation_whose_answer_was_lost_is_won(s3: S3Server, proxy: BreakingProxy) -> None:
    store = S3Store(new_address(), proxy.endpoint)
    proxy.lost_answers = 1
    store.create("live/1.json", b"mine")
    assert proxy.lost_answers == 0 and store.read("live/1.json") == b"mine"
    proxy.lost_answers = 1
    with pytest.raises(AlreadyExistsError):
        store.create("live/1.json", b"mine")


def test_an_upload_cut_in_its_middle_leaves_nothing(
    s3: S3Server, proxy: BreakingProxy, tmp_path: Path
) -> None:
    direct = S3Store(address := new_address(), s3.endpoint)
    direct.write("file", b"old")
    cut = S3Store(address, proxy.endpoint)
    proxy.allowed = 1024**2
    with pytest.raises(StorageError, match="Cannot write"):
        cut.write("file", bytes(MULTIPART))
    source = folder_of(tmp_path / "source", **{MANIFEST: b"{}", "large": bytes(MULTIPART)})
    proxy.sent = 0
    with pytest.raises(StorageError, match="Cannot write"):
        cut.put_folder(source, "folder")
    assert direct.read("file") == b"old" and direct.list("") == ["file"]


@pytest.mark.parametrize("encryption", ["", "AES256"])
def test_over_tls(s3: S3Server, tmp_path: Path, encryption: str) -> None:
    store = S3Store(new_address(), s3.tls_endpoint, encryption=encryption)
    store.create("key", b"x")
    source = folder_of(tmp_path / "source", small=b"x", large=os.urandom(MULTIPART))
    store.put_folder(source, "folder")
    assert contents(store.fetch_folder("folder", tmp_path / "scratch")) == contents(source)


def test_names_that_others_put_into_the_bucket(s3: S3Server, tmp_path: Path) -> None:
    store = S3Store(new_address(), s3.endpoint)
    store.write("folder/file", b"x")
    put_object(store, "folder/")  # what consoles and Spark call a folder
    put_object(store, "folder/deep/")
    assert contents(store.fetch_folder("folder", tmp_path / "scratch")) == {"file": b"x"}
    put_object(store, "folder/../../away")
    with pytest.raises(StorageError, match=r"'folder/\.\./\.\./away' is not plain"):
        store.fetch_folder("folder", tmp_path / "scratch")
    store.delete_folder("folder")
    assert store.list("") == []


def put_object(store: S3Store, key: str) -> None:
    prefix = store.address.removeprefix(f"s3://{BUCKET}/")
    store._client.put_object(Bucket=BUCKET, Key=f"{prefix}/{key}", Body=b"")


def test_addresses(s3: S3Server, tmp_path: Path) -> None:
    settings = Settings(user_key_secret="x" * 16, s3_endpoint=s3.endpoint)  # type: ignore[arg-type]
    for address in (new_address(), new_address().replace("s3://", "s3a://") + "/"):
        store = open_store(address, settings)
        store.write("key", b"x")
        assert isinstance(store, S3Store) and store.list("") == ["key"]
    assert open_store(str(tmp_path), settings).address == str(tmp_path)
    for address, said in (("ftp://x", "No storage is known"), ("s3:///x", "names no bucket")):
        with pytest.raises(StorageError, match=said):
            open_store(address, settings)


def test_a_sweep_ends_uploads_that_were_never_finished_and_no_younger_one(s3: S3Server) -> None:
    store = S3Store(new_address(), s3.endpoint)
    store.write("kept/file", b"x")
    prefix = store.address.removeprefix(f"s3://{BUCKET}/")
    for key in ("kept/large", "other/large"):
        store._client.create_multipart_upload(Bucket=BUCKET, Key=f"{prefix}/{key}")
    now = datetime.now(UTC)
    assert store.sweep("", now - timedelta(hours=1)) == []
    assert store.sweep("kept", now + timedelta(hours=1)) == [f"{store.address}/kept/large"]
    assert store.sweep("", now + timedelta(hours=1)) == [f"{store.address}/other/large"]
    assert store.sweep("", now + timedelta(hours=1)) == []
    assert store.list("") == ["kept/file"]
