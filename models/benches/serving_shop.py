"""A shop with two published versions of random likes, for measuring the server."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from infra.ledger.live_pointer import live, point
from infra.person_keys import PersonKeys
from infra.places import version_key
from infra.records.release import PublishRecord
from infra.settings import PREFIX
from infra.shop_home import home_folder, open_home
from infra.storage import Storage
from models.benches.serving_bundle import write_bundle
from models.bundle_layout import manifest_sha256, version_of


@contextmanager
def home_of_its_own() -> Iterator[None]:
    """Let CATWALK_HOME name an empty folder below the one it names, which is gone afterwards.

    Each measurement leaves a gigabyte of answers and events that nobody reads.
    """
    above = home_folder()
    above.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=above) as home:
        os.environ[f"{PREFIX}HOME"] = home
        yield


@dataclass(frozen=True)
class BenchShop:
    """A shop, its users by their own ids, and its versions.

    Attributes
    ----------
    versions : tuple of str
        Two of the same size.
    """

    storage: Storage
    users: list[str]
    items: int
    versions: tuple[str, ...]

    @classmethod
    def prepared(cls, kind: str, users: int, items: int) -> BenchShop:
        """Publish two versions in the home that CATWALK_HOME names; the first one is live."""
        storage = Storage(open_home())
        names = [f"user{number:06d}" for number in range(users)]
        keys = PersonKeys(storage.settings.user_key_secret.get_secret_value())
        of_users = sorted(keys.of_user(name) for name in names)
        versions = []
        for seed in (1, 2):
            with storage.scratch() as scratch:
                bundle = scratch / "bundle"
                write_bundle(bundle, kind, of_users, items, seed)
                versions.append(version_of(bundle))
                storage.published.put_folder(bundle, version_key(versions[-1]))
        shop = cls(storage, names, items, tuple(versions))
        shop.go_live(0)
        return shop

    @property
    def home(self) -> Path:
        """The folder of the shop."""
        return self.storage.settings.home

    def go_live(self, place: int) -> int:
        """Let the pointer name one of the versions, and return which."""
        before, version = live(self.storage), self.versions[place]
        folder = self.storage.published.fetch_folder(version_key(version), self.home)
        record = PublishRecord(
            run="bench",
            at=datetime.now(UTC),
            number=before.number + 1 if before else 1,
            version=version,
            manifest_sha256=manifest_sha256(folder),
            candidate="bench",
            previous=before.version if before else None,
        )
        point(self.storage, record)
        return place
