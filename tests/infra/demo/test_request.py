"""The last words of a demo: one request to a real server, and its answer."""

from __future__ import annotations

import json
from pathlib import Path

from infra.demo.request import ask_once
from infra.ledger.tokens import first_token, read_tokens, valid_tokens
from infra.storage import Storage
from tests.models.serving.conftest import publish_first


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
    assert first_token(shop).startswith("shop.")  # which the next start shows
