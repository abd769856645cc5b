"""Refuses a version whose keys were made under another secret: a server would know nobody in it."""

from __future__ import annotations

import json
from pathlib import Path

from infra.errors import CatwalkError, SettingsError
from infra.ledger.live_pointer import live
from infra.person_keys import fingerprint
from infra.places import version_key
from infra.settings import PREFIX, Settings
from infra.storage import Storage
from infra.stores.object_store import MANIFEST
from models.bundle_layout import KEYS

SECRET = f"{PREFIX}USER_KEY_SECRET"


def require_own_keys_live(storage: Storage) -> None:
    """Look at what is live before a server starts; a published folder that is away has no say.

    A home that was never used before makes a secret of its own, and that is always another one.

    Raises
    ------
    SettingsError
        Its keys were made under another secret.
    """
    try:
        record = live(storage)
        if record is None:
            return
        manifest = storage.published.read(f"{version_key(record.version)}/{MANIFEST}")
        made_with = _secret_of(manifest)
    except (CatwalkError, ValueError, LookupError):
        return  # it is away or damaged: the workers look again before they answer from it
    _require_same(made_with, record.version, storage.settings)


def require_own_keys(folder: Path, settings: Settings) -> None:
    """Look at an unpacked version before it answers; raises as `require_own_keys_live` does."""
    _require_same(_secret_of((folder / MANIFEST).read_bytes()), folder.name, settings)


def _secret_of(manifest: bytes) -> str | None:
    """Return the fingerprint; None for a version of an earlier Catwalk, which does not say it."""
    made_with: str | None = json.loads(manifest)["facts"].get(KEYS)
    return made_with


def _require_same(made_with: str | None, version: str, settings: Settings) -> None:
    if made_with not in (None, fingerprint(settings.user_key_secret.get_secret_value())):
        raise SettingsError(
            f"{version} holds the keys of customers under another secret than this server has, "
            "so all of them would be strangers.",
            f"Set {SECRET} to that of the installation that publishes: its own, or the one in its "
            "secrets.json.",
        )
