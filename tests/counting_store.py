"""A store that does what another does, and counts what it is asked as a service would bill it."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil
from typing import Any

from infra.lake import Lake
from infra.storage import Storage
from infra.stores.object_store import ObjectStore

_PAGE = 1000  # keys that one request lists
_LISTINGS = {"list", "stamps"}
_ASKS_NOTHING = {"arrow_files"}  # it only opens a client


class CountingStore:
    """A store that notes every request: the method and its key, a listing once per page."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self.requests: list[tuple[str, str]] = []

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._store, name)
        is_request = callable(found) and name not in _ASKS_NOTHING
        return self._counted(name, found) if is_request else found

    def _counted(self, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        def ask(*args: Any, **kwargs: Any) -> Any:
            self.requests.append((name, str(args[0]) if args else ""))
            answer = method(*args, **kwargs)
            if name in _LISTINGS:
                pages = ceil(len(answer) / _PAGE)
                self.requests += [(name, args[0])] * (pages - 1)
            return answer

        return ask

    def about(self, name: str) -> list[tuple[str, str]]:
        """Return the requests whose key names something."""
        return [request for request in self.requests if name in request[1]]


def count_requests(shop: Storage) -> CountingStore:
    """Let the lake and the reports of a shop note every request, in one list."""
    lake, reports = CountingStore(shop.lake.store), CountingStore(shop.reports)
    reports.requests = lake.requests
    shop.lake, shop.reports = Lake(lake), reports
    return lake
