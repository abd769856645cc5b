"""Lists the files of the landing folder, and refuses those that Spark would read wrongly."""

from __future__ import annotations

import os.path
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import takewhile
from pathlib import PurePosixPath
from urllib.parse import unquote

from pyspark.sql import SparkSession

from infra.errors import InputError
from infra.settings import Settings
from infra.spark.listing import FOLDER, matches
from jobs.landing.sources import Feed, replay_folder

_PATTERN = frozenset("*?[]{}\\")
UNPACKED = ".unpacked"  # at the end of the name of a copy
# how programs call what they have not written to its end: HDFS, WinSCP, wget, browsers
_UPLOADS = ("._copying_", ".filepart", ".part", ".partial", ".tmp", ".crdownload")
_PARQUETS_OWN = ("_metadata", "_common_metadata")


@dataclass(frozen=True)
class LandedFile:
    """A file as it was listed.

    Attributes
    ----------
    address : str
        Where it lies.
    size : int
        Its bytes.
    modified : float
        Its own time, in seconds since 1970.
    copy : str
        Where Spark reads it unpacked; empty where it reads the file itself.
    joined : bool
        Whether rows that went on over several lines have one each in the copy.
    """

    address: str
    size: int
    modified: float
    copy: str = ""
    joined: bool = False


Landed = Mapping[str, LandedFile]  # by the name below the landing folder


def landed_files(spark: SparkSession, feed: Feed, settings: Settings) -> dict[str, LandedFile]:
    """Return the files a feed's glob matches now, by their names below the landing folder.

    Raises
    ------
    InputError
        No file below the landing folder matches where the feed needs one, a folder lies where a
        file is expected, or one has a name of Parquet's own, of which Spark would read no row.
    """
    landing = settings.landing
    pattern = f"{landing}/{feed.files}"
    files = {
        file: status
        for file, status in matches(spark, pattern).items()
        if status.size == FOLDER or not is_upload(file, settings)
    }
    if not files and not feed.may_be_empty:
        raise InputError(
            f"No file matches {pattern}.",
            "Check what the shop delivered, or the `files` of the source in sources.yaml; "
            "`may_be_empty: true` there lets a source wait for its first file.",
        )
    for file, status in files.items():
        if status.size == FOLDER:
            raise InputError(
                f"{file} is a folder where a file is expected.",
                "Move its files up, or correct the `files` of the source in sources.yaml.",
            )
        if _is_parquets_own(file):
            raise InputError(
                f"{file} begins like the names of Parquet's own summaries.",
                "Rename or remove it: Spark counts it as read and reads no row of it.",
            )
    plain = {plain_address(file): status for file, status in files.items()}
    return {
        name_below(landing, file): LandedFile(file, status.size, status.modified)
        for file, status in plain.items()
    }


def name_below(landing: str, address: str) -> str:
    """Return what is left of an address below the landing folder: the name of a landed file."""
    return address.removeprefix(f"{root_of(landing)}/")


def root_of(landing: str) -> str:
    """Write the landing folder as a listing does, which knows no relative paths."""
    return landing.rstrip("/") if "://" in landing else os.path.abspath(landing)  # noqa: PTH100 - links stay


def read_name(written: str, landing: str, folders: Iterable[str]) -> str:
    """Return the name below the landing folder of a file that a manifest names.

    Earlier Catwalks wrote whole addresses, also of a landing folder that has moved since: there
    the name begins with a folder of the feed.

    >>> read_name("/old/shop/landing/events/shop/a.jsonl", "/new/landing", ["events/shop"])
    'events/shop/a.jsonl'
    >>> read_name("events/shop/a.jsonl", "/new/landing", ["events/shop"])
    'events/shop/a.jsonl'
    """
    below = name_below(landing, written)
    if not below.startswith("/") and "://" not in below:
        return below
    for folder in folders:
        _, found, rest = below.rpartition(f"/{folder}/")
        if found:
            return f"{folder}/{rest}"
    return below


def folders_of(feed: Feed, source: str) -> list[str]:
    """Return the folders below the landing folder where files of a source's feed lie.

    >>> from jobs.landing.sources import load_sources
    >>> folders_of(load_sources(("shop",))["shop"].events, "shop")
    ['events/shop', 'replayed/shop']
    """
    steps = PurePosixPath(feed.files).parts[:-1]
    literal = takewhile(lambda step: _PATTERN.isdisjoint(step), steps)
    return [folder for folder in ("/".join(literal), replay_folder(source)) if folder]


def is_upload(file: str, settings: Settings) -> bool:
    """Tell the name of an upload that goes on: hidden, as Spark has it, or by its ending.

    >>> settings = Settings(user_key_secret="x" * 16, more_uploads=(".wip",))
    >>> names = ".a.jsonl", "_a.jsonl", "_a=b.jsonl", "a.jsonl.part", "a.wip", "_temporary/0/a", "a"
    >>> [is_upload(f"events/{name}", settings) for name in names]
    [True, True, False, True, True, True, False]
    """
    *folders, name = file.split("/")
    if name.startswith(_PARQUETS_OWN):
        return False
    if any(folder.startswith("_temporary") for folder in folders) or _is_hidden(name):
        return True
    return name.lower().endswith((*_UPLOADS, *(end.lower() for end in settings.more_uploads)))


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or (name.startswith("_") and "=" not in name)


def _is_parquets_own(file: str) -> bool:
    """Tell a name that Spark lists and, when it is to read the file, passes over."""
    name = file.rpartition("/")[2]
    return name.startswith(_PARQUETS_OWN) and "=" not in name


def portions(files: Landed, settings: Settings) -> Iterator[dict[str, LandedFile]]:
    """Cut files into batches within both bounds of the settings, the oldest first.

    A file that is larger than a batch may be is alone in its own.
    """
    portion: dict[str, LandedFile] = {}
    size = 0
    for name, file in sorted(files.items(), key=lambda pair: (pair[1].modified, pair[0])):
        full = len(portion) >= settings.ingest_batch_files
        if portion and (full or size + file.size > settings.ingest_batch_bytes):
            yield portion
            portion, size = {}, 0
        portion[name] = file
        size += file.size
    if portion:
        yield portion


def require_plain_names(files: Iterable[str]) -> None:
    """Refuse names that Spark takes for patterns: it reads their neighbours twice.

    Raises
    ------
    InputError
        A name holds a sign of a pattern.
    """
    for file in files:
        if not _PATTERN.isdisjoint(file):
            raise InputError(
                f"{file} has one of the signs * ? [ ] {{ }} \\ in its name.",
                "Rename it before it is read: Spark takes such a name for a pattern of many.",
            )


def require_unchanged(landed: Landed, read: Mapping[str, int]) -> None:
    """Hold the files as they are now against their sizes when they were read.

    Raises
    ------
    InputError
        A file has another size now: what came later was never read.
    """
    for name, file in landed.items():
        if read.get(name, file.size) != file.size:
            raise InputError(
                f"{file.address} had {read[name]} bytes when it was read and has {file.size} now.",
                "Deliver it whole under a new name: repeated events are left out by their ids.",
            )


def addresses(files: Landed) -> list[str]:
    """Return where Spark reads the files."""
    return [file.copy or file.address for file in files.values()]


def landed_name(address: str) -> str:
    """Write the address of a file as the listing does; Spark's own column quotes it as a URL."""
    return plain_address(unquote(address))


def plain_address(address: str) -> str:
    """Write a local address as a path: Hadoop says file:/x, Spark's columns say file:///x."""
    if not address.startswith("file:"):
        return address
    return "/" + address.removeprefix("file:").lstrip("/")
