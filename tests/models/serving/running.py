"""A real server in a process of its own, for tests to ask over HTTP."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil

from infra.ledger.live_pointer import live, point
from infra.ledger.tokens import new_token
from infra.places import version_key
from infra.records.release import PublishRecord
from infra.storage import Storage
from infra.stores.digests import verified, write_manifest
from models.bundle_layout import CARD, manifest_sha256, version_of
from tests.house import REPOSITORY

SOON = 180.0  # seconds for what takes one or two on an idle machine


class Running:
    """A server that runs.

    Attributes
    ----------
    client : httpx.Client
        Asks with a token of all roles.
    token : str
    """

    def __init__(self, shop: Storage, log: Path, **settings: str) -> None:
        self.shop, self.log, self.port = shop, log, _free_port()
        self.token = new_token(shop, "test", ("recommend", "events", "stock"), "a test")
        self._settings = settings
        self.start()

    def start(self) -> None:
        """Start it, again after it ended."""
        environment = os.environ | {
            "CATWALK_SERVING_PORT": str(self.port),
            "CATWALK_SERVING_LAND_SECONDS": "1",
            **self._settings,
        }
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "models.serving.serve"],
                cwd=REPOSITORY,
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self.client = self.client_with(self.token)

    def client_with(self, token: str) -> httpx.Client:
        """Return a client that asks with a token; "" for none."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        address = f"http://127.0.0.1:{self.port}"
        return httpx.Client(base_url=address, headers=headers, timeout=30, trust_env=False)

    def ask(self, placement: str = "home", **body: Any) -> dict[str, Any]:
        """Return the answer to a question that must be answered."""
        answer = self.client.post(f"/v1/recommendations/{placement}", json=body)
        assert answer.status_code == httpx.codes.OK, answer.text
        content: dict[str, Any] = answer.json()
        return content

    def wait_ready(self) -> None:
        """Return once a version answers."""
        eventually(lambda: self._status("/health/ready") == httpx.codes.OK)

    def workers(self) -> list[psutil.Process]:
        """Return the processes that answer."""
        return [
            child
            for child in psutil.Process(self.process.pid).children()
            if runs(child) and "resource_tracker" not in " ".join(child.cmdline())
        ]

    def kill(self) -> None:
        """Kill all of it at once, as a machine that loses its power does."""
        family = [self.process, *psutil.Process(self.process.pid).children(recursive=True)]
        for process in family:
            os.kill(process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        """Stop it in peace."""
        self.process.terminate()
        self.process.wait(SOON)

    def said(self) -> str:
        """Return its log."""
        return self.log.read_text(encoding="utf-8")

    def landed(self, folder: str) -> list[str]:
        """Return the lines of the files that it landed; their texts may hold ends of U+2028."""
        files = sorted((Path(self.shop.landing) / folder).glob("*.jsonl"))
        texts = (file.read_text("utf-8") for file in files)
        return [
            line for text in texts for line in text.split("\n") if line
        ]  # a text may hold U+2028

    def _status(self, path: str) -> int:
        try:
            return self.client.get(path).status_code
        except httpx.TransportError:
            assert self.process.poll() is None, self.said()
            return 0


def runs(process: psutil.Process) -> bool:
    """Tell whether a process runs; one that waits to be counted as dead does not."""
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


@contextmanager
def running(shop: Storage, log: Path, **settings: str) -> Iterator[Running]:
    """Start a server that answers; nothing of it stays."""
    server = Running(shop, log, **settings)
    try:
        server.wait_ready()
        yield server
    finally:
        if server.process.poll() is None:
            server.stop()


def eventually(is_so: Callable[[], bool], seconds: float = SOON) -> float:
    """Wait until something is so; return after how many seconds."""
    began = time.monotonic()
    while not is_so():
        assert time.monotonic() - began < seconds
        time.sleep(0.05)
    return time.monotonic() - began


def publish_another(
    shop: Storage, note: str, broken: bool = False, **other_facts: str
) -> PublishRecord:
    """Put a copy of what is live, with another card, live as a version of its own."""
    before = live(shop)
    assert before is not None
    with shop.scratch() as scratch:
        copy = scratch / "copy"
        _copy(shop.published.fetch_folder(version_key(before.version), scratch), copy)
        facts, card = verified(copy).facts, copy / CARD
        card.write_text(card.read_text().replace("{", f'{{"note": "{note}",', 1))
        write_manifest(copy, facts | other_facts)
        version, sha256 = version_of(copy), manifest_sha256(copy)
        if broken:
            card.write_text("{}")
        shop.published.fill_folder(copy, version_key(version))
    change = {"number": before.number + 1, "version": version, "manifest_sha256": sha256}
    return point(shop, before.model_copy(update=change))


def point_back(shop: Storage, to: PublishRecord) -> PublishRecord:
    """Roll back: point to an earlier version again."""
    now = live(shop)
    assert now is not None
    return point(shop, to.model_copy(update={"number": now.number + 1, "action": "roll_back"}))


def _copy(source: Path, target: Path) -> None:
    for file in source.rglob("*"):
        if file.is_file():
            copy = target / file.relative_to(source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(file.read_bytes())


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
