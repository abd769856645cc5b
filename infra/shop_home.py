"""The home of a shop remembers what belongs to it, so that the next command needs no options."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from infra.places import MLFLOW
from infra.private_files import read_private, write_private
from infra.settings import PREFIX, Settings, load_settings
from infra.stores.local_store import LocalStore

_SECRET = f"{PREFIX}USER_KEY_SECRET"
_ONLY_A_BACKUP = (
    "Restore it from a backup, for with a new secret every user is a stranger to the models."
)


def home_folder() -> Path:
    """Return the home that CATWALK_HOME names; asked for before the other settings can be read."""
    default = str(Settings.model_fields["home"].default)
    return Path(os.environ.get(f"{PREFIX}HOME", default)).expanduser().resolve()


def open_home(chosen: Mapping[str, str] | None = None) -> Settings:
    """Read the settings of a shop and create its folders.

    What the environment says wins, then `chosen`, then what the home remembers. The secret under
    which user ids become keys is made once and kept, for with another one every user is new.

    Parameters
    ----------
    chosen : mapping, optional
        CATWALK_ variables to use and to remember in HOME/settings.json.

    Raises
    ------
    SettingsError
        A setting, or a file of the home, cannot be read.
    """
    home = home_folder()
    remembered = read_private(home / "settings.json") | dict(chosen or {})
    if chosen:
        write_private(home / "settings.json", remembered)
    for variable, value in (remembered | _user_key_secret(home)).items():
        os.environ.setdefault(variable, value)
    settings = load_settings()
    ensure_home(settings)
    return settings


def is_remembered(chosen: Mapping[str, str]) -> bool:
    """Tell whether the home was opened with these variables before."""
    remembered = read_private(home_folder() / "settings.json")
    return remembered | dict(chosen) == remembered


def _user_key_secret(home: Path) -> dict[str, str]:
    if _SECRET in os.environ:
        return {}
    file = home / "secrets.json"
    remembered = read_private(file, _ONLY_A_BACKUP)
    if _SECRET not in remembered:
        remembered |= {_SECRET: secrets.token_urlsafe(32)}
        write_private(file, remembered)
    return {_SECRET: remembered[_SECRET]}


def ensure_home(settings: Settings) -> None:
    """Create the local folders of a shop; buckets are not ours to create."""
    for place in (settings.landing, settings.lake, settings.published, settings.reports):
        if "://" not in place:
            LocalStore(Path(place)).root.mkdir(parents=True, exist_ok=True)
    (settings.home / MLFLOW).mkdir(parents=True, exist_ok=True)
