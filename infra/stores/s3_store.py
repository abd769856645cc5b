"""The object store in an S3 bucket, through boto3.

Credentials and region come from where boto3 looks for them; only the address of a service other
than AWS is a setting.
`tests/infra/stores/test_object_store.py` holds it to its promises on Ceph RGW 16, which verified no
checksums on upload: readers verify sha256 themselves.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from random import SystemRandom
from typing import TYPE_CHECKING, Any

import botocore.session

from infra.errors import BusyError, StorageError, unusable
from infra.stores.object_store import (
    MANIFEST,
    AlreadyExistsError,
    Stamp,
    files_of,
    mark_of,
    require_plain,
)
from infra.stores.s3_client import HASTY, PATIENT, client_of, stranger_of
from infra.stores.s3_faults import ABSENT, FAILURES, TAKEN, code_of, unusable_object

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem

_CREATE_ATTEMPTS = 6  # with half a second, one, two ... at most in between
_WRITER = "catwalk-writer"


class S3Store:
    """A bucket, or a prefix in one.

    Parameters
    ----------
    address, endpoint : str
        `s3://bucket/prefix`, and where the service is; "" for AWS.
    patient : bool
        Whether what passes by itself is tried again for about a minute, not for seconds.
    encryption : str
        What to ask the server to encrypt objects by: AES256, aws:kms, or "" for nothing.
    """

    def __init__(
        self, address: str, endpoint: str, *, patient: bool = False, encryption: str = ""
    ) -> None:
        bucket, _, prefix = address.split("://", 1)[1].partition("/")
        if not bucket:
            raise StorageError(f"'{address}' names no bucket.", "Write s3://bucket/prefix.")
        self.address = address.rstrip("/")
        self._bucket = bucket
        self._prefix = prefix.strip("/")
        self._endpoint = endpoint
        self._session = botocore.session.get_session()  # the common one keeps what it saw first
        self._client = client_of(self._session, endpoint, PATIENT if patient else HASTY)
        self._asked = {"ServerSideEncryption": encryption} if encryption else {}

    def read(self, key: str, most: int | None = None) -> bytes:
        """See `ObjectStore.read`."""
        name = self._name(key)
        try:
            with self._client.get_object(Bucket=self._bucket, Key=name)["Body"] as body:
                content: bytes = body.read(most)
            return content
        except FAILURES as error:
            raise self._unusable("read", key, error) from error

    def write(self, key: str, content: bytes) -> None:
        """See `ObjectStore.write`: S3 shows an object whole or not at all."""
        name = self._name(key)
        try:
            self._client.put_object(Bucket=self._bucket, Key=name, Body=content, **self._asked)
        except FAILURES as error:
            raise self._unusable("write", key, error) from error

    def create(self, key: str, content: bytes) -> None:
        """See `ObjectStore.create`.

        A request whose answer is lost is sent again and then finds its own object. The name of
        the writer, new with every call, tells it from the object of another one; the content
        cannot, since two writers may bring the same bytes.
        """
        writer = uuid.uuid4().hex
        for attempt in range(_CREATE_ATTEMPTS):
            if self._created(key, content, writer):
                return
            present = self._head(key)  # None: deleted since, or AWS asks to try again by its 409
            if present is not None and present.get(_WRITER) == writer:
                return
            if present is not None:
                raise AlreadyExistsError(key)
            time.sleep(SystemRandom().uniform(0, 0.5 * 2**attempt))
        raise BusyError(
            f"{self.address}/{key} is being created and deleted by others.", "Try again later."
        )

    def protect(self, key: str) -> None:
        """See `ObjectStore.protect`: a bucket has the same rights everywhere; `probe` sees them."""

    def probe(self, key: str) -> None:
        """See `ObjectStore.probe`."""
        if self._created(key, self.read(key), uuid.uuid4().hex):
            raise StorageError(
                f"The service of {self.address} ignores `If-None-Match`: of two that publish at "
                "once both would win.",
                "Use a service that honours it.",
            )
        stranger, name = stranger_of(self._endpoint), self._name(key)
        looks: list[Callable[[], Any]] = [
            lambda: stranger.get_object(Bucket=self._bucket, Key=name),
            lambda: stranger.list_objects_v2(Bucket=self._bucket, MaxKeys=1),
        ]
        for look in looks:
            with suppress(*FAILURES):  # as it should be; one that is away shows in other requests
                look()
                raise StorageError(
                    f"Everybody can read the bucket {self._bucket}, without any credentials.",
                    "Make it private: it holds what customers do.",
                )

    def delete(self, key: str) -> None:
        """See `ObjectStore.delete`."""
        self._delete(key, [self._name(key)])

    def exists(self, key: str) -> bool:
        """See `ObjectStore.exists`."""
        return self._head(key) is not None

    def list(self, prefix: str) -> list[str]:
        """See `ObjectStore.list`; empty objects that mark folders are left out."""
        return list(self.stamps(prefix))

    def stamps(self, prefix: str) -> dict[str, Stamp]:
        """See `ObjectStore.stamps`: an ETag names the content or the upload."""
        start = f"{self._prefix}/" if self._prefix else ""
        stamps = {item["Key"].removeprefix(start): _stamp(item) for item in self._objects(prefix)}
        return {key: stamp for key, stamp in sorted(stamps.items()) if not key.endswith("/")}

    def sweep(self, prefix: str, before: datetime) -> Sequence[str]:
        """See `ObjectStore.sweep`: parts of large objects that were never put together."""
        pages = self._client.get_paginator("list_multipart_uploads")
        start = self._name(prefix) if prefix else self._prefix
        gone = []
        try:
            for page in pages.paginate(Bucket=self._bucket, Prefix=f"{start}/" if start else ""):
                for upload in page.get("Uploads", []):
                    if upload["Initiated"] < before:
                        named = {"Key": upload["Key"], "UploadId": upload["UploadId"]}
                        self._client.abort_multipart_upload(Bucket=self._bucket, **named)
                        gone.append(f"s3://{self._bucket}/{upload['Key']}")
        except FAILURES as error:
            raise self._unusable("delete", prefix, error) from error
        return sorted(gone)

    def put_folder(self, source: Path, key: str) -> None:
        """See `ObjectStore.put_folder`: the manifest goes last, so a reader sees all or nothing."""
        files = files_of(source)
        self.delete_folder(key)
        self._upload(source, files, key)

    def fill_folder(self, source: Path, key: str) -> None:
        """See `ObjectStore.fill_folder`."""
        files = files_of(source)
        self._upload(source, files, key)
        wanted = {self._name(f"{key}/{path.relative_to(source).as_posix()}") for path in files}
        self._delete(key, [name for name in self._names(key) if name not in wanted])

    def arrow_files(self) -> tuple[FileSystem, str]:
        """See `ObjectStore.arrow_files`: with the credentials, region and certificates of boto3."""
        from pyarrow.fs import S3FileSystem

        credentials = self._session.get_credentials()
        keys = credentials.get_frozen_credentials() if credentials else None
        scheme, _, place = self._endpoint.rpartition("://")
        files = S3FileSystem(
            access_key=keys and keys.access_key,
            secret_key=keys and keys.secret_key,
            session_token=keys and keys.token,
            region=self._session.get_config_variable("region"),
            scheme=scheme or None,
            endpoint_override=place or None,
            tls_ca_file_path=self._session.get_config_variable("ca_bundle"),
        )
        return files, "/".join(filter(None, (self._bucket, self._prefix)))

    def fetch_folder(self, key: str, scratch: Path) -> Path:
        """See `ObjectStore.fetch_folder`: every object is downloaded below `scratch`."""
        folder = scratch / require_plain(key)
        keys = self.list(key)
        if not keys:
            raise StorageError(f"{self.address}/{key} does not exist.", "Check the address.")
        for name in keys:
            self._download(name, scratch / name)
        return folder

    def settle(self, key: str) -> None:
        """See `ObjectStore.settle`: an upload is answered once it is kept."""

    def delete_folder(self, key: str) -> None:
        """See `ObjectStore.delete_folder`."""
        manifest = self._name(f"{key}/{MANIFEST}")
        names = self._names(require_plain(key))
        self._delete(key, sorted(names, key=lambda name: name != manifest))

    def _upload(self, source: Path, files: Sequence[Path], key: str) -> None:
        for path in files:
            target = f"{key}/{path.relative_to(source).as_posix()}"
            try:
                self._client.upload_file(
                    str(path), self._bucket, self._name(target), ExtraArgs=self._asked or None
                )
            except FAILURES as error:
                raise self._unusable("write", target, error) from error

    def _delete(self, key: str, names: Sequence[str]) -> None:
        for name in names:
            try:
                self._client.delete_object(Bucket=self._bucket, Key=name)
            except FAILURES as error:
                raise self._unusable("delete", key, error) from error

    def _name(self, key: str) -> str:
        """Return the name in the bucket; names in a bucket may hold `..`, keys may not."""
        return f"{self._prefix}/{require_plain(key)}".removeprefix("/")

    def _names(self, prefix: str) -> Sequence[str]:
        return [item["Key"] for item in self._objects(prefix)]

    def _objects(self, prefix: str) -> Sequence[dict[str, Any]]:
        start = self._name(prefix) if prefix else self._prefix
        pages = self._client.get_paginator("list_objects_v2")
        try:
            listed = pages.paginate(Bucket=self._bucket, Prefix=f"{start}/" if start else "")
            return [item for page in listed for item in page.get("Contents", [])]
        except FAILURES as error:
            raise self._unusable("list", prefix, error) from error

    def _created(self, key: str, content: bytes, writer: str) -> bool:
        named = {"Bucket": self._bucket, "Key": self._name(key), "Metadata": {_WRITER: writer}}
        try:
            self._client.put_object(**named, **self._asked, Body=content, IfNoneMatch="*")
        except FAILURES as error:
            if code_of(error) not in TAKEN:
                raise self._unusable("write", key, error) from error
            return False
        return True

    def _head(self, key: str) -> dict[str, str] | None:
        """Return the metadata of an object; None if it does not exist."""
        name = self._name(key)
        try:
            answer = self._client.head_object(Bucket=self._bucket, Key=name)
        except FAILURES as error:
            if code_of(error) in ABSENT:
                return None
            raise self._unusable("read", key, error) from error
        metadata: dict[str, str] = answer["Metadata"]
        return metadata

    def _download(self, key: str, path: Path) -> None:
        name = self._name(key)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._client.download_file(self._bucket, name, str(path))
        except FAILURES as error:  # before OSError, which some of them are as well
            raise self._unusable("read", key, error) from error
        except OSError as error:
            raise unusable("write", path, error) from error

    def _unusable(self, verb: str, key: str, error: Exception) -> StorageError:
        return unusable_object(verb, f"{self.address}/{key}", error)


def _stamp(item: dict[str, Any]) -> Stamp:
    written = item["LastModified"]
    return Stamp(written, mark_of(written, item["ETag"], item["Size"], written.isoformat()))
