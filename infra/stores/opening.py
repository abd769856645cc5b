"""Opens the object store of an address: a folder or a bucket."""

from __future__ import annotations

from pathlib import Path

from infra.errors import StorageError
from infra.settings import Settings
from infra.stores.local_store import LocalStore
from infra.stores.object_store import ObjectStore


def open_store(address: str, settings: Settings, *, patient: bool = False) -> ObjectStore:
    """Open the storage behind an address: `s3://bucket/prefix`, or a local folder.

    Parameters
    ----------
    patient : bool
        Whether to try again for about a minute what passes by itself, as a task may; whoever
        answers somebody has not so long.
    """
    if address.startswith(("s3://", "s3a://")):
        from infra.stores.s3_store import S3Store  # boto3 takes a second to import

        asked = asked_encryption(settings)
        return S3Store(address, settings.s3_endpoint, patient=patient, encryption=asked)
    if "://" in address:
        raise StorageError(f"No storage is known for '{address}'.", "Use a folder or s3://.")
    return LocalStore(Path(address))


def asked_encryption(settings: Settings) -> str:
    """Return what a bucket is asked to encrypt by; "" over plain http, where servers refuse it."""
    plain = settings.s3_endpoint.startswith("http://")
    return "" if plain or settings.s3_encryption == "none" else settings.s3_encryption
