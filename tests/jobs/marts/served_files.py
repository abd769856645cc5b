"""Lines of the served log, as a server writes them, and where they land."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import msgspec

from infra.places import LANDED_SERVED
from infra.storage import Storage
from models.serving.api.wire import ShownItem
from models.serving.logs.served_log import ServedLine

encode = msgspec.json.Encoder().encode


def line(request: str, at: str, sequence: int, items: str, **more: object) -> bytes:
    """Write an answer with these items, between spaces, as the server itself does."""
    shown = [ShownItem(item, place, 0.5, "personal") for place, item in enumerate(items.split(), 1)]
    plain = {"process": "w1", "placement": "home", "version": "v1", "ms": 1.5}
    facts = {**plain, "items": shown, "applied_rules": [], **more}
    when = datetime.fromisoformat(at)
    return encode(ServedLine(request_id=request, at=when, sequence=sequence, **facts))  # type: ignore[arg-type]


def land_served(shop: Storage, *lines: bytes, name: str = "20261124T100000-w1-000001") -> Path:
    """Land a file of the log."""
    file = Path(shop.landing) / LANDED_SERVED / f"{name}.jsonl"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"".join(line + b"\n" for line in lines))
    return file
