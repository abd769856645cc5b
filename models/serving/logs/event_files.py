"""The events that shops send: on disk before they are accepted, then landed like any file."""

from __future__ import annotations

import hmac
import threading
from collections.abc import Sequence
from datetime import datetime

import msgspec

from infra.ids import clean_id
from infra.places import LANDED_EVENTS
from models.serving.api.problems import without_values
from models.serving.api.wire import Event, Events, Refused, refusal
from models.serving.logs.spool import Spool

LANDED = f"{LANDED_EVENTS}/rest"  # as jobs/sources.yaml has it
_event = msgspec.json.Decoder(Event)
_encode = msgspec.json.Encoder().encode


class EventFiles:
    """The file that a process writes its events to."""

    def __init__(self, spool: Spool) -> None:
        self._spool, self._lock = spool, threading.Lock()

    def write(self, groups: Sequence[bytes]) -> None:
        """Write whole lines; raise `OSError` if not all of them are on disk."""
        with self._lock:
            self._spool.append(b"".join(groups))

    def close_if_due(self) -> None:
        """Close the file if it is full or old, so that it can land."""
        with self._lock:
            self._spool.close_if_due()

    def close(self) -> None:
        """Close the file, so that it can land."""
        with self._lock:
            self._spool.close()


def event_lines(events: Events, secret: bytes, now: datetime) -> tuple[bytes, list[Refused]]:
    """Return the lines of the events that are accepted, and why the others are not.

    Parameters
    ----------
    secret : bytes
        Ids that events do not bring are made under it: whoever guesses an event learns nothing.
    """
    lines, refused = [], []
    for index, raw in enumerate(events.events):
        try:
            event = _event.decode(raw)
            why = refusal(event, now)
        except msgspec.ValidationError as error:
            why = f"{without_values(error)}."
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            why = "It is not JSON."
        if why:
            refused.append(Refused(index, why))
        else:
            lines.append(_encode(event if clean_id(event.event_id) else _named(event, secret)))
    return b"".join(line + b"\n" for line in lines), refused


def _named(event: Event, secret: bytes) -> Event:
    """Give an event an id that follows from what it says, so the same one sent again has the same.

    It is a keyed hash, since it goes where no ids of customers may go.
    """
    nameless = msgspec.structs.replace(event, event_id="")
    digest = hmac.digest(secret, b"catwalk event " + _encode(nameless), "sha256")
    return msgspec.structs.replace(event, event_id=f"rest-{digest[:16].hex()}")
