"""A disk that is soon full, a shop that ingested before, and one of another kind."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from infra.storage import Storage
from tests.conftest import shop_at
from tests.jobs.shop_files import FIRST, WEBSHOP, ingest, land


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let `make soak-ingest` kill more often than the suite has time for."""
    parser.addoption("--kills", type=int, default=0, help="soak: so many kills of ingestion")


@pytest.fixture
def small_disk() -> Iterator[Callable[[Path], None]]:
    """Return a function that puts a disk of 64 kB under a folder; root alone may mount."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    mounted: list[Path] = []

    def mount(folder: Path) -> None:
        command = ["mount", "-t", "tmpfs", "-o", "size=64k", "catwalk-test", str(folder)]
        if subprocess.run(command, check=False, capture_output=True).returncode != 0:
            pytest.skip("this machine lets nobody mount a small disk")
        mounted.append(folder)

    yield mount
    for folder in mounted:
        # lazy: Spark may hold a file of it open for some moments more
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture(scope="session")
def ingested_once(spark: object, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the home of a shop that ingested `FIRST`; what it left is kept beside it."""
    home = tmp_path_factory.mktemp("ingested") / "shop"
    with pytest.MonkeyPatch.context() as patch:
        shop = shop_at(home, patch)
        land(shop, FIRST)
        assert ingest(shop)["clean"] == len(FIRST)
    shutil.copytree(home, home.with_name("kept"))
    return home


@pytest.fixture
def ingested(ingested_once: Path, monkeypatch: pytest.MonkeyPatch) -> Storage:
    """Return a shop that ingested `FIRST` before, always at the address its checkpoint names."""
    shutil.rmtree(ingested_once)
    shutil.copytree(ingested_once.with_name("kept"), ingested_once)
    return shop_at(ingested_once, monkeypatch)


@pytest.fixture
def webshop(shop: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Storage:
    """Return a shop whose one source is a CSV with German headers, semicolons and commas."""
    file = tmp_path / "sources.yaml"
    file.write_text(WEBSHOP)
    monkeypatch.setenv("CATWALK_SOURCES", "webshop")
    monkeypatch.setenv("CATWALK_SOURCES_FILE", str(file))
    return shop
