"""Reads the arrays of a model; a missing one, or one of another shape, is a `BundleError`."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from infra.errors import BundleError


def load_arrays(file: Path, names: Iterable[str], cure: str = "Train again.") -> dict[str, Any]:
    """Read named arrays of an `.npz` file.

    A *folder* of that name holds `NAME.npy`, which are mapped and not read: the processes of a
    machine share one copy. (`np.load` maps nothing of an `.npz` file, whatever it is told.)

    Raises
    ------
    BundleError
        The file is missing, cut off or needs pickle, or lacks an array.
    """
    try:
        if file.is_dir():
            return {name: _mapped(file / f"{name}.npy") for name in names}
        with np.load(file, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in names}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise BundleError(f"{file} cannot be read: {error}.", cure) from error


def has_array(file: Path, name: str) -> bool:
    """Tell whether a file that `load_arrays` reads has an array of a name."""
    if file.is_dir():
        return (file / f"{name}.npy").exists()
    with zipfile.ZipFile(file) as members:
        return f"{name}.npy" in members.namelist()


def _mapped(file: Path) -> Any:
    """Return a read-only array whose memory is the file; an empty one cannot be mapped."""
    mapped = np.load(file, mmap_mode="r", allow_pickle=False)
    return np.asarray(mapped)


def require_shapes(
    file: Path, arrays: Mapping[str, Any], shapes: Mapping[str, tuple[int, ...]]
) -> None:
    """Raise `BundleError` that names the first array of a wrong shape."""
    for name, shape in shapes.items():
        if arrays[name].shape != shape:
            raise BundleError(f"{file}: the array '{name}' is not {shape}.", "Train again.")
