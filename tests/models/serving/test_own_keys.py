"""A server that would know nobody does not start, and does not answer from such a version."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from infra.person_keys import fingerprint
from infra.storage import Storage
from models.serving.following.live import LiveFollower
from models.serving.following.remembered import Remembered
from models.serving.following.state import State
from models.serving.home import known
from models.serving.metrics import Metrics
from tests.house import REPOSITORY
from tests.models.serving.conftest import publish_first
from tests.models.serving.running import publish_another


def test_a_fresh_home_does_not_start_with_a_secret_of_its_own(
    shop: Storage, tmp_path: Path
) -> None:
    publish_first(shop)
    fresh = {"CATWALK_HOME": str(tmp_path / "replica")}
    environment = os.environ | fresh | {"CATWALK_PUBLISHED": shop.published.address}
    del environment["CATWALK_USER_KEY_SECRET"]
    done = subprocess.run(
        [sys.executable, "-m", "models.serving.serve"],
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 1
    assert "under another secret" in done.stderr
    assert "Set CATWALK_USER_KEY_SECRET" in done.stderr
    assert "Token" not in done.stdout


def test_a_version_of_another_secret_is_refused(
    shop: Storage, caplog: pytest.LogCaptureFixture
) -> None:
    first, state = publish_first(shop), State()
    follow = LiveFollower(shop, state, Remembered(known(shop.settings)), Metrics())
    follow.look()
    foreign = publish_another(shop, "foreign", keys=fingerprint("the secret of another shop"))
    follow.look()
    assert state.version and state.version.name == first.version
    assert state.refused == foreign.version
    assert "Set CATWALK_USER_KEY_SECRET" in caplog.text
