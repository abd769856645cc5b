"""Describes the API as OpenAPI 3.1, from the shapes themselves; no field of it is nullable."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import msgspec

from models.serving.api import wire
from models.serving.api.problems import MEDIA, ProblemBody

API_VERSION = "1.0.0"
_ABOUT = "What to show in each place of a shop. Absent fields have their default; null is refused."
_SHAPES = (wire.Ask, wire.Shown, wire.Events, wire.Event, wire.Accepted, wire.StockNews)
_MORE_SHAPES = (wire.StockTaken, wire.Live, wire.PlacementList, wire.Health, ProblemBody)
_TOLD = {
    HTTPStatus.BAD_REQUEST: "The body is no JSON.",
    HTTPStatus.UNAUTHORIZED: "The token is missing or not valid.",
    HTTPStatus.FORBIDDEN: "The token has not the role.",
    HTTPStatus.NOT_FOUND: "There is no such placement.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The body has more than 64 KB.",
    HTTPStatus.UNPROCESSABLE_ENTITY: "A field is unknown, missing or out of its bounds.",
    HTTPStatus.TOO_MANY_REQUESTS: "More came than can be answered; Retry-After says when.",
    HTTPStatus.SERVICE_UNAVAILABLE: "No version answers yet, or a disk refuses.",
}
_FAILED = "The server failed, or the method is not one of this path; the body says which."
_READING = (
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.SERVICE_UNAVAILABLE,
)
_WRITING = tuple(status for status in _TOLD if status is not HTTPStatus.NOT_FOUND)
_PLACEMENT = {
    "name": "placement",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "pattern": "^[a-z][a-z0-9_]{0,39}$"},
    "description": "a name of /v1/placements",
}


@dataclass(frozen=True)
class Operation:
    """A method of a path: what it needs, takes and gives; a shape by its name."""

    name: str
    method: str
    path: str
    summary: str
    gives: str
    role: str = ""
    errors: tuple[HTTPStatus, ...] = ()
    takes: str = ""
    status: HTTPStatus = HTTPStatus.OK

    def described(self) -> dict[str, Any]:
        """Return it as OpenAPI says it."""
        told: dict[str, Any] = {
            "operationId": self.name,
            "summary": self.summary,
            "description": f"Needs a token: {self.role}." if self.role else "Needs no token.",
            "security": [{"token": []}] if self.role else [],
            "responses": {
                str(int(self.status)): {"description": "Done.", "content": _content(self.gives)},
                **{str(int(error)): _problem(error) for error in self.errors},
                "default": _problem_of(_FAILED),
            },
        }
        if self.takes:
            told["requestBody"] = {"required": True, "content": _content(self.takes)}
        if "{placement}" in self.path:
            told["parameters"] = [_PLACEMENT]
        return told


_ANY_ROLE = "any role"
OPERATIONS = (
    Operation(
        name="recommend",
        method="post",
        path="/v1/recommendations/{placement}",
        summary="What to show in a placement; people nobody knows get bestsellers.",
        role="role recommend",
        takes="Ask",
        gives="Shown",
        errors=tuple(_TOLD),
    ),
    Operation(
        name="send_events",
        method="post",
        path="/v1/events",
        summary="What customers did and were shown; on disk before the answer.",
        role="role events",
        takes="Events",
        status=HTTPStatus.ACCEPTED,
        gives="Accepted",
        errors=_WRITING,
    ),
    Operation(
        name="change_stock",
        method="put",
        path="/v1/stock",
        summary="What came into stock and what is sold out; obeyed in five seconds.",
        role="role stock",
        takes="StockNews",
        gives="StockTaken",
        errors=_WRITING,
    ),
    Operation(
        name="what_is_live",
        method="get",
        path="/v1/live",
        summary="The version that answers, since when it is live, and its card.",
        role=_ANY_ROLE,
        gives="Live",
        errors=_READING,
    ),
    Operation(
        name="placements",
        method="get",
        path="/v1/placements",
        summary="The placements of the version that answers.",
        role=_ANY_ROLE,
        gives="PlacementList",
        errors=_READING,
    ),
    Operation(
        name="is_alive",
        method="get",
        path="/health/live",
        summary="Whether the process answers.",
        gives="Health",
    ),
    Operation(
        name="is_ready",
        method="get",
        path="/health/ready",
        summary="Whether a version answers; 503 with the same body if not.",
        gives="Health",
    ),
    Operation(
        name="metrics",
        method="get",
        path="/metrics",
        summary="What Prometheus reads.",
        role=_ANY_ROLE,
        gives="",
        errors=_READING,
    ),
)


def openapi() -> dict[str, Any]:
    """Return the whole description."""
    paths: dict[str, Any] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method] = operation.described()
    not_ready = {"description": "Not yet.", "content": _content("Health")}
    paths["/health/ready"]["get"]["responses"]["503"] = not_ready
    return {
        "openapi": "3.1.0",
        "info": {"title": "Catwalk", "version": API_VERSION, "description": _ABOUT},
        "paths": paths,
        "components": {
            "schemas": _schemas(),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _content(shape: str) -> dict[str, Any]:
    if not shape:
        return {"text/plain": {"schema": {"type": "string"}}}
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{shape}"}}}


def _problem(status: HTTPStatus) -> dict[str, Any]:
    return _problem_of(_TOLD[status])


def _problem_of(description: str) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/ProblemBody"}
    return {"description": description, "content": {MEDIA.decode(): {"schema": schema}}}


def _schemas() -> dict[str, Any]:
    """Return the shapes; where they hold ready JSON, say what is in it."""
    _, schemas = msgspec.json.schema_components(
        (*_SHAPES, *_MORE_SHAPES), ref_template="#/components/schemas/{name}"
    )
    schemas["Events"]["properties"]["events"]["items"] = {"$ref": "#/components/schemas/Event"}
    schemas["Live"]["properties"]["card"] = {"type": "object"}
    for shape in schemas.values():
        for field in shape["properties"].values():
            if "enum" in field:
                field["type"] = "string"  # msgspec leaves it to the values
    return dict(sorted(schemas.items()))
