"""Accounts for every file below the landing folder: of a source, waiting, or read by nobody."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from infra.errors import InputError
from infra.places import LANDED_SERVED, LANDED_STOCK
from infra.settings import Settings
from infra.stores.opening import open_store
from jobs.landing.first_bytes import strange
from jobs.landing.landing_folder import is_upload, landed_files, root_of
from jobs.landing.sources import Feed, Source
from jobs.landing.unpacking import content_of

MOST_NAMED = 50  # in a record; a log names fewer
_MOST_LOGGED = 10
_OTHERS = (f"{LANDED_SERVED}/", f"{LANDED_STOCK}/")  # read by other jobs
_OWN = {"simulation.json"}  # what the simulated shop keeps beside its files
Sizes = Mapping[str, int]  # bytes by name below the landing folder


@dataclass(frozen=True)
class Unread:
    """What lies below the landing folder and is no file of a source.

    Attributes
    ----------
    waiting : mapping
        Uploads that go on, by their names.
    unread : mapping
        What no source reads.
    looks : mapping
        Of some of those what their first bytes say, where it is not what a source reads.
    """

    waiting: Sizes
    unread: Sizes
    looks: Mapping[str, str]

    def record(self) -> dict[str, Any]:
        """Return what the record of the ingestion says of it."""
        shown = sorted(self.unread)[:MOST_NAMED]
        return {
            "unread_files": len(self.unread),
            "unread": [
                {"file": name, "bytes": self.unread[name], "looks": self.looks.get(name, "")}
                for name in shown
            ],
            "waiting_files": len(self.waiting),
            "waiting": sorted(self.waiting)[:MOST_NAMED],
        }

    def summary(self) -> str:
        """Say it in the log, a line for each kind; empty if every file is of a source."""
        said = [
            f"{len(self.unread):,} files below the landing folder are read by no source: "
            f"{self._named(self.unread)}. Move them, or widen `files` of a source in sources.yaml."
            if self.unread
            else "",
            f"{len(self.waiting):,} uploads go on, by their names: {self._named(self.waiting)}."
            if self.waiting
            else "",
        ]
        return "\n".join(line for line in said if line)

    def _named(self, files: Iterable[str]) -> str:
        names = sorted(files)
        told = [_printable(name) + self._look(name) for name in names[:_MOST_LOGGED]]
        more = len(names) - len(told)
        return ", ".join(told) + (f" and {more:,} more" if more else "")

    def _look(self, name: str) -> str:
        return f" ({self.looks[name]})" if name in self.looks else ""


def unread_files(spark: SparkSession, sources: Mapping[str, Source], settings: Settings) -> Unread:
    """Look for files below the landing folder that no source of an installation reads."""
    everything = everything_below(settings)  # first: what lands meanwhile has a source too
    feeds: list[Feed] = []
    for name, source in sources.items():
        feeds += [source.events.with_replays(name), *([source.items] if source.items else [])]
    found: set[str] = set()
    for feed in feeds:
        found |= landed_files(
            spark, feed.model_copy(update={"may_be_empty": True}), settings
        ).keys()
    return account(everything, found, settings)


def account(everything: Sizes, found: Iterable[str], settings: Settings) -> Unread:
    """Sort the files below the landing folder by whether a source has them."""
    found = {*found, *_OWN}
    others = {
        name: size
        for name, size in everything.items()
        if name not in found and not name.startswith(_OTHERS)
    }
    waiting = {name: size for name, size in others.items() if is_upload(name, settings)}
    unread = {name: size for name, size in others.items() if name not in waiting}
    looks = {name: _look(name, settings) for name in sorted(unread)[:_MOST_LOGGED]}
    return Unread(waiting, unread, {name: look for name, look in looks.items() if look})


def everything_below(settings: Settings) -> dict[str, int]:
    """Return the bytes of all files below the landing folder, hidden ones too, by name."""
    landing = root_of(settings.landing)
    if "://" in landing:
        store = open_store(landing, settings)
        return dict.fromkeys(store.list(""), 0)
    top, sizes = Path(landing), dict[str, int]()
    seen: set[str] = set()
    for folder, below, names in os.walk(top, followlinks=True):
        real = os.path.realpath(folder)
        if real in seen:  # a link that leads back
            below.clear()
            continue
        seen.add(real)
        for name in names:
            file = Path(folder, name)
            with suppress(FileNotFoundError):  # a link that leads nowhere, or an upload that ended
                sizes[file.relative_to(top).as_posix()] = file.stat().st_size
    return sizes


def _look(name: str, settings: Settings) -> str:
    """Say what a file is that no source reads, if it is no plain lines of text."""
    try:
        content = content_of(f"{root_of(settings.landing)}/{name}", settings)
    except InputError:
        return "it cannot be unpacked"
    found = (strange(start, "jsonl") for _, start in content.starts)
    told = next((what for what in found if what), None)
    return told[0] if told else f"packed by {content.packing}" if content.packing else ""


def _printable(name: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in name)
