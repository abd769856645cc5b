"""What stands before every route: the size of a request, its time, its token; pure ASGI.

A right token costs microseconds. A wrong one waits a second for its answer, and is counted.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import traceback
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass
from hashlib import sha256
from http import HTTPStatus
from time import perf_counter
from typing import Any, Literal

from infra.records.serving import Role, Token
from models.serving.api.problems import MEDIA, UNEXPECTED, ProblemError, too_many
from models.serving.metrics import Metrics

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

BODY, TOKEN = "catwalk.body", "catwalk.token"  # what routes find in the scope
MOST_BYTES = 64 * 1024
BODY_SECONDS = 5.0
WRONG_TOKEN_SECONDS = 1.0
MOST_WRONG_TOKENS = 64  # that wait at once
_log = logging.getLogger("catwalk")


@dataclass(frozen=True)
class Route:
    """What a path is called in metrics, and who may ask it."""

    name: str
    role: Role | Literal["any", "nobody"]


RECOMMENDATIONS = "/v1/recommendations/"
_ANY = Route("other", "any")
ROUTES = {
    RECOMMENDATIONS: Route("recommendations", "recommend"),
    "/v1/events": Route("events", "events"),
    "/v1/stock": Route("stock", "stock"),
    "/v1/live": Route("what_is_live", "any"),
    "/v1/placements": Route("placements", "any"),
    "/metrics": Route("metrics", "any"),
    # they hold nothing of the shop, and machines and newcomers ask them without a token
    "/health/live": Route("health", "nobody"),
    "/health/ready": Route("health", "nobody"),
    "/openapi.json": Route("openapi", "nobody"),
    "/": Route("page", "nobody"),
}


class TokenBook:
    """The valid tokens; a token is `NAME.SECRET`, and only its hash is known here."""

    def __init__(self, tokens: Iterable[Token] = ()) -> None:
        self._by_name: dict[str, list[Token]] = {}
        for token in tokens:
            self._by_name.setdefault(token.name, []).append(token)

    def find(self, text: bytes) -> Token | None:
        """Return the token behind a text, compared in constant time; None if it is not valid."""
        digest, found = sha256(text).hexdigest(), None
        for token in self._by_name.get(text.partition(b".")[0].decode("latin-1"), ()):
            if hmac.compare_digest(token.sha256, digest):
                found = token
        return found


class Guard:
    """Lets a request through to the routes, or answers it with a problem.

    Parameters
    ----------
    app : ASGI application
    tokens : callable
        Gives the valid tokens of this moment.
    metrics : Metrics
    most : int
        Requests that are answered at once; all beyond get 429.
    """

    def __init__(
        self, app: App, tokens: Callable[[], TokenBook], metrics: Metrics, most: int
    ) -> None:
        self._app, self._tokens, self._metrics, self._most = app, tokens, metrics, most
        self._in_flight = self._wrong = 0

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path: str = scope["path"]
        route = ROUTES.get(path) or (
            ROUTES[RECOMMENDATIONS] if path.startswith(RECOMMENDATIONS) else _ANY
        )
        answered = _Answered(send)
        self._in_flight += 1
        try:
            await self._answer(route, scope, receive, answered)
        except ProblemError as problem:
            await answered.tell(problem)
        except Exception as error:
            _log.error("A request to %s failed: %s", route.name, _where(error))
            await answered.tell(UNEXPECTED)
        finally:
            self._in_flight -= 1
            if answered.status:
                seconds = perf_counter() - answered.began
                self._metrics.requested(route.name, answered.status, seconds)

    async def _answer(
        self, route: Route, scope: Message, receive: Receive, answered: _Answered
    ) -> None:
        await asyncio.sleep(0)  # all that came at the same moment are counted before the first
        if self._in_flight > self._most and route.name != "health":
            raise too_many("More requests came than this worker can answer.")
        headers = {name: value for name, value in scope["headers"] if name in _READ}
        if route.role != "nobody":
            scope[TOKEN] = await self._checked(headers.get(b"authorization", b""), route)
        if scope["method"] in ("POST", "PUT") and route.role != "nobody":
            scope[BODY] = await _body(headers.get(b"content-length", b""), receive)
        answered.began = perf_counter()
        await self._app(scope, receive, answered)

    async def _checked(self, header: bytes, route: Route) -> Token:
        """Return the token of a request; raise `ProblemError` if it may not ask this route."""
        kind, _, text = header.partition(b" ")
        if kind.lower() != b"bearer":
            self._metrics.token_failures.labels("missing").inc()
            raise _unauthorized("The request has no token.")
        token = self._tokens().find(text.strip())
        if token is None:
            self._metrics.token_failures.labels("wrong").inc()
            await self._wait()
            raise _unauthorized("The token is not valid.")
        if route.role not in ("any", *token.roles) and "admin" not in token.roles:
            self._metrics.token_failures.labels("role").inc()
            fact = f"The token has not the role `{route.role}`."
            raise ProblemError(HTTPStatus.FORBIDDEN, fact, "Use a token that has it.")
        return token

    async def _wait(self) -> None:
        """Slow down whoever tries tokens; who tries many at once is sent away."""
        if self._wrong >= MOST_WRONG_TOKENS:
            raise too_many("Many requests came with tokens that are not valid.")
        self._wrong += 1
        self._in_flight -= 1  # nothing is worked on, and others must not wait for it
        try:
            await asyncio.sleep(WRONG_TOKEN_SECONDS)
        finally:
            self._wrong -= 1
            self._in_flight += 1


class _Answered:
    """Sends an answer on, and remembers its status, 0 before, and when work on it began."""

    __slots__ = ("_send", "began", "status")

    def __init__(self, send: Send) -> None:
        self._send, self.status, self.began = send, 0, perf_counter()

    def __call__(self, message: Message) -> Awaitable[None]:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        return self._send(message)

    async def tell(self, problem: ProblemError) -> None:
        """Answer with a problem, unless another answer began."""
        if self.status:
            return
        body = problem.body
        headers = [
            (b"content-type", MEDIA),
            (b"content-length", str(len(body)).encode()),
            *problem.headers.items(),
        ]
        start = {"type": "http.response.start", "status": int(problem.status), "headers": headers}
        await self(start)
        await self({"type": "http.response.body", "body": body})


_READ = (b"authorization", b"content-length")
_CLOSE = {b"connection": b"close"}  # what is left of the body would be read as the next request


async def _body(length: bytes, receive: Receive) -> bytes:
    """Read the whole body, once.

    Raises
    ------
    ProblemError
        It is too large, or takes too long.
    """
    if length.isdigit() and int(length[:20]) > MOST_BYTES:
        raise _too_large()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            message = await receive()
            body: bytes = message.get("body", b"")
            while message.get("more_body") and len(body) <= MOST_BYTES:
                message = await receive()
                body += message.get("body", b"")
    except TimeoutError:
        fact = f"The body did not arrive within {BODY_SECONDS:.0f} s."
        raise ProblemError(HTTPStatus.BAD_REQUEST, fact, "Send it at once.", _CLOSE) from None
    if len(body) > MOST_BYTES:
        raise _too_large()
    return body


def _too_large() -> ProblemError:
    fact = f"The body has more than {MOST_BYTES} bytes."
    return ProblemError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, fact, "Send less at once.", _CLOSE)


def _unauthorized(fact: str) -> ProblemError:
    cure = (
        "Send the header `Authorization: Bearer TOKEN`; see docs/how-to/serve_recommendations.md."
    )
    return ProblemError(HTTPStatus.UNAUTHORIZED, fact, cure, {b"www-authenticate": b"Bearer"})


def _where(error: Exception) -> str:
    """Name an error and the lines that led to it, without its text: that may hold an id."""
    steps = traceback.extract_tb(error.__traceback__)
    return f"{type(error).__name__} at " + ", ".join(f"{at.filename}:{at.lineno}" for at in steps)
