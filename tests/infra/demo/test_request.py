"""The last words of a demo: one request to a real server, and its answer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

from infra.demo.request import ask_once
from infra.ledger.tokens import read_tokens, valid_tokens
from infra.storage import Storage
from tests.models.serving.conftest import publish_first
from tests.s3_server import free_port


def test_a_demo_ends_with_a_request_and_its_answer(shop: Storage) -> None:
    record = publish_first(shop)
    landed = Path(shop.landing) / "events" / "shop"
    landed.mkdir(parents=True)
    (landed / "1.jsonl").write_text('{"user_id": "u000007"}\n')
    (landed / "2.jsonl").write_bytes(b'7\nnot json\n{"user_id": "\xff\xfe"}\n{"visitor_id": "v"}\n')
    told = ask_once(shop, "models.serving.serve")
    assert "POST /v1/recommendations/home" in told
    assert '"user_id": "u000007"' in told
    answer = json.loads(told[told.rindex("\n\n") :])
    assert answer["version"] == record.version
    assert len(answer["items"]) == 3
    assert valid_tokens(read_tokens(shop)) == ()  # its token is over
    log = shop.settings.airflow_home / "logs" / "serving.log"
    assert "shop." not in log.read_text()
    assert token_of_the_next_start().startswith("shop.")


def token_of_the_next_start() -> str:
    """Start a server as `make serve` does, and return the token that it shows."""
    with subprocess.Popen(
        [sys.executable, "-m", "models.serving.serve"],
        env=os.environ | {"CATWALK_SERVING_PORT": str(free_port())},
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stdout
        limit = threading.Timer(120, server.kill)
        limit.start()
        third = [server.stdout.readline() for _ in range(3)][2]
        limit.cancel()
        server.terminate()
    return third.removeprefix("  Token    ")
