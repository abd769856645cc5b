"""The page to try the API: one file, which loads nothing and runs no script but its own."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

from models.serving.api.answers import Bytes

_FILE = Path(__file__).with_name("page.html")


def page() -> Bytes:
    """Return the page; its policy names the hashes of its only script and style."""
    content = _FILE.read_text(encoding="utf-8")
    policy = "; ".join(
        [
            "default-src 'none'",
            f"script-src {_hash(content, 'script')}",
            f"style-src {_hash(content, 'style')}",
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        ]
    )
    headers = (
        (b"content-security-policy", policy.encode()),
        (b"x-content-type-options", b"nosniff"),
        (b"referrer-policy", b"no-referrer"),
    )
    return Bytes(content.encode(), b"text/html; charset=utf-8", headers=headers)


def _hash(content: str, tag: str) -> str:
    found = re.search(rf"<{tag}>(.*?)</{tag}>", content, re.DOTALL)
    assert found
    digest = hashlib.sha256(found[1].encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
