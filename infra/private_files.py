"""Small JSON files that only their owner may read: passwords and keys, made once."""

from __future__ import annotations

import json
import os
import stat
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


def make_private_folder(folder: Path) -> None:
    """Let only the owner use a folder and what is below it; it is made if it is not there.

    What lies in a folder below it that is private already was made so with it, and is not looked
    at: the cost does not grow with the years.

    Raises
    ------
    OSError
        The machine refused.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)
    folder.chmod(0o700)  # first of all: nobody gets in any more
    for here, below, names in os.walk(folder):
        below[:] = [name for name in below if not _is_private(Path(here, name))]
        for name, mode in [*((name, 0o700) for name in below), *((name, 0o600) for name in names)]:
            if not Path(here, name).is_symlink():
                Path(here, name).chmod(mode)


def _is_private(folder: Path) -> bool:
    return stat.S_IMODE(folder.stat().st_mode) == 0o700


def write_private(file: Path, content: dict[str, str]) -> None:
    """Replace the file in one step; it is never readable for others, not even for a moment.

    Raises
    ------
    OSError
        The machine refused; the error names the file even where a full disk's own does not.
    """
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    aside = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as stream:
            json.dump(content, stream, indent=1)
        aside.replace(file)
    except OSError as error:
        aside.unlink(missing_ok=True)
        raise OSError(error.errno, error.strerror, str(file)) from error
