"""What goes wrong, as `application/problem+json` (RFC 9457): the fact and the cure.

No text holds a value that came in: not an id, not a token, not the name of an unknown field.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus

import msgspec

MEDIA = b"application/problem+json"
_ECHOED = re.compile(
    r"Object contains unknown field .*|Invalid enum value (?:.*(?= - at `\$)|.*)", re.S
)
_SAID = {"O": "The object has an unknown field", "I": "The value is not one of the possible"}


class ProblemBody(msgspec.Struct, frozen=True):
    """An error as clients see it."""

    type: str
    title: str
    status: int
    detail: str
    cure: str


class ProblemError(Exception):
    """A request that is answered by an error.

    Parameters
    ----------
    status : HTTPStatus
    fact, cure : str
        Full sentences.
    headers : mapping, optional
        More headers of the answer.
    """

    def __init__(
        self,
        status: HTTPStatus,
        fact: str,
        cure: str,
        headers: Mapping[bytes, bytes] | None = None,
    ) -> None:
        super().__init__(fact)
        self.status, self.fact, self.cure = status, fact, cure
        self.headers = dict(headers or {})

    @property
    def body(self) -> bytes:
        """The error as JSON."""
        told = ProblemBody("about:blank", self.status.phrase, self.status, self.fact, self.cure)
        return msgspec.json.encode(told)


UNEXPECTED = ProblemError(
    HTTPStatus.INTERNAL_SERVER_ERROR,
    "The server failed at this request.",
    "Tell whoever runs it: its log says where.",
)


def unreadable(error: Exception, known: str) -> ProblemError:
    """Say what is wrong with a body that msgspec refused; `known` names the fields there are.

    Text that is no JSON is a 400, JSON of another shape a 422.
    """
    if isinstance(error, msgspec.ValidationError):
        cure = f"Send what /openapi.json describes. Known fields: {known}."
        return ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, f"{without_values(error)}.", cure)
    if isinstance(error, RecursionError):
        fact = "The body is nested too deeply."
    elif isinstance(error, UnicodeDecodeError):
        fact = "The body is not UTF-8."
    else:
        fact = "The body is not JSON."
    return ProblemError(HTTPStatus.BAD_REQUEST, fact, "Send one JSON object in UTF-8.")


def without_values(error: msgspec.ValidationError) -> str:
    """Return what msgspec says, without what a client wrote.

    >>> without_values(msgspec.ValidationError("Invalid enum value 'a' - at `$.source`"))
    'The value is not one of the possible - at `$.source`'
    """
    return _ECHOED.sub(lambda found: _SAID[found[0][0]], str(error))


def too_many(fact: str, seconds: int = 1) -> ProblemError:
    """Say that more came than can be answered, and when to come back."""
    return ProblemError(
        HTTPStatus.TOO_MANY_REQUESTS,
        fact,
        f"Try again after {seconds} s, or start more workers.",
        {b"retry-after": str(seconds).encode()},
    )
