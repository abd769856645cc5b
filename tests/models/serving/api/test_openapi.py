"""The description of the API: frozen, true, and without anything nullable."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.core.parameters import ParameterLocation
from schemathesis.specs.openapi.checks import (
    ignored_auth,
    negative_data_rejection,
    positive_data_acceptance,
)

from models.serving.api.openapi import openapi
from tests.models.serving.running import Running

FROZEN = Path(__file__).parents[1] / "openapi.json"
RIGHT, WRONG = GenerationMode.POSITIVE, GenerationMode.NEGATIVE
OPERATIONS = (
    *(
        (path, method, kind)
        for path, method in (
            ("/v1/recommendations/{placement}", "POST"),
            ("/v1/events", "POST"),
            ("/v1/stock", "PUT"),
        )
        for kind in (RIGHT, WRONG)
    ),
    ("/v1/live", "GET", RIGHT),
    ("/v1/placements", "GET", RIGHT),
    ("/health/ready", "GET", RIGHT),
)


def test_version_1_is_frozen() -> None:
    """Shops generate clients from it: fields may be added, and nothing else may change.

    To add some: `python -m tests.models.serving.api.test_openapi`.
    """
    assert json.loads(FROZEN.read_text()) == openapi()


def inside(schema: Any) -> list[Any]:
    values = schema.values() if isinstance(schema, dict) else schema
    below = [each for each in values if isinstance(each, dict | list)]
    return [schema, *(part for each in below for part in inside(each))]


def test_no_field_is_nullable() -> None:
    parts = [part for part in inside(openapi()) if isinstance(part, dict)]
    assert len(parts) > 100
    for part in parts:
        assert "anyOf" not in part
        assert "nullable" not in part
        assert part.get("type") != "null"
        assert not isinstance(part.get("type"), list)


def test_the_server_does_what_its_description_says(server: Running) -> None:
    """Schemathesis makes requests, right and wrong, and holds the answers to the description."""
    described = server.client.get("/openapi.json").json()
    assert described == openapi()
    schema = schemathesis.openapi.from_dict(described)
    schema.config.update(base_url=f"http://127.0.0.1:{server.port}")
    # a body that is too large is refused as such, whatever else is wrong with it
    rejections = schema.config.checks.negative_data_rejection
    rejections.expected_statuses = [*rejections.expected_statuses, "413"]
    asked: Counter[int] = Counter()
    for path, method, kind in OPERATIONS:
        asked += ask_many(server, schema[path][method], kind)
    right, wrong = (sum(asked[status] for status in of) for of in ((200, 202), (400, 404, 422)))
    assert right > 15 and wrong > 15, asked


def ask_many(server: Running, operation: Any, kind: GenerationMode) -> Counter[int]:
    """Ask for one operation; return how often which status came."""
    asked: Counter[int] = Counter()
    headers = {"Authorization": f"Bearer {server.token}"}

    @given(case=operation.as_strategy(generation_mode=kind))
    @settings(
        max_examples=12,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def ask(case: schemathesis.Case) -> None:
        assert case.meta is not None
        wrong_path = case.meta.is_negative_at(ParameterLocation.PATH)
        if case.path_parameters and asked.total() % 2:
            case.path_parameters["placement"], wrong_path = "home", False
        still_wrong = wrong_path or case.meta.is_negative_at(ParameterLocation.BODY)
        # 82.0 is an integer to JSON Schema, and a placement may need an item or a category
        excluded = [positive_data_acceptance]
        # our token and placement may right all that was wrong; events are refused one by one
        if case.path == "/v1/events" or not still_wrong:
            excluded.append(negative_data_rejection)
        if asked[200] + asked[202]:  # a wrong token waits a second; the operation refused it before
            excluded.append(ignored_auth)
        answer = case.call_and_validate(
            headers=headers, excluded_checks=excluded, session=session, timeout=30
        )
        asked[answer.status_code] += 1

    with requests.Session() as session:
        session.trust_env = False
        ask()
    return asked


if __name__ == "__main__":
    FROZEN.write_text(json.dumps(openapi(), indent=1) + "\n")
