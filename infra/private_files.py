"""Small JSON files that only their owner may read: passwords and keys, made once."""

from __future__ import annotations

import json
import os
from pathlib import Path

from infra.errors import SettingsError

_RENEWED = "Restore it, or delete it to get a new one."


def read_private(file: Path, cure: str = _RENEWED) -> dict[str, str]:
    """Return the content; empty where there is no file. `cure` is for one that is damaged.

    Raises
    ------
    SettingsError
        The file is not a JSON object of texts.
    """
    if not file.exists():
        return {}
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SettingsError(f"{file} cannot be read.", cure) from error
    if not isinstance(content, dict) or not all(isinstance(text, str) for text in content.values()):
        raise SettingsError(f"{file} cannot be read.", cure)
    return content


def write_private(file: Path, content: dict[str, str]) -> None:
    """Replace the file in one step; it is never readable for others, not even for a moment.

    Raises
    ------
    OSError
        The machine refused; the error names the file even where a full disk's own does not.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    aside = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as stream:
            json.dump(content, stream, indent=1)
        aside.replace(file)
    except OSError as error:
        aside.unlink(missing_ok=True)
        raise OSError(error.errno, error.strerror, str(file)) from error
