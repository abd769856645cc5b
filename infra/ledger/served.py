"""The batches of the served log: which files each read, and which answers never arrived.

Workers number their answers. So what is missing between the numbers of a worker was answered and
not written down, or its file has not landed yet; what a killed worker lost at its end is not seen.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from infra.mart_schemas import SERVED
from infra.places import INDEX
from infra.storage import Storage
from infra.stores.copies import CopiedFolder
from infra.stores.object_store import MANIFEST

SOURCE = "served_log"
Manifests = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class DayOfLog:
    """What the log has of a day (UTC): `answers`, and how many more are `missing`."""

    answers: int
    missing: int


def served_manifests(storage: Storage) -> dict[str, dict[str, Any]]:
    """Return the manifest of every finished batch of the served log, by its name, sorted."""
    store, ending = storage.lake.store, f"/{MANIFEST}"
    files = CopiedFolder(store, SERVED.name, ending, f"{INDEX}/{SERVED.name}.json").read()
    named = {
        key.removeprefix(f"{SERVED.name}/").removesuffix(ending): json.loads(file.content)
        for key, file in files.items()
    }
    return dict(sorted(named.items()))


def counts(storage: Storage, run: str) -> dict[str, Any]:
    """Return what a run read of the log, and what the log lacks by now."""
    manifests = served_manifests(storage)
    own = [manifest for manifest in manifests.values() if manifest["run"] == run]
    names = ("rows", "repeats")
    broken = sum(sum(manifest["quarantined"].values()) for manifest in own)
    missing = sum(day.missing for day in days_of_log(manifests).values())
    read = {name: sum(manifest[name] for manifest in own) for name in names}
    return {"batches": len(own), **read, "broken": broken, "missing_in_all": missing}


def days_of_log(manifests: Manifests) -> dict[str, DayOfLog]:
    """Return what the log has of each day; a gap at midnight belongs to the later day."""
    answers: dict[str, int] = defaultdict(int)
    missing: dict[str, int] = defaultdict(int)
    for spans in _by_process(manifests.values()).values():
        highest = 0
        for day, (last, rows) in sorted(spans.items()):
            answers[day] += rows
            missing[day] += max(0, last - highest - rows)
            highest = max(highest, last)
    return {day: DayOfLog(answers[day], missing[day]) for day in sorted(answers)}


def _by_process(
    manifests: Iterable[Mapping[str, Any]],
) -> dict[str, dict[str, tuple[int, int]]]:
    """Return the last number and the answers of each worker and day."""
    found: dict[str, dict[str, tuple[int, int]]] = defaultdict(dict)
    for manifest in manifests:
        for span in manifest["processes"]:
            last, rows = found[span["process"]].get(span["day"], (0, 0))
            entry = max(last, span["last"]), rows + span["rows"]
            found[span["process"]][span["day"]] = entry
    return found
