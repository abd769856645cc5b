"""What leads to a bundle takes seconds: a second test that starts from equal files copies it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, TypeVar

from infra.storage import Storage
from infra.stores.object_store import LocalStore, ObjectStore

Answer = TypeVar("Answer")
Files = dict[str, bytes]

_KEPT: dict[str, tuple[Any, list[Files]]] = {}  # what was returned and left, by what was there


def once(shop: Storage, given: tuple[object, ...], work: Callable[[], Answer]) -> Answer:
    """Do the work, or copy what it left in an equal shop before.

    A shop is equal if all its files are, and its settings but for where things stand. Work that
    writes down an address of its shop is done each time.
    """
    stores = (shop.lake.store, shop.published, shop.reports)
    before = [_files(store) for store in stores]
    key = _digest(shop, given, before)
    if key in _KEPT:
        answer, after = _KEPT[key]
        for store, files in zip(stores, after, strict=True):
            _put(store, files)
        return answer  # type: ignore[no-any-return]
    answer = work()
    after = [_files(store) for store in stores]
    addresses = [str(shop.settings.home), *(store.address for store in stores)]
    if not any(one.encode() in content for one in addresses for content in _contents(after)):
        _KEPT[key] = answer, after
    return answer


def _digest(shop: Storage, given: tuple[object, ...], found: list[Files]) -> str:
    where = {"home", "landing", "lake", "published", "reports", "mlflow_uri", "s3_endpoint"}
    said = hashlib.sha256(repr((given, shop.settings.model_dump_json(exclude=where))).encode())
    for place, files in enumerate(found):
        for name, content in sorted(files.items()):
            said.update(f"{place}/{name}".encode())
            said.update(hashlib.sha256(content).digest())
    return said.hexdigest()


def _contents(found: list[Files]) -> list[bytes]:
    return [content for files in found for content in files.values()]


def _files(store: ObjectStore) -> Files:
    if not isinstance(store, LocalStore):
        return {key: store.read(key) for key in store.list("")}
    paths = (path for path in store.root.rglob("*") if path.is_file())
    return {path.relative_to(store.root).as_posix(): path.read_bytes() for path in paths}


def _put(store: ObjectStore, files: Files) -> None:
    for key, content in files.items():
        if not isinstance(store, LocalStore):
            store.write(key, content)
            continue
        path = store.root / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
