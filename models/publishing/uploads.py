"""Copies a bundle to the published store as an immutable version, and reads the copy back."""

from __future__ import annotations

from pathlib import Path

from infra.errors import BundleError, PublishError, StorageError
from infra.places import version_key
from infra.storage import Storage
from infra.stores.digests import verified
from models.bundle_layout import manifest_sha256


def upload(storage: Storage, folder: Path, version: str, sha256: str) -> None:
    """Copy the bundle unless a whole copy is there, and read it back: nobody else checks it.

    Parameters
    ----------
    sha256 : str
        Of its manifest.

    Raises
    ------
    PublishError
        The copy is not the bundle.
    """
    if not _is_whole(storage, version, sha256):
        storage.published.fill_folder(folder, version_key(version))
        if not _is_whole(storage, version, sha256):
            raise PublishError(f"Version {version} differs from its bundle.", "Publish again.")


def _is_whole(storage: Storage, version: str, sha256: str) -> bool:
    with storage.scratch() as scratch:
        try:
            copy = storage.published.fetch_folder(version_key(version), scratch)
            verified(copy)
        except (StorageError, BundleError):
            return False
        return manifest_sha256(copy) == sha256
