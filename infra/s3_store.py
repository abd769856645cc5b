"""The object store in an S3 bucket, through boto3.

Credentials and region come from where boto3 looks for them; only the address of a service other
than AWS is a setting. What the store relies on (create-only by `If-None-Match: *`) was tried on
Ceph RGW; no server there verified checksums on upload, so readers verify sha256 themselves.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from infra.errors import StorageError
from infra.object_store import MANIFEST, AlreadyExistsError

_TAKEN = {"PreconditionFailed", "ConditionalRequestConflict", "412", "409"}
_ABSENT = {"NoSuchKey", "NotFound", "404"}


class S3Store:
    """A bucket, or a prefix in one."""

    def __init__(self, address: str, endpoint: str) -> None:
        bucket, _, prefix = address.split("://", 1)[1].partition("/")
        if not bucket:
            raise StorageError(f"'{address}' names no bucket.", "Write s3://bucket/prefix.")
        self.address = address.rstrip("/")
        self._bucket = bucket
        self._prefix = prefix.strip("/")
        retrying = Config(retries={"max_attempts": 5, "mode": "standard"}, connect_timeout=5)
        self._client: Any = boto3.client("s3", endpoint_url=endpoint or None, config=retrying)

    def read(self, key: str) -> bytes:
        """See `ObjectStore.read`."""
        try:
            answer = self._client.get_object(Bucket=self._bucket, Key=self._full(key))
            content: bytes = answer["Body"].read()
            return content
        except (ClientError, BotoCoreError) as error:
            raise self._unusable("read", key, error) from error

    def write(self, key: str, content: bytes) -> None:
        """See `ObjectStore.write`: S3 shows an object whole or not at all."""
        try:
            self._client.put_object(Bucket=self._bucket, Key=self._full(key), Body=content)
        except (ClientError, BotoCoreError) as error:
            raise self._unusable("write", key, error) from error

    def create(self, key: str, content: bytes) -> None:
        """See `ObjectStore.create`."""
        try:
            self._client.put_object(
                Bucket=self._bucket, Key=self._full(key), Body=content, IfNoneMatch="*"
            )
        except ClientError as error:
            if _code(error) not in _TAKEN:
                raise self._unusable("write", key, error) from error
            if self.read(key) != content:  # a retry of our own request finds our own content
                raise AlreadyExistsError(key) from error
        except BotoCoreError as error:
            raise self._unusable("write", key, error) from error

    def exists(self, key: str) -> bool:
        """See `ObjectStore.exists`."""
        try:
            self._client.head_object(Bucket=self._bucket, Key=self._full(key))
        except ClientError as error:
            if _code(error) in _ABSENT:
                return False
            raise self._unusable("read", key, error) from error
        except BotoCoreError as error:
            raise self._unusable("read", key, error) from error
        return True

    def list(self, prefix: str) -> list[str]:
        """See `ObjectStore.list`."""
        try:
            return sorted(self._keys(prefix))
        except (ClientError, BotoCoreError) as error:
            raise self._unusable("list", prefix, error) from error

    def put_folder(self, source: Path, key: str) -> None:
        """See `ObjectStore.put_folder`: the manifest goes last, so a reader sees all or nothing."""
        files = sorted(path for path in source.rglob("*") if path.is_file())
        for path in sorted(files, key=lambda path: path.relative_to(source) == Path(MANIFEST)):
            target = self._full(f"{key}/{path.relative_to(source).as_posix()}")
            try:
                self._client.upload_file(str(path), self._bucket, target)
            except (ClientError, BotoCoreError, boto3.exceptions.Boto3Error) as error:
                raise self._unusable("write", target, error) from error

    def fetch_folder(self, key: str, scratch: Path) -> Path:
        """See `ObjectStore.fetch_folder`: every object is downloaded below `scratch`."""
        folder = scratch / key
        keys = self.list(key)
        if not keys:
            raise StorageError(f"{self.address}/{key} does not exist.", "Check the address.")
        for name in keys:
            path = (scratch / name).resolve()
            if not path.is_relative_to(folder.resolve()):
                raise StorageError(f"The key '{name}' leads out of '{key}'.", "Do not use it.")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(self.read(name))
        return folder

    def delete_folder(self, key: str) -> None:
        """See `ObjectStore.delete_folder`."""
        keys = sorted(self.list(key), key=lambda name: not name.endswith(f"/{MANIFEST}"))
        for name in keys:
            try:
                self._client.delete_object(Bucket=self._bucket, Key=self._full(name))
            except (ClientError, BotoCoreError) as error:
                raise self._unusable("delete", name, error) from error

    def _full(self, key: str) -> str:
        return f"{self._prefix}/{key}".strip("/")

    def _keys(self, prefix: str) -> Iterator[str]:
        start = self._full(prefix)
        start = f"{start}/" if start else ""
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=start
        )
        for page in pages:
            for found in page.get("Contents", []):
                yield found["Key"].removeprefix(f"{self._prefix}/" if self._prefix else "")

    def _unusable(self, verb: str, key: str, error: Exception) -> StorageError:
        reason = _code(error) if isinstance(error, ClientError) else type(error).__name__
        return StorageError(
            f"Cannot {verb} {self.address}/{key}: {reason}.",
            "Check the bucket, the credentials and CATWALK_S3_ENDPOINT.",
        )


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))
