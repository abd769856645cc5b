"""Reads from Spark's log which files it planned for a batch, also those without rows.

Spark numbers what it sees of new files in `sources/0` of a checkpoint, one log each, every tenth
with all before it (`9.compact`); `offsets` says up to which number a batch goes. A kill between
the two makes the next batch go over several numbers.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from infra.lake import Lake
from infra.places import CHECKPOINTS
from jobs.landing.landing_folder import landed_name

_LOG = re.compile(r"(\d+)(\.compact)?")


def planned_files(lake: Lake, source: str, number: int) -> list[str]:
    """Return the addresses of all files of the batch `number` of a source."""
    before = _reached(lake, source, number - 1) if number else -1
    last = _reached(lake, source, number)
    seen = _entries(lake, f"{CHECKPOINTS}/{source}/sources/0", before)
    return sorted({landed_name(file["path"]) for file in seen if before < file["batchId"] <= last})


def checkpoint_id(lake: Lake, source: str) -> str:
    """Return the name Spark gave the checkpoint of a source when it began it."""
    return str(json.loads(lake.store.read(f"{CHECKPOINTS}/{source}/metadata"))["id"])


def _reached(lake: Lake, source: str, number: int) -> int:
    """Return the last number of the source's log that a batch goes up to."""
    content = lake.store.read(f"{CHECKPOINTS}/{source}/offsets/{number}").decode()
    return int(json.loads(content.splitlines()[-1])["logOffset"])


def _entries(lake: Lake, folder: str, before: int) -> Iterator[dict[str, Any]]:
    """Give the entries of the logs after a number; a later log repeats those of a deleted one."""
    for key in lake.store.list(folder):
        log = _LOG.fullmatch(key.rpartition("/")[2])
        if log and int(log[1]) > before:
            lines = lake.store.read(key).decode().splitlines()
            yield from map(json.loads, lines[1:])  # below the version
