"""Lists the files of the landing folder, and refuses those that Spark would read wrongly."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from urllib.parse import unquote

from pyspark.sql import SparkSession

from infra.errors import InputError, StorageError
from infra.settings import Settings
from infra.spark.listing import FOLDER, matches
from jobs.landing.sources import Feed

_PATTERN = frozenset("*?[]{}\\")
_PARQUETS_OWN = ("_metadata", "_common_metadata")


def landed_files(spark: SparkSession, feed: Feed, landing: str) -> dict[str, int]:
    """Return the sizes in bytes of the files a feed's glob matches now, by address.

    Raises
    ------
    InputError
        No file below the landing folder matches where the feed needs one, a folder lies where a
        file is expected, or one has a name of Parquet's own, of which Spark would read no row.
    """
    pattern = f"{landing}/{feed.files}"
    files = {
        file: size
        for file, size in matches(spark, pattern).items()
        if size == FOLDER or not _hidden(file)  # Spark reads the files of a hidden folder
    }
    if not files and not feed.may_be_empty:
        raise InputError(
            f"No file matches {pattern}.",
            "Check what the shop delivered, or the `files` of the source in jobs/sources.yaml; "
            "`may_be_empty: true` there lets a source wait for its first file.",
        )
    for file, size in files.items():
        if size == FOLDER:
            raise InputError(
                f"{file} is a folder where a file is expected.",
                "Move its files up, or correct the `files` of the source in jobs/sources.yaml.",
            )
        if _is_parquets_own(file):
            raise InputError(
                f"{file} begins like the names of Parquet's own summaries.",
                "Rename or remove it: Spark counts it as read and reads no row of it.",
            )
    return {_plain(file): size for file, size in files.items()}


def _hidden(file: str) -> bool:
    """Tell the name of a half-upload, by the rule by which Spark passes over it."""
    name = file.rpartition("/")[2]
    if name.startswith(_PARQUETS_OWN):
        return False
    below = name.startswith("_") and "=" not in name
    return below or name.startswith(".") or name.endswith("._COPYING_")


def _is_parquets_own(file: str) -> bool:
    """Tell a name that Spark lists and, when it is to read the file, passes over."""
    name = file.rpartition("/")[2]
    return name.startswith(_PARQUETS_OWN) and "=" not in name


def batch_bound(sizes: Collection[int], settings: Settings) -> dict[str, str]:
    """Return what bounds a batch: Spark takes a limit in bytes or one in files, never both.

    Where even the largest files, as many as the one limit lets into a batch, stay below the other,
    files are the tighter bound and both hold. Else bytes are what fills the memory.

    >>> from infra.settings import Settings
    >>> few = Settings(user_key_secret="x" * 16, ingest_batch_files=2, ingest_batch_bytes=100)
    >>> batch_bound([10, 20, 30], few), batch_bound([10, 20, 90], few), batch_bound([60], few)
    ({'maxFilesPerTrigger': '2'}, {'maxBytesPerTrigger': '100'}, {'maxBytesPerTrigger': '100'})
    """
    most = settings.ingest_batch_files
    largest = sorted(sizes)[-most:]
    if len(sizes) > most and sum(largest) <= settings.ingest_batch_bytes:
        return {"maxFilesPerTrigger": str(most)}
    return {"maxBytesPerTrigger": str(settings.ingest_batch_bytes)}


def require_plain_names(files: Iterable[str]) -> None:
    """Refuse names that Spark's stream takes for patterns: it read their neighbours twice.

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


def require_unchanged(landed: dict[str, int], read: dict[str, int]) -> None:
    """Hold the files as they are now against their sizes when they were read.

    Raises
    ------
    InputError
        A file has another size now: what came later was never read.
    """
    for file, size in landed.items():
        if read.get(file, size) != size:
            raise InputError(
                f"{file} had {read[file]} bytes when it was read and has {size} now.",
                "Deliver it whole under a new name: repeated events are left out by their ids.",
            )


def require_read(new: Iterable[str], landed: Collection[str], read: Collection[str]) -> None:
    """Hold the files that a run was to read, and that still lie there, against those in a batch.

    Raises
    ------
    StorageError
        The checkpoint counts a file as read, and no batch of the lake has it.
    """
    for file in new:
        if file in landed and file not in read:
            raise StorageError(
                f"{file} was passed over: the checkpoint has it as read, and no batch holds it.",
                "Restore the lake and its checkpoints from the same backup, or give the file "
                "another name: repeated events are left out by their ids.",
            )


def landed_name(address: str) -> str:
    """Write the address of a file as the listing does; Spark's own column quotes it as a URL."""
    return _plain(unquote(address))


def _plain(address: str) -> str:
    """Write a local address as a path: Hadoop says file:/x, Spark's columns say file:///x."""
    if not address.startswith("file:"):
        return address
    return "/" + address.removeprefix("file:").lstrip("/")
