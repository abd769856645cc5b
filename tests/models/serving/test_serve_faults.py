"""What happens to a server is not seen by those who ask it, and loses nothing that it accepted."""

from __future__ import annotations

import json
import os
import random
import signal
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from infra.ledger.live_pointer import live
from infra.ledger.overrides import add_override
from infra.ledger.tokens import new_token
from infra.records.serving import Override
from infra.storage import Storage
from models.benches.serving_processes import own_mb
from tests.models.serving.running import (
    Running,
    eventually,
    point_back,
    publish_another,
    running,
    runs,
)

NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def two_workers(live_shop: Storage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Return a server with two workers."""
    log = tmp_path_factory.mktemp("log") / "serve.log"
    with running(live_shop, log, CATWALK_SERVING_WORKERS="2") as server:
        eventually(lambda: len(server.workers()) == 2)
        yield server


@pytest.fixture
def own(two_workers: Running) -> Running:
    """Return the server; it runs, also after a test that failed while it was down."""
    if two_workers.process.poll() is not None:
        two_workers.start()
        two_workers.wait_ready()
    return two_workers


class Load:
    """Asks and sends events all the time, from some threads."""

    def __init__(self, server: Running) -> None:
        self.server, self.over, self.name = server, threading.Event(), uuid.uuid4().hex
        self.statuses: list[int] = []
        self.seconds: list[float] = []
        self.versions: set[str] = set()
        self.accepted: list[str] = []
        self.answered: dict[str, float] = {}  # when which request was
        self.broken = 0

    def run(self, thread: int) -> None:
        """Ask until it is over."""
        with self.server.client_with(self.server.token) as client:
            for number in range(1_000_000):
                if self.over.is_set():
                    return
                try:
                    self._ask(client)
                    self._send(client, f"{self.name}-{thread}-{number}")
                except httpx.TransportError:
                    self.broken += 1
                    time.sleep(0.05)

    def _ask(self, client: httpx.Client) -> None:
        began = time.monotonic()
        answer = client.post("/v1/recommendations/home", json={"user_id": "user001"})
        self.seconds.append(time.monotonic() - began)
        self.statuses.append(answer.status_code)
        if answer.status_code == httpx.codes.OK:
            self.versions.add(answer.json()["version"])
            self.answered[answer.json()["request_id"]] = time.monotonic()

    def _send(self, client: httpx.Client, name: str) -> None:
        event = {"event_id": name, "event_type": "view", "item_id": "item001", "user_id": "u"}
        event["event_time"] = datetime.now(UTC).isoformat()
        answer = client.post("/v1/events", json={"events": [event]})
        if answer.status_code == httpx.codes.ACCEPTED:
            self.accepted.append(name)


@contextmanager
def load(server: Running, threads: int = 4) -> Iterator[Load]:
    """Ask all the time; all threads are over afterwards."""
    asking = Load(server)
    started = [threading.Thread(target=asking.run, args=(number,)) for number in range(threads)]
    for thread in started:
        thread.start()
    try:
        yield asking
    finally:
        asking.over.set()
        for thread in started:
            thread.join()


def landed_ids(server: Running) -> list[str]:
    """Return the ids of landed events; a line that was cut off is quarantined, and no event."""
    ids = []
    for line in server.landed("events/rest"):
        try:
            ids.append(json.loads(line)["event_id"])
        except ValueError:
            continue
    return ids


def test_workers_share_what_they_import_until_they_write_to_it(own: Running) -> None:
    assert max(own_mb(worker.pid) for worker in own.workers()) < 40  # 55 if each imports by itself


def test_no_accepted_event_is_lost_when_all_is_killed(own: Running) -> None:
    chance = random.Random(7)
    names: set[str] = set()
    accepted: list[str] = []
    answered: set[str] = set()
    for _ in range(3):
        with load(own) as asking:
            names.add(asking.name)
            eventually(lambda asking=asking: len(asking.accepted) > 20)
            time.sleep(1 + chance.random())
            last_second = time.monotonic() - 1
            own.kill()
        accepted += asking.accepted
        answered |= {name for name, at in asking.answered.items() if at < last_second}
        own.start()
        own.wait_ready()
    eventually(lambda: set(accepted) <= set(landed_ids(own)))
    own.stop()
    all_ids = landed_ids(own)
    ids = [name for name in all_ids if name.split("-")[0] in names]  # not those of other tests
    assert len(accepted) > 60
    assert len(answered) > 20
    served = "\n".join(own.landed("served"))
    assert not [name for name in answered if name not in served]  # of what was answered before
    assert sorted(set(ids)) == sorted(ids)  # nothing landed twice
    assert (
        len(own.landed("events/rest")) - len(all_ids) <= 6
    )  # cut-off lines: one a worker and kill
    assert not list(Path(own.shop.settings.home).glob("serving/spool/*/*.jsonl"))


def test_a_killed_worker_is_replaced_and_the_other_one_answers(own: Running) -> None:
    first, second = own.workers()
    with load(own) as asking:
        eventually(lambda: len(asking.statuses) > 20)
        os.kill(first.pid, signal.SIGKILL)
        known = {first.pid, second.pid}
        eventually(lambda: {worker.pid for worker in own.workers()} - known != set())
        before = len(asking.statuses)
        eventually(lambda: len(asking.statuses) > before + 20)
    assert set(asking.statuses) == {200}
    assert asking.broken <= 4  # connections that the killed worker had
    metrics = own.client.get("/metrics").text
    assert f'pid="{first.pid}"' not in metrics
    eventually(lambda: set(asking.accepted) <= set(landed_ids(own)))


@pytest.mark.parametrize("starting", [False, True])
def test_workers_of_a_killed_server_end_and_leave_it_the_port(own: Running, starting: bool) -> None:
    if starting:
        os.kill(own.workers()[0].pid, signal.SIGKILL)
        eventually(lambda: len(own.workers()) == 2)  # the new one does not answer yet
    workers = own.workers()
    own.process.kill()
    own.process.wait()
    eventually(lambda: not any(map(runs, workers)))
    own.start()
    own.wait_ready()


def test_nobody_sees_that_versions_are_swapped(own: Running) -> None:
    first = live(own.shop)
    assert first is not None
    second = publish_another(own.shop, "second")
    eventually(lambda: answers(own) == {second.version})  # from here on both are unpacked
    with load(own) as asking:
        for number in range(6):
            wanted = point_back(own.shop, second if number % 2 else first)
            eventually(lambda wanted=wanted: answers(own) == {wanted.version})
    assert set(asking.statuses) == {200}
    assert asking.broken == 0
    assert asking.versions == {first.version, second.version}
    assert len(asking.statuses) > 100


def answers(server: Running) -> set[str]:
    """Return the versions that some requests in a row are answered by."""
    return {server.client_with(server.token).get("/v1/live").json()["version"] for _ in range(8)}


def test_a_roll_back_is_live_within_ten_seconds(own: Running) -> None:
    first = live(own.shop)
    assert first is not None
    second = publish_another(own.shop, "second")
    eventually(lambda: answers(own) == {second.version})
    point_back(own.shop, first)
    assert eventually(lambda: answers(own) == {first.version}) < 10


@contextmanager
def away(folder: Path) -> Iterator[None]:
    """Take a folder away; what stands in its place ends with the test, also with one that fails."""
    kept = folder.with_name("away")
    folder.rename(kept)
    try:
        yield
    finally:
        if folder.is_dir():
            folder.rmdir()
        folder.unlink(missing_ok=True)
        kept.rename(folder)


def test_the_storage_goes_away_and_comes_back(own: Running) -> None:
    published = Path(own.shop.published.address)
    sold_out = {"items": [{"item_id": "item001", "in_stock": False}]}
    with away(published):
        published.write_text("no folder")
        with load(own) as asking:
            eventually(lambda: own.client.get("/health/ready").json()["behind_s"] > 3)
            published.unlink()
            published.mkdir()  # so a disk looks that is not mounted
            own.stop()
            own.start()
            own.wait_ready()
        published.rmdir()
        published.write_text("no folder")
        assert set(asking.statuses) == {200}
        refused = own.client.put("/v1/stock", json=sold_out)
        assert refused.status_code == httpx.codes.SERVICE_UNAVAILABLE
    eventually(lambda: own.client.get("/health/ready").json()["behind_s"] < 3)
    eventually(lambda: own.client.put("/v1/stock", json=sold_out).status_code == httpx.codes.OK)
    assert "Cannot follow the live pointer" in own.said()


def test_an_override_and_a_token_count_within_ten_seconds_under_load(own: Running) -> None:
    shown: Any = own.ask("home")["items"][0]["item_id"]
    block = Override(
        at=NOW,
        by="a curator",
        action="block",
        item_ids=(shown,),
        since=NOW - timedelta(hours=1),
        until=datetime.now(UTC) + timedelta(seconds=15),
        reason="recalled",
    )

    def is_shown() -> bool:
        return any(item["item_id"] == shown for _ in range(6) for item in own.ask("home")["items"])

    with load(own, threads=2):
        add_override(own.shop, block)
        client = own.client_with(new_token(own.shop, "another", ("recommend",), "a test"))
        assert eventually(lambda: not is_shown()) < 10
        assert eventually(lambda: client.get("/v1/live").status_code == httpx.codes.OK) < 10
        eventually(is_shown)  # it ends by itself


def test_the_stock_is_obeyed_within_five_seconds_under_load(own: Running) -> None:
    item = own.ask("home", k=1)["items"][0]["item_id"]

    def are_showing() -> set[bool]:
        """Ask so often that both workers answer."""
        clients = [own.client_with(own.token) for _ in range(8)]
        answers = [client.post("/v1/recommendations/home", json={}).json() for client in clients]
        return {any(place["item_id"] == item for place in answer["items"]) for answer in answers}

    with load(own, threads=2) as asking:
        for in_stock in (False, True):
            news = {"items": [{"item_id": item, "in_stock": in_stock}]}
            assert own.client.put("/v1/stock", json=news).status_code == httpx.codes.OK
            assert eventually(lambda wanted={in_stock}: are_showing() == wanted) < 5
    assert set(asking.statuses) == {200}


def test_a_client_that_says_nothing_is_left(own: Running) -> None:
    import socket

    with socket.create_connection(("127.0.0.1", own.port)) as silent:
        silent.settimeout(20)
        silent.sendall(b"POST /v1/recommendations/home HTTP/1.1\r\nHost: x\r\n")
        began = time.monotonic()
        assert silent.recv(100) == b""
        assert 5 < time.monotonic() - began < 18


def test_a_second_server_on_the_port_says_so(own: Running, tmp_path: Path) -> None:
    other = Running(own.shop, tmp_path / "other.log")
    other.stop()
    other.port = own.port
    other.start()
    assert other.process.wait(60) != 0
    assert "address already in use" in other.said().lower()
    assert own.ask("home")["items"]
