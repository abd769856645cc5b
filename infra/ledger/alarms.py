"""The alarms that people were told of, one a release: `alarms/NUMBER.json` in the reports."""

from __future__ import annotations

from infra.places import ALARMS
from infra.records.alarms import ReleaseWatch
from infra.rules import parse_json
from infra.storage import Storage
from infra.stores.numbered import key
from infra.stores.object_store import AlreadyExistsError, read_if_there

CURE = "Delete it: people are then told once more."


def alarm_of(storage: Storage, number: int) -> ReleaseWatch | None:
    """Return what people were told about the release of a pointer; None if nothing."""
    content = read_if_there(storage.reports, key(ALARMS, number))
    if content is None:
        return None
    return parse_json(content, ReleaseWatch, f"The alarm {key(ALARMS, number)}", CURE)


def note_alarm(storage: Storage, watch: ReleaseWatch) -> None:
    """Note that people were told; once is enough."""
    content = watch.model_dump_json(indent=1).encode()
    try:
        storage.reports.create(key(ALARMS, watch.number), content)
    except AlreadyExistsError:
        return
