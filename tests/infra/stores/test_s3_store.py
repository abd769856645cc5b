"""A bucket whose service is busy, careless or open to all, as small servers of our own play it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest

from infra.belonging import require_own_stores
from infra.errors import BusyError, StorageError
from infra.settings import load_settings
from infra.storage import Storage
from infra.stores.object_store import AlreadyExistsError
from infra.stores.opening import asked_encryption, open_store
from infra.stores.s3_store import S3Store

ADDRESS = "s3://bucket/shop"


class SmallS3(BaseHTTPRequestHandler):
    """Keeps objects in memory, for whoever signs a request; its faults are switches."""

    protocol_version = "HTTP/1.1"
    objects: ClassVar[dict[str, bytes]] = {}
    faults: ClassVar[list[tuple[int, str]]] = []  # what the next requests get
    ignores_conditions = False
    open_to_all: ClassVar[set[str]] = set()  # of the words objects and names
    encryption: ClassVar[list[str | None]] = []  # asked by each PUT

    def do_PUT(self) -> None:
        """Write, also on a condition."""
        content = self.rfile.read(int(self.headers["Content-Length"]))
        if self._may("objects"):
            self.encryption.append(self.headers.get("x-amz-server-side-encryption"))
            taken = self.headers.get("If-None-Match") == "*" and self.path in self.objects
            if taken and not self.ignores_conditions:
                self._say(412, self._error("PreconditionFailed"))
                return
            self.objects[self.path] = content
            self._say(200, b"")

    def do_GET(self) -> None:
        """Read an object, or list none."""
        lists = "list-type" in self.path
        if self._may("names" if lists else "objects"):
            content = b"<ListBucketResult/>" if lists else self.objects.get(self.path)
            self._say(404, self._error("NoSuchKey")) if content is None else self._say(200, content)

    def do_HEAD(self) -> None:
        """Tell whether an object is there."""
        if self._may("objects"):
            self._say(200 if self.path in self.objects else 404, b"")

    def _may(self, what: str) -> bool:
        if self.faults and self.command != "HEAD":
            status, code = self.faults.pop(0)
            self._say(status, self._error(code))
            return False
        if "Authorization" not in self.headers and what not in self.open_to_all:
            self._say(403, self._error("AccessDenied"))
            return False
        return True

    def _error(self, code: str) -> bytes:
        return f"<Error><Code>{code}</Code><Message>{code}</Message></Error>".encode()

    def _say(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[SmallS3]]:
    """Return the switches of a server of one test."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "tester")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "the secret of the tester")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")

    class Switches(SmallS3):
        objects: ClassVar[dict[str, bytes]] = {}
        faults: ClassVar[list[tuple[int, str]]] = []
        open_to_all: ClassVar[set[str]] = set()
        encryption: ClassVar[list[str | None]] = []

    with ThreadingHTTPServer(("127.0.0.1", 0), Switches) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        monkeypatch.setenv("CATWALK_S3_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
        yield Switches
        server.shutdown()
        thread.join()


@pytest.fixture
def endpoint(small: type[SmallS3], shop: Storage) -> str:
    return load_settings().s3_endpoint


def test_what_passes_by_itself_is_tried_again_and_then_left_to_airflow(
    small: type[SmallS3], endpoint: str
) -> None:
    patient, hasty = S3Store(ADDRESS, endpoint, patient=True), S3Store(ADDRESS, endpoint)
    small.faults += [(503, "SlowDown"), (500, "InternalError"), (400, "RequestTimeout")]
    patient.write("key", b"x")
    assert small.faults == []
    small.faults += [(503, "SlowDown")] * 4
    with pytest.raises(BusyError, match=r"Cannot write .*shop/key: SlowDown\. It may pass"):
        hasty.write("key", b"y")
    assert small.faults == [] and patient.read("key") == b"x"
    assert patient._client.meta.config.retries["total_max_attempts"] == 10


def test_what_a_person_must_mend_is_told_at_once(small: type[SmallS3], endpoint: str) -> None:
    store, started = S3Store(ADDRESS, endpoint, patient=True), time.monotonic()
    for status, code, said in (
        (403, "AccessDenied", "credentials are refused"),
        (404, "NoSuchBucket", "no such bucket"),
        (501, "NotImplemented", "CATWALK_S3_ENCRYPTION=none"),
    ):
        small.faults.append((status, code))
        with pytest.raises(StorageError, match=said) as told:
            store.write("key", b"x")
        assert not isinstance(told.value, BusyError) and small.faults == []
    with pytest.raises(StorageError, match=r"No machine is called nowhere\.invalid") as told:
        S3Store(ADDRESS, "http://nowhere.invalid:1", patient=True)
    assert not isinstance(told.value, BusyError)
    assert time.monotonic() - started < 5


def test_a_conflict_that_a_retry_solves(small: type[SmallS3], endpoint: str) -> None:
    """AWS answers so while another writer creates or deletes the same key."""
    store = S3Store(ADDRESS, endpoint)
    small.faults += [(409, "ConditionalRequestConflict")] * 2
    store.create("key", b"x")
    with pytest.raises(AlreadyExistsError):
        store.create("key", b"y")
    assert store.read("key") == b"x"


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("conditions", r"ignores `If-None-Match`: of two that publish"),
        ("objects", r"Everybody can read the bucket bucket"),
        ("names", r"Everybody can read the bucket bucket"),
    ],
)
def test_a_service_that_keeps_no_promise_is_found_at_its_first_use(
    small: type[SmallS3], endpoint: str, monkeypatch: pytest.MonkeyPatch, fault: str, said: str
) -> None:
    monkeypatch.setenv("CATWALK_PUBLISHED", ADDRESS)
    storage = Storage(load_settings())
    require_own_stores(storage)
    small.ignores_conditions = fault == "conditions"
    small.open_to_all |= {fault}
    with pytest.raises(StorageError, match=said):
        require_own_stores(storage)


def test_encryption_is_asked_for_where_a_server_can_do_it(
    small: type[SmallS3], endpoint: str, shop: Storage
) -> None:
    def asked(**changed: str) -> str:
        return asked_encryption(shop.settings.model_copy(update={"s3_endpoint": ""} | changed))

    assert asked() == asked(s3_endpoint="https://s3.example") == "AES256"
    assert asked(s3_encryption="aws:kms") == "aws:kms"
    assert asked(s3_encryption="none") == asked(s3_endpoint=endpoint) == ""
    open_store(ADDRESS, load_settings()).write("key", b"x")
    store = S3Store(ADDRESS, endpoint, encryption="aws:kms")
    store.write("key", b"x")
    store.create("new", b"x")
    source = shop.settings.home / "source"
    source.mkdir()
    (source / "file").write_bytes(b"x")
    store.put_folder(source, "folder")
    assert small.encryption == [None, "aws:kms", "aws:kms", "aws:kms"]
