"""The live pointer is followed; whatever fails, what answered before goes on."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from infra.storage import Storage
from models.serving.following.live import LiveFollower
from models.serving.following.remembered import Remembered
from models.serving.following.state import State
from models.serving.home import known, unpacked
from models.serving.metrics import Metrics
from tests.models.serving.conftest import publish_first
from tests.models.serving.running import point_back, publish_another


def follower(shop: Storage) -> tuple[LiveFollower, State, Metrics]:
    state, metrics = State(), Metrics()
    return LiveFollower(shop, state, Remembered(known(shop.settings)), metrics), state, metrics


def answering(state: State) -> str:
    return state.version.name if state.version else ""


def test_a_new_version_answers_and_a_roll_back_too(shop: Storage) -> None:
    follow, state, metrics = follower(shop)
    follow.look()
    assert state.version is None  # nothing is published yet
    first = publish_first(shop)
    follow.look()
    assert answering(state) == first.version
    second = publish_another(shop, "second")
    follow.look()
    assert answering(state) == second.version
    point_back(shop, first)
    follow.look()
    assert answering(state) == first.version
    assert state.pointer
    assert state.pointer.number == 3
    assert metrics.registry.get_sample_value("catwalk_swaps_total") == 3
    assert metrics.registry.get_sample_value("catwalk_pointer") == 3


def test_a_version_that_was_changed_is_refused_and_said(
    shop: Storage, caplog: pytest.LogCaptureFixture
) -> None:
    first = publish_first(shop)
    follow, state, metrics = follower(shop)
    follow.look()
    bad = publish_another(shop, "bad", broken=True)
    for _ in range(3):
        follow.look()
    assert answering(state) == first.version
    assert state.refused == bad.version
    assert metrics.registry.get_sample_value("catwalk_refused_versions_total") == 1
    assert caplog.text.count("is refused: ") == 1
    assert "not what its manifest says" in caplog.text
    point_back(shop, first)
    follow.look()
    assert state.refused == ""


def test_what_is_rolled_back_while_it_is_unpacked_never_answers(
    shop: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = publish_first(shop)
    follow, state, metrics = follower(shop)
    follow.look()
    second, run = publish_another(shop, "second"), subprocess.run

    def slow(*command: Any, **options: Any) -> Any:
        point_back(shop, first)
        return run(*command, **options)

    with monkeypatch.context() as patch:
        patch.setattr(subprocess, "run", slow)
        follow.look()
    assert unpacked(shop.settings, second.version).is_dir()
    assert answering(state) == first.version
    follow.look()
    assert state.pointer
    assert (answering(state), state.pointer.number) == (first.version, 3)
    assert metrics.registry.get_sample_value("catwalk_swaps_total") == 2


def test_a_version_that_is_gone_and_a_pointer_that_is_damaged_change_nothing(
    shop: Storage,
) -> None:
    first = publish_first(shop)
    follow, state, _ = follower(shop)
    follow.look()
    gone = publish_another(shop, "gone")
    shop.published.delete_folder(f"versions/{gone.version}")
    follow.look()
    assert answering(state) == first.version
    assert state.refused == gone.version
    shop.published.write("live/0000000003.json", b"{")
    follow.look()
    assert answering(state) == first.version


def test_a_version_that_opens_and_does_not_answer_is_refused(shop: Storage) -> None:
    first = publish_first(shop)
    follow, state, _ = follower(shop)
    follow.look()
    second = publish_another(shop, "second")
    folder = unpacked(shop.settings, second.version)
    folder.mkdir()  # as if it were unpacked; it holds nothing
    follow.look()
    assert answering(state) == first.version
    assert state.refused == second.version


def test_a_restart_needs_no_storage(shop: Storage) -> None:
    publish_first(shop)
    follower(shop)[0].look()
    published = Path(shop.published.address)
    published.rename(published.with_name("away"))
    follow, state, _ = follower(shop)
    follow.start()
    assert answering(state)
    state.looked -= 100
    published.write_text("no folder")
    follow.look()
    assert state.behind > 99  # /health/ready says so
    assert answering(state)
