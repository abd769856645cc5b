"""Opens the object store of an address: a folder or a bucket."""

from __future__ import annotations

from pathlib import Path

from infra.errors import StorageError
from infra.settings import Settings
from infra.stores.local_store import LocalStore
from infra.stores.object_store import ObjectStore


def open_store(address: str, settings: Settings) -> ObjectStore:
    """Open the storage behind an address: `s3://bucket/prefix`, or a local folder."""
    if address.startswith(("s3://", "s3a://")):
        from infra.stores.s3_store import S3Store  # boto3 takes a second to import

        return S3Store(address, settings.s3_endpoint)
    if "://" in address:
        raise StorageError(f"No storage is known for '{address}'.", "Use a folder or s3://.")
    return LocalStore(Path(address))
