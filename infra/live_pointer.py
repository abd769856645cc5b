"""What is live: create-only numbered pointers, of which the highest counts."""

from __future__ import annotations

import re
from pathlib import Path

from pydantic import ValidationError

from infra.errors import PublishError
from infra.records import PublishRecord
from infra.rules import describe
from infra.storage import Storage

LIVE = "live"


def live(storage: Storage) -> PublishRecord | None:
    """Return what is live now; None before the first publishing.

    Raises
    ------
    PublishError
        The newest pointer cannot be understood, or is not the one its name says.
    """
    pointers = [
        key for key in storage.published.list(LIVE) if re.fullmatch(rf"{LIVE}/\d{{10}}\.json", key)
    ]
    if not pointers:
        return None
    try:
        record = PublishRecord.model_validate_json(storage.published.read(pointers[-1]))
    except ValidationError as error:
        raise PublishError(
            f"The live pointer {pointers[-1]} cannot be read: {describe(error)}",
            "Restore it from the record of its run; nothing is published until then.",
        ) from error
    if record.number != int(Path(pointers[-1]).stem):
        raise PublishError(
            f"The live pointer {pointers[-1]} says it is number {record.number}.",
            "Restore it from the record of its run; nothing is published until then.",
        )
    return record
