"""The application of a worker: which path is answered by which route, and how errors are told."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from http import HTTPStatus
from typing import Any

import msgspec
from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request

from models.serving.api.answers import Bytes
from models.serving.api.openapi import openapi
from models.serving.api.page import page
from models.serving.api.problems import MEDIA, UNEXPECTED, ProblemError
from models.serving.routes import Routes

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def make_app(routes: Routes, lifespan: Lifespan | None = None) -> FastAPI:
    """Return the application; whoever runs it puts the guard before it."""
    app = FastAPI(
        docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False, lifespan=lifespan
    )
    told, tried = Bytes(msgspec.json.encode(openapi())), page()

    async def describe(request: Request) -> Bytes:
        return told

    async def show_page(request: Request) -> Bytes:
        return tried

    table: tuple[tuple[str, str, Any], ...] = (
        ("POST", "/v1/recommendations/{placement}", routes.recommend),
        ("POST", "/v1/events", routes.take_events),
        ("PUT", "/v1/stock", routes.change_stock),
        ("GET", "/v1/live", routes.live),
        ("GET", "/v1/placements", routes.placements),
        ("GET", "/health/live", routes.is_alive),
        ("GET", "/health/ready", routes.is_ready),
        ("GET", "/metrics", routes.show_metrics),
        ("GET", "/openapi.json", describe),
        ("GET", "/", show_page),
    )
    for method, path, route in table:  # routes of Starlette: those of FastAPI take 45 us more
        app.add_route(path, route, [method])
    tellers: dict[Any, Any] = {  # Starlette takes any answer that can be sent
        ProblemError: _tell,
        HTTPException: _tell_of_routing,
        Exception: _tell_of_failure,
    }
    app.exception_handlers |= tellers
    return app


async def _tell(request: Request, error: Exception) -> Bytes:
    assert isinstance(error, ProblemError)
    return Bytes(error.body, MEDIA, error.status, tuple(error.headers.items()))


async def _tell_of_failure(request: Request, error: Exception) -> Bytes:
    return await _tell(request, UNEXPECTED)  # the guard writes the log


async def _tell_of_routing(request: Request, error: Exception) -> Bytes:
    assert isinstance(error, HTTPException)
    cure = "/openapi.json lists all paths and methods."
    if error.status_code == HTTPStatus.NOT_FOUND:
        problem = ProblemError(HTTPStatus.NOT_FOUND, "There is no such path.", cure)
    else:
        allowed = (error.headers or {}).get("Allow", "")
        problem = ProblemError(
            HTTPStatus(error.status_code),
            "This path does not have that method.",
            cure,
            {b"allow": allowed.encode()},
        )
    return await _tell(request, problem)
