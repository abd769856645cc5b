"""What every test shares: one Spark session, and a shop of its own per test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.settings import load_settings
from infra.storage import Storage, ensure_home

REPOSITORY = Path(__file__).parent.parent
SECRET = "a secret of sixteen characters or more"


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Storage:
    """Return the places of an empty shop; the settings in the environment point to it."""
    monkeypatch.setenv("CATWALK_HOME", str(tmp_path / "shop"))
    monkeypatch.setenv("CATWALK_USER_KEY_SECRET", SECRET)
    monkeypatch.setenv("CATWALK_HOLDOUT_DAYS", "3")
    settings = load_settings()
    ensure_home(settings)
    return Storage(settings)


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[object]:
    """Return the one Spark session of the whole test run: a JVM costs seconds."""
    from infra import spark as spark_session

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CATWALK_HOME", str(tmp_path_factory.mktemp("spark")))
        patch.setenv("CATWALK_USER_KEY_SECRET", SECRET)
        patch.setenv("CATWALK_SPARK_JAVA_OPTIONS", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC")
        session = spark_session.start_local(load_settings())
    yield session
    session.stop()
