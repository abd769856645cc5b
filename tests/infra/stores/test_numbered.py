"""Numbered objects: of several writers each gets a number of its own, and readers go on."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from infra.errors import StorageError
from infra.stores.local_store import LocalStore
from infra.stores.numbered import after, append, key, numbers
from infra.stores.object_store import AlreadyExistsError


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path)


def test_writers_at_the_same_moment_get_numbers_without_a_gap(store: LocalStore) -> None:
    together = threading.Barrier(6)

    def write() -> None:
        together.wait(timeout=10)
        for _ in range(5):
            append(store, "of", lambda number: str(number).encode())

    threads = [threading.Thread(target=write) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert numbers(store, "of") == list(range(1, 31))
    assert dict(after(store, "of", 0)) == {n: str(n).encode() for n in range(1, 31)}


def test_a_reader_goes_on_from_its_number(store: LocalStore) -> None:
    for content in (b"a", b"b", b"c"):
        append(store, "of", lambda _, content=content: content)  # type: ignore[misc]
    assert list(after(store, "of", 1)) == [(2, b"b"), (3, b"c")]
    assert list(after(store, "of", 3)) == list(after(store, "other", 0)) == []


def test_who_has_nothing_to_add_gets_the_number_before(store: LocalStore) -> None:
    assert append(store, "of", lambda _: None) == 0
    assert append(store, "of", lambda _: b"a") == 1
    assert append(store, "of", lambda _: None) == 1
    assert numbers(store, "of") == [1]


def test_a_writer_that_never_wins_gives_up(store: LocalStore) -> None:
    class Crowded(LocalStore):
        def create(self, key: str, content: bytes) -> None:
            raise AlreadyExistsError(key)

    with pytest.raises(StorageError, match="/of at once"):
        append(Crowded(store.root), "of", lambda _: b"a")


def test_a_deleted_object_is_gone_and_its_neighbours_stay(store: LocalStore) -> None:
    for _ in range(3):
        append(store, "of", lambda _: b"a")
    store.delete(key("of", 2))
    store.delete(key("of", 9))
    assert numbers(store, "of") == [1, 3]
    assert append(store, "of", lambda _: b"a") == 4
