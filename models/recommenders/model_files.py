"""Checking the parameters of models before anything is trained; every error names the parameter."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from infra.errors import BundleError, SettingsError

FILE = "parameters.json"
Model = TypeVar("Model")


def save_parameters(folder: Path, parameters: dict[str, Any]) -> None:
    """Write `parameters.json`; equal parameters give equal bytes."""
    (folder / FILE).write_text(json.dumps(parameters, indent=1, sort_keys=True), encoding="utf-8")


def load_parameters(folder: Path, make: Callable[..., Model]) -> Model:
    """Make an unfitted model with what `save_parameters` wrote; `BundleError` if it cannot be."""
    try:
        return make(**json.loads((folder / FILE).read_bytes()))
    except (OSError, ValueError, TypeError, SettingsError) as error:
        raise BundleError(f"{folder / FILE} cannot be read.", "Train again.") from error


def whole(name: str, value: int, least: int, most: int) -> int:
    """Return a whole number in its range; raise `SettingsError` otherwise."""
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise SettingsError(
            f"The parameter {name} is {value!r}.", f"Choose a whole number from {least} to {most}."
        )
    return value


def real(name: str, value: float, least: float, most: float) -> float:
    """Return a number in its range; raise `SettingsError` otherwise."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not least <= value <= most:
        raise SettingsError(
            f"The parameter {name} is {value!r}.", f"Choose a number from {least:g} to {most:g}."
        )
    return float(value)


def one_of(name: str, value: str, choices: tuple[str, ...]) -> str:
    """Return one of the choices; raise `SettingsError` otherwise."""
    if value not in choices:
        raise SettingsError(
            f"The parameter {name} is {value!r}.", f"Choose one of {', '.join(choices)}."
        )
    return value


def load_arrays(file: Path, names: Iterable[str]) -> dict[str, Any]:
    """Read named arrays of an `.npz` file.

    Raises
    ------
    BundleError
        The file is missing, cut off or needs pickle, or lacks an array.
    """
    try:
        with np.load(file, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in names}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise BundleError(f"{file} cannot be read: {error}.", "Train again.") from error


def require_shapes(
    file: Path, arrays: Mapping[str, Any], shapes: Mapping[str, tuple[int, ...]]
) -> None:
    """Raise `BundleError` that names the first array whose shape is another."""
    for name, shape in shapes.items():
        if arrays[name].shape != shape:
            raise BundleError(f"{file}: the array '{name}' is not {shape}.", "Train again.")
