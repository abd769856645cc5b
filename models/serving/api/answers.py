"""Answers of which only bytes are sent: no encoder and no headers but those that are needed."""

from __future__ import annotations

from http import HTTPStatus

from models.serving.api.guard import Message, Receive, Send

JSON = b"application/json"


class Bytes:
    """An answer that is made already."""

    __slots__ = ("_body", "_headers", "_status")

    def __init__(
        self,
        body: bytes,
        media: bytes = JSON,
        status: int = HTTPStatus.OK,
        headers: tuple[tuple[bytes, bytes], ...] = (),
    ) -> None:
        length = (b"content-length", str(len(body)).encode())
        self._body, self._status = body, int(status)
        self._headers = [(b"content-type", media), length, *headers]

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Send it."""
        start = {"type": "http.response.start", "status": self._status, "headers": self._headers}
        await send(start)
        await send({"type": "http.response.body", "body": self._body})
