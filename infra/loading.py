"""Finds a class or a function by the name that a rules file or an argument gives it.

This is how a job calls the model it was told to score with, without importing the models.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from infra.errors import SettingsError


def load_named(name: str) -> Any:
    """Return what `package.module:attribute` names.

    Raises
    ------
    SettingsError
        There is no such module, or nothing of that name in it.
    """
    module, _, attribute = name.partition(":")
    try:
        return getattr(import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise SettingsError(
            f"'{name}' cannot be loaded: {error}.", "Write it as package.module:Name."
        ) from error
