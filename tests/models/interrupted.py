"""Publishing that dies, or meets somebody else, at any moment."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from typing import Any

from infra.errors import PublishError
from infra.ledger.live_pointer import live
from infra.places import version_key
from infra.records.release import PublishRecord
from infra.storage import Storage
from models.bundle.bundle import open_bundle
from models.bundle_layout import manifest_sha256
from models.publishing.publish import publish
from tests.models.conftest import (
    RUN,
)

OTHER = "run=other"


class KilledError(Exception):
    """The process died here."""


class MortalStore:
    """A store, or a client, that dies before or after one of its operations."""

    def __init__(self, inner: Any, die: Callable[[str], object]) -> None:
        self._inner, self._die = inner, die

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if not callable(found):
            return found

        def call(*arguments: Any, **more: Any) -> Any:
            self._die(f"before {name}")
            answer = found(*arguments, **more)
            self._die(f"after {name}")
            return answer

        return call


def dying(shop: Storage, moment: int) -> Storage:
    """Return the same shop, whose storage ends everything at the given moment."""
    passed = itertools.count()

    def die(where: str) -> None:
        if next(passed) == moment:
            raise KilledError(where)

    return mortal(shop, die)


def mortal(shop: Storage, die: Callable[[str], object]) -> Storage:
    """Return the same shop, whose storage tells before and after whatever it does."""
    storage = Storage(shop.settings)
    storage.lake.store = MortalStore(storage.lake.store, die)  # type: ignore[assignment]
    storage.published = MortalStore(storage.published, die)  # type: ignore[assignment]
    storage.reports = MortalStore(storage.reports, die)  # type: ignore[assignment]
    return storage


def once_at(shop: Storage, moment: int, step: Callable[[], object]) -> Storage:
    """Return the same shop, where something else happens once, beside what is published."""
    passed, late = itertools.count(), Storage(shop.settings)
    first = MortalStore(late.published, lambda _: next(passed) == moment and step())
    late.published = first  # type: ignore[assignment]
    return late


def meanwhile(shop: Storage, step: Callable[[], object]) -> Storage:
    """Return the same shop, where something else happens right before its pointer is created."""
    late = Storage(shop.settings)
    create = late.published.create

    def after_it(key: str, content: bytes) -> None:
        if key.startswith("live/"):
            step()
        create(key, content)

    late.published.create = after_it  # type: ignore[method-assign]
    return late


def is_whole(shop: Storage, record: PublishRecord) -> bool:
    with shop.scratch() as scratch:
        folder = shop.published.fetch_folder(version_key(record.version), scratch)
        open_bundle(folder)
        return manifest_sha256(folder) == record.manifest_sha256


def one_of_two_is_first(shop: Storage) -> None:
    """Let two runs create their pointers at the same moment."""
    together = threading.Barrier(2)
    answers: list[PublishRecord | PublishError] = []

    def go(run: str) -> None:
        try:
            answers.append(publish(meanwhile(shop, lambda: together.wait(timeout=20)), run))
        except PublishError as error:
            answers.append(error)

    threads = [threading.Thread(target=go, args=(run,)) for run in (RUN, OTHER)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    won = [answer for answer in answers if isinstance(answer, PublishRecord)]
    lost = [answer for answer in answers if isinstance(answer, PublishError)]
    assert len(won) == len(lost) == 1 and "first with pointer 1" in str(lost[0])
    assert live(shop) == won[0] and is_whole(shop, won[0])
