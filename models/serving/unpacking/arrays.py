"""Turns the array files of a bundle into folders of arrays that can be mapped."""

from __future__ import annotations

import os
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from infra.errors import BundleError
from infra.stores.object_store import MANIFEST
from models.bundle_layout import CARD, MODEL

COLUMN_WISE = {"item_vectors.npy"}  # a product with all of them is three times as fast
CURE = "Build the bundle again."


def unpack_files(source: Path, target: Path) -> None:
    """Write what a server reads of a bundle: of `X.npz` a folder `X.npz` with an `.npy` per array.

    Raises
    ------
    BundleError
        A file holds something else than arrays.
    """
    for file in served_files(source):
        place = target / file.relative_to(source)
        place.parent.mkdir(parents=True, exist_ok=True)
        if file.suffix == ".npz":
            unpack_arrays(file, place)
        else:
            shutil.copyfile(file, place)


def served_files(bundle: Path) -> Iterator[Path]:
    """Give the files of a bundle that a server reads."""
    yield from (bundle / name for name in (MANIFEST, CARD))
    yield from sorted(bundle.glob("*.npz"))
    yield from sorted(path for path in (bundle / MODEL).rglob("*") if path.is_file())


def settle(folder: Path) -> None:
    """Bring every file below a folder to the disk, so that no power cut leaves it empty."""
    for path in sorted(folder.rglob("*")):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def unpack_arrays(file: Path, folder: Path) -> None:
    """Write every array of a file to a folder of its own; raise `BundleError` if it has none."""
    folder.mkdir()
    try:
        with zipfile.ZipFile(file) as arrays:
            for name in arrays.namelist():
                if Path(name).name != name or not name.endswith(".npy"):
                    raise BundleError(f"{file} holds '{name}', which is no array.", CURE)
                with arrays.open(name) as packed, (folder / name).open("xb") as unpacked:
                    shutil.copyfileobj(packed, unpacked, 1024**2)
                if name in COLUMN_WISE:
                    _turn(folder / name)
    except (ValueError, zipfile.BadZipFile) as error:
        raise BundleError(f"{file} cannot be read: {error}.", CURE) from error


def _turn(file: Path) -> None:
    """Store an array column by column; it stays the same array."""
    array = np.load(file, allow_pickle=False)
    np.save(file, np.asfortranarray(array), allow_pickle=False)
