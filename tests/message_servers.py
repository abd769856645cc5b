"""A mail server and a webhook on this machine, which keep what they are sent."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import Any


class Inbox(socketserver.ThreadingTCPServer):
    """A server on a free port; `received` holds all messages, oldest first."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, handler: Any, status: int = 200) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self.received: list[Any] = []
        self.status = status

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.server_address[1])


class Webhook(BaseHTTPRequestHandler):
    """Takes JSON and answers as the test wants."""

    server: Inbox

    def do_POST(self) -> None:
        """Keep one message."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.received.append(json.loads(body))
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Keep quiet."""


class Mail(socketserver.StreamRequestHandler):
    """As much of SMTP as one message needs."""

    server: Inbox

    def handle(self) -> None:
        """Keep one mail."""
        self._say("220 ready")
        for line in iter(self.rfile.readline, b""):
            word = line[:4].upper()
            if word == b"DATA":
                self._say("354 go on")
                lines = iter(self.rfile.readline, b".\r\n")
                self.server.received.append(b"".join(lines).decode())
            if word == b"QUIT":
                break
            self._say("250 fine")

    def _say(self, answer: str) -> None:
        self.wfile.write(f"{answer}\r\n".encode())


@contextmanager
def serving(handler: Any, status: int = 200) -> Iterator[Inbox]:
    """Run a server while the block lasts."""
    with Inbox(handler, status) as inbox:
        thread = threading.Thread(target=inbox.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield inbox
        finally:
            inbox.shutdown()
            thread.join()
