"""What leads to a bundle takes seconds: a second test that starts from equal files copies it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from infra.storage import Storage
from infra.stores.object_store import ObjectStore

Answer = TypeVar("Answer")
Files = dict[str, bytes]

_KEPT: dict[str, tuple[Any, list[Files]]] = {}  # what was returned and left, by what was there


def once(shop: Storage, given: tuple[object, ...], work: Callable[[], Answer]) -> Answer:
    """Do the work, or copy what it left in an equal shop before.

    A shop is equal if all its files are, the kinds of its stores, and its settings but for where
    things stand. Work that writes down an address of its shop, or removes a file, is done each
    time.
    """
    stores = (shop.lake.store, shop.published, shop.reports)
    before = [_files(store) for store in stores]
    key = _digest(shop, given, stores, before)
    if key in _KEPT:
        answer, after = _KEPT[key]
        for store, files in zip(stores, after, strict=True):
            for name, content in files.items():
                store.write(name, content)
        return answer  # type: ignore[no-any-return]
    answer = work()
    after = [_files(store) for store in stores]
    addresses = (str(shop.settings.home), *(store.address for store in stores))
    contents = [repr(answer).encode(), *(content for files in after for content in files.values())]
    told = any(address.encode() in content for address in addresses for content in contents)
    if not told and all(was.keys() <= now.keys() for was, now in zip(before, after, strict=True)):
        _KEPT[key] = answer, after
    return answer


def _digest(
    shop: Storage, given: tuple[object, ...], stores: Sequence[ObjectStore], found: list[Files]
) -> str:
    where = {"home", "landing", "lake", "published", "reports", "mlflow_uri", "s3_endpoint"}
    kinds = [type(store).__name__ for store in stores]
    said = repr((given, shop.settings.model_dump_json(exclude=where), kinds))
    digest = hashlib.sha256(said.encode())
    for place, files in enumerate(found):
        for name, content in sorted(files.items()):
            digest.update(f"{place}/{name}".encode())
            digest.update(hashlib.sha256(content).digest())
    return digest.hexdigest()


def _files(store: ObjectStore) -> Files:
    return {key: store.read(key) for key in store.list("")}
