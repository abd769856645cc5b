"""Writes a manifest of a folder, the sha256 and size of each file, and checks folders by it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path, PurePosixPath

from pydantic import Field, NonNegativeInt, ValidationError

from infra.errors import BundleError
from infra.rules import Strict, describe
from infra.stores.object_store import MANIFEST

FORMAT_VERSION = 1
MAX_FILE_BYTES = 1024**4  # 100 times the histories of a billion pairs; more is no model
MAX_MANIFEST_BYTES = 4 * 1024**2
CURE = "Do not use it; build it again, or fetch it again if it was copied."


class FileDigest(Strict):
    """One file: its content's hash and its size in bytes."""

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    bytes: NonNegativeInt


class FolderManifest(Strict):
    """The files of a folder by relative path, and what is said of them."""

    format_version: int
    facts: dict[str, str]
    files: dict[str, FileDigest]

    def model_sha256(self, below: str = "", without: str = "") -> str:
        """Hash names and hashes of the files below a prefix: the same model, the same digest.

        `without` leaves one file out, such as the one that tells how long the training took.
        """
        listing = {
            name.removeprefix(below): digest.sha256
            for name, digest in self.files.items()
            if name.startswith(below) and name != f"{below}{without}"
        }
        return hashlib.sha256(json.dumps(listing, sort_keys=True).encode()).hexdigest()

    def total_bytes(self, below: str = "") -> int:
        """Add the sizes of the files below a prefix."""
        return sum(file.bytes for name, file in self.files.items() if name.startswith(below))


def write_manifest(folder: Path, facts: dict[str, str]) -> FolderManifest:
    """Describe every file of a folder in its `_manifest.json`; equal folders give equal bytes."""
    files = {name: digest(folder / name) for name in _names(folder)}
    manifest = FolderManifest(format_version=FORMAT_VERSION, facts=facts, files=files)
    content = json.dumps(manifest.model_dump(), indent=1, sort_keys=True)
    (folder / MANIFEST).write_text(content, encoding="utf-8")
    return manifest


def verified(folder: Path, max_file_bytes: int = MAX_FILE_BYTES) -> FolderManifest:
    """Return the manifest of a folder after checking every file against it.

    Raises
    ------
    BundleError
        The manifest is missing, unreadable or of another format version; a file is missing,
        extra, too large, of another size or content, a link or a pipe, or named outside the
        folder.
    """
    present = set(_names(folder))  # first: reading a pipe would wait forever
    manifest = _read(folder / MANIFEST)
    for name in manifest.files:
        _require_inside(folder, name)
    for name in sorted(present ^ set(manifest.files)):
        state = "is not in its manifest" if name in present else "is missing"
        raise BundleError(f"{folder / name} {state}.", CURE)
    for name, expected in manifest.files.items():
        _require_same(folder / name, expected, max_file_bytes)
    return manifest


def digest(file: Path) -> FileDigest:
    """Hash a file without holding it in memory."""
    with file.open("rb") as content:
        sha256 = hashlib.file_digest(content, "sha256").hexdigest()
    return FileDigest(sha256=sha256, bytes=file.stat().st_size)


def _read(file: Path) -> FolderManifest:
    try:
        if file.stat().st_size > MAX_MANIFEST_BYTES:
            raise BundleError(f"{file} is larger than {MAX_MANIFEST_BYTES} bytes.", CURE)
        content = json.loads(file.read_bytes())
        version = content.get("format_version") if isinstance(content, dict) else None
        if version != FORMAT_VERSION:
            raise BundleError(
                f"{file} has format version {version!r}; this Catwalk reads {FORMAT_VERSION}.",
                "Use the Catwalk that wrote it, or build it again.",
            )
        return FolderManifest.model_validate(content)
    except ValidationError as error:
        raise BundleError(f"{file} is no manifest: {describe(error)}", CURE) from error
    except (OSError, ValueError, RecursionError) as error:
        raise BundleError(f"{file} cannot be read: {error}.", CURE) from error


def _names(folder: Path) -> list[str]:
    paths = sorted(folder.rglob("*"))
    for path in paths:
        if path.is_symlink():
            raise BundleError(f"{path} is a link; a bundle holds plain files.", CURE)
        if not path.is_dir() and not path.is_file():
            raise BundleError(f"{path} is no plain file.", CURE)
    files = (path.relative_to(folder).as_posix() for path in paths if not path.is_dir())
    return [name for name in files if name != MANIFEST]


def _require_inside(folder: Path, name: str) -> None:
    path = PurePosixPath(name)
    if path.is_absolute() or "\\" in name or str(path) != name or ".." in path.parts:
        raise BundleError(f"The manifest of {folder} names '{name}', outside the folder.", CURE)


def _require_same(file: Path, expected: FileDigest, max_file_bytes: int) -> None:
    size = file.stat().st_size
    if size > max_file_bytes:
        raise BundleError(f"{file} has {size} bytes; {max_file_bytes} are allowed.", CURE)
    if size != expected.bytes or digest(file) != expected:
        raise BundleError(f"{file} is not what its manifest says: it was changed.", CURE)
