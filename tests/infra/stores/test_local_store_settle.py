"""A partition counts as written once its files outlive a power cut."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from infra.storage import Storage
from infra.stores.object_store import MANIFEST


def test_the_files_of_a_partition_are_on_the_disk_before_its_manifest_is_seen(
    shop: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(shop.lake.begin("events", "batch=shop-000000"))
    (folder / "part").mkdir(parents=True)
    (folder / "part/0.parquet").write_bytes(b"x")
    synced: list[str] = []

    def sync(number: int) -> None:
        assert not (folder / MANIFEST).exists() or synced
        synced.append(str(Path(f"/proc/self/fd/{number}").readlink()))

    monkeypatch.setattr(os, "fsync", sync)
    shop.lake.commit("events", "batch=shop-000000", {})
    before = synced[: next(n for n, name in enumerate(synced) if MANIFEST in name)]
    expected = {folder / "part/0.parquet", folder / "part", folder, folder.parent}
    assert {Path(name) for name in before} == expected
