"""The home of a shop remembers what belongs to it, so that the next command needs no options."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from infra.belonging import SECRET, require_no_keys
from infra.errors import CatwalkError
from infra.places import MLFLOW
from infra.private_files import read_private, write_private
from infra.settings import PREFIX, Settings, load_settings
from infra.storage import Storage
from infra.stores.local_store import LocalStore

_SHOP = f"{PREFIX}SHOP"
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
    which user ids become keys is made once and kept, for with another one every user is new; so is
    the name of the shop, for a home may be moved.

    Parameters
    ----------
    chosen : mapping, optional
        CATWALK_ variables to use and to remember in HOME/settings.json.

    Raises
    ------
    SettingsError
        A setting, or a file of the home, cannot be read; or the secret of the keys that its lake
        holds is gone.
    """
    home = home_folder()
    kept = read_private(home / "settings.json")
    remembered = {_SHOP: home.name} | kept | dict(chosen or {})
    if remembered != kept:
        write_private(home / "settings.json", remembered)
    for variable, value in remembered.items():
        os.environ.setdefault(variable, value)
    is_new = _give_secret(home / "secrets.json")
    settings = load_settings()
    ensure_home(settings)
    if is_new:
        _keep_new_secret(settings, home / "secrets.json")
    return settings


def is_remembered(chosen: Mapping[str, str]) -> bool:
    """Tell whether the home was opened with these variables before."""
    remembered = read_private(home_folder() / "settings.json")
    return remembered | dict(chosen) == remembered


def _give_secret(file: Path) -> bool:
    """Put the secret of the keys into the environment; tell whether it was made just now."""
    if SECRET in os.environ:
        return False
    kept = read_private(file, _ONLY_A_BACKUP).get(SECRET)
    os.environ[SECRET] = kept or secrets.token_urlsafe(32)
    return kept is None


def _keep_new_secret(settings: Settings, file: Path) -> None:
    """Keep a new secret, unless the lake holds keys that were made under one that is gone."""
    try:
        require_no_keys(Storage(settings))
    except CatwalkError:
        del os.environ[SECRET]
        raise
    write_private(file, read_private(file) | {SECRET: settings.user_key_secret.get_secret_value()})


def ensure_home(settings: Settings) -> None:
    """Create the local folders of a shop, for its owner alone; buckets are not ours to create."""
    settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    if settings.home.stat().st_uid == os.getuid():
        settings.home.chmod(0o700)  # it may be of an earlier Catwalk
    for place in (settings.landing, settings.lake, settings.published, settings.reports):
        if "://" not in place:
            LocalStore(Path(place)).root.mkdir(parents=True, exist_ok=True)
    (settings.home / MLFLOW).mkdir(parents=True, exist_ok=True)
