"""A disk that is full takes no events, says so, and keeps nobody from an answer."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import httpx

from infra.storage import Storage
from models.serving import home
from tests.models.serving.conftest import publish_first
from tests.models.serving.running import Running, eventually, running


def test_a_full_disk_refuses_events_and_costs_no_answer(
    shop: Storage, small_disk: Path, tmp_path: Path
) -> None:
    publish_first(shop)
    spool = home.spool(shop.settings)
    spool.parent.mkdir(parents=True)
    spool.symlink_to(small_disk)
    with running(shop, tmp_path / "serve.log") as server:
        filler = small_disk / "filler"
        fill(filler)
        refused = send(server, "too many")
        assert refused.status_code == httpx.codes.SERVICE_UNAVAILABLE
        assert refused.json()["detail"] == "The events could not be written."
        before = dropped(server)
        assert all(server.ask("home")["items"] for _ in range(30))
        eventually(lambda: dropped(server) >= before + 30)
        filler.unlink()
        assert send(server, "accepted").json() == {"accepted": 1, "refused": []}
        eventually(lambda: len(server.landed("events/rest")) == 1)
    [line] = server.landed("events/rest")
    assert "accepted" in line


def fill(file: Path) -> None:
    with file.open("wb", buffering=0) as content:
        while True:
            try:
                content.write(bytes(4096))
            except OSError:
                return


def send(server: Running, name: str) -> httpx.Response:
    event = {"event_id": name, "event_type": "view", "item_id": "item001", "user_id": "u"}
    event["event_time"] = datetime.now(UTC).isoformat()
    return server.client.post("/v1/events", json={"events": [event]})


def dropped(server: Running) -> float:
    metrics = server.client.get("/metrics").text
    found = re.search(r"^catwalk_served_log_dropped_total (\S+)$", metrics, re.MULTILINE)
    return float(found[1]) if found else 0
