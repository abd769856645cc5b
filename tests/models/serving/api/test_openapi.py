"""The description of the API: frozen, true, and without anything nullable."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance

from models.serving.api.openapi import openapi
from tests.models.serving.running import Running

FROZEN = Path(__file__).parents[1] / "openapi.json"


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
    headers = {"Authorization": f"Bearer {server.token}"}
    asked = 0
    for path, method in (
        ("/v1/recommendations/{placement}", "POST"),
        ("/v1/events", "POST"),
        ("/v1/stock", "PUT"),
        ("/v1/live", "GET"),
        ("/v1/placements", "GET"),
        ("/health/ready", "GET"),
    ):

        @given(case=schema[path][method].as_strategy())
        @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
        def ask(case: schemathesis.Case) -> None:
            nonlocal asked
            if case.path_parameters and asked % 2:
                case.path_parameters["placement"] = "home"
            # 82.0 is an integer to JSON Schema, and a placement may need an item or a category
            case.call_and_validate(headers=headers, excluded_checks=[positive_data_acceptance])
            asked += 1

        ask()
    assert asked > 30


if __name__ == "__main__":
    FROZEN.write_text(json.dumps(openapi(), indent=1) + "\n")
