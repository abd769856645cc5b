"""Notes in each store whose it is: the name of the shop, and the secret its keys are made under.

The secret itself is never written, only its fingerprint. A note is written at the first use and
never changed: another shop, or the same one with another secret, is refused from then on.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Self

from pydantic import AwareDatetime

from infra.errors import SettingsError
from infra.person_keys import fingerprint
from infra.places import BELONGS_TO, CHECKPOINTS
from infra.rules import Strict, parse_json
from infra.schemas import EVENTS
from infra.settings import PREFIX, Settings
from infra.storage import Storage
from infra.stores.local_store import LocalStore
from infra.stores.object_store import AlreadyExistsError, ObjectStore, read_if_there

SECRET = f"{PREFIX}USER_KEY_SECRET"
NOTE = f"{BELONGS_TO}/shop.json"
CHECKPOINT_NOTE = f"{CHECKPOINTS}/{BELONGS_TO}.json"
_THE_SAME_SECRET = (
    f"Set {SECRET} to the secret of that time, or bring back the secrets.json of the home from a "
    "backup. To change it on purpose, begin new stores: docs/how-to/run_and_repair.md."
)


class Owner(Strict):
    """Whose a store is.

    Attributes
    ----------
    shop : str
        The name of the shop (CATWALK_SHOP).
    keys : str
        Fingerprint of the secret that keys of persons are made under.
    since : datetime
        When it was first used.
    """

    shop: str
    keys: str
    since: AwareDatetime

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return who the settings say we are."""
        made_with = fingerprint(settings.user_key_secret.get_secret_value())
        return cls(shop=settings.shop, keys=made_with, since=datetime.now(UTC))


def require_own_stores(storage: Storage) -> None:
    """Write into each store whose it is, at its first use; before anything else is read or written.

    Raises
    ------
    SettingsError
        A store belongs to another shop, or its keys were made under another secret.
    StorageError
        A bucket is open to everybody, or does not keep two writers apart.
    """
    we, notes = Owner.of(storage.settings), _notes(storage)
    owners = [_owner(store, note) for store, note in notes]
    for (store, _), owner in zip(notes, owners, strict=True):  # all, before one becomes ours
        if owner:
            _require_same(owner, we, store, storage.settings)
    for (store, note), owner in zip(notes, owners, strict=True):
        if owner is None:
            _require_same(_claimed(store, note, we), we, store, storage.settings)
        store.probe(note)


def require_no_keys(storage: Storage) -> None:
    """Refuse a new secret for a home whose lake holds keys made under an earlier one.

    Raises
    ------
    SettingsError
        The lake belongs to somebody, or holds events.
    """
    lake = storage.lake
    if lake.store.exists(NOTE) or lake.partitions(EVENTS.name):
        raise SettingsError(
            f"{lake.store.address} holds keys of persons, and the secret they were made under is "
            "not here: under another secret every customer would be a stranger.",
            _THE_SAME_SECRET,
        )


def _notes(storage: Storage) -> list[tuple[ObjectStore, str]]:
    """Return the stores of a shop with their notes; the checkpoint has one, as it may be copied."""
    lake = storage.lake.store
    ours = (lake, storage.published, storage.reports)
    return [*((store, NOTE) for store in ours), (lake, CHECKPOINT_NOTE)]


def _owner(store: ObjectStore, note: str) -> Owner | None:
    content = read_if_there(store, note)
    if content is None:
        return None
    name = f"The note {store.address}/{note}"
    return parse_json(content, Owner, name, "Restore it from a backup.", SettingsError)


def _claimed(store: ObjectStore, note: str, we: Owner) -> Owner:
    """Write our note; where somebody else was faster, return theirs."""
    try:
        store.create(note, we.model_dump_json(indent=1).encode())
    except AlreadyExistsError:
        return _owner(store, note) or we
    return we


def _require_same(owner: Owner, we: Owner, store: ObjectStore, settings: Settings) -> None:
    if owner.shop != we.shop and not _is_of_the_home(store, settings):
        raise SettingsError(
            f"{store.address} belongs to the shop '{owner.shop}', and this is '{we.shop}'.",
            "Give this shop stores of its own: CATWALK_LAKE, CATWALK_PUBLISHED, CATWALK_REPORTS. "
            f"If it is the same shop, set CATWALK_SHOP={owner.shop}.",
        )
    if owner.keys != we.keys:
        raise SettingsError(
            f"The keys in {store.address} were made under another secret (fingerprint "
            f"{owner.keys[:8]}, now {we.keys[:8]}): every customer would be a stranger.",
            _THE_SAME_SECRET,
        )


def _is_of_the_home(store: ObjectStore, settings: Settings) -> bool:
    """Tell whether a store is a folder of the home: it moves with it, whatever that is called."""
    return isinstance(store, LocalStore) and store.root.is_relative_to(settings.home)
