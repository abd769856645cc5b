"""Ends a demo as a shop would begin: a server is started, asked over HTTP, and answers."""

from __future__ import annotations

import json
import os
import socket
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from infra.command_line import INDENT
from infra.errors import StorageError
from infra.ledger.tokens import new_token, read_tokens, revoke_token
from infra.placements import HOME
from infra.places import LANDED_EVENTS
from infra.records.serving import Ending
from infra.settings import PREFIX
from infra.shop.processes import GuardedProcess, stop_all
from infra.storage import Storage
from infra.waiting import wait_until

TOKEN, ITEMS, SECONDS = "demo", 3, 60.0
_LAST_LINES = 200


def ask_once(storage: Storage, module: str) -> str:
    """Start a server for one request, and return both the request and the answer in words.

    Raises
    ------
    StorageError
        The server does not answer.
    """
    question: dict[str, Any] = {"k": ITEMS, "explain": True}
    if customer := _customer(Path(storage.landing) / LANDED_EVENTS):
        question["user_id"] = customer
    path = f"/v1/recommendations/{HOME}"
    with _token(storage) as token, _served(storage, module) as client:
        client.headers["Authorization"] = f"Bearer {token}"
        answers: list[httpx.Response] = []

        def is_answered() -> bool:
            answers.append(client.post(path, json=question))
            return answers[-1].is_success

        wait_until(is_answered, SECONDS)
    return _told(path, question, answers[-1])


def _told(path: str, question: dict[str, Any], answer: httpx.Response) -> str:
    took = f"{1000 * answer.elapsed.total_seconds():.0f} ms"
    parts = [f"One request, POST {path}:", _indented(question)]
    return "\n\n".join(["", *parts, f"and its answer, in {took}:", _indented(answer.json())])


def _indented(content: Any) -> str:
    return textwrap.indent(json.dumps(content, indent=1, ensure_ascii=False), INDENT)


def _customer(landed: Path) -> str:
    """Return somebody of the last lines that landed; "" where they are not JSON."""
    for file in sorted(landed.glob("*/*.jsonl"), reverse=True):
        for line in file.read_bytes().splitlines()[-_LAST_LINES:]:
            try:
                event = json.loads(line)
            except ValueError:
                continue  # a fault of the simulation: cut off, or not UTF-8
            if isinstance(event, dict) and isinstance(event.get("user_id"), str):
                return str(event["user_id"])
    return ""


@contextmanager
def _served(storage: Storage, module: str) -> Iterator[httpx.Client]:
    """Run a server on a free port while the block lasts."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = GuardedProcess(
        "serving",
        [sys.executable, "-m", module],
        os.environ | {f"{PREFIX}SERVING_PORT": str(port), f"{PREFIX}SERVING_WORKERS": "1"},
        storage.settings.airflow_home / "logs",
    )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
            if not wait_until(lambda: _is_ready(client, process), SECONDS):
                raise StorageError(
                    f"{module} does not answer:\n{process.last_lines()}\n",
                    f"All of it is in {process.log}.",
                )
            yield client
    finally:
        stop_all([process])


def _is_ready(client: httpx.Client, process: GuardedProcess) -> bool:
    if process.status is not None:
        return False
    try:
        return client.get("/health/ready").is_success
    except httpx.TransportError:
        return False


@contextmanager
def _token(storage: Storage) -> Iterator[str]:
    """Make a token that is valid while the block lasts."""
    text = new_token(storage, TOKEN, ("recommend",), "make demo")
    number = max(read_tokens(storage).records)
    try:
        yield text
    finally:
        now = datetime.now(UTC)
        over = Ending(at=now, by="make demo", ends=number, reason="the demo is over")
        revoke_token(storage, over)
