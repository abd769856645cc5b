"""Says in one line why Spark failed, which it buries under pages of plans and stack traces."""

from __future__ import annotations

import re

from infra.errors import CatwalkError, InputError, SettingsError, SparkError, StorageError

_CAUSE = re.compile(r"Caused by: (?:[\w.$]+: )*([^\n]+)")
_FILE = re.compile(r"error while reading file (\S+?)\.\s")
_COLON = re.compile(r"URISyntaxException: Relative path in absolute URI: (\S+)")
_GONE = re.compile(r"\[PATH_NOT_FOUND\] Path does not exist: (.+?)\. (?:SQLSTATE|Verify)")
# SQLSTATE class 22, data exception, or KD000, a line that is no CSV: Spark names the value too,
# which may be personal and is never shown.
# It may hold line ends; errors of other classes before it are passed over.
_CLASS = r"\[([A-Z_]+)[.\w]*\] "
_VALUE = re.compile(rf"{_CLASS}(?:(?!{_CLASS})[\s\S])*?SQLSTATE: (?:22\w{{3}}|KD000)")
_SQL = re.compile(r"== SQL[^\n]*==\n([^\n]+)")
_EXPECTED = re.compile(r"\n(Expected: [^\n]+ but found: [^\n]+)")


def plain(error: Exception) -> CatwalkError:
    """Say what Spark found and what to do about it.

    Parameters
    ----------
    error : Exception
        Raised by PySpark or Py4J, or by the connection between them.

    Returns
    -------
    CatwalkError
        `StorageError` for a full disk, `InputError` for a file that cannot be read,
        `SettingsError` for SQL that ends at a value, else `SparkError` with the deepest cause.
    """
    text = str(error)
    if "No space left on device" in text:
        return StorageError("The disk is full: no space left on device.", "Free some space.")
    if isinstance(error, ConnectionError) or "does not exist in the JVM" in text:
        return SparkError(
            "The Java process of Spark is gone, most likely for want of memory.",
            "Raise CATWALK_SPARK_DRIVER_MEMORY, or look for a line of hundreds of megabytes.",
        )
    if value := _VALUE.search(text):
        return _unsuited(value[1], _SQL.search(text))
    if gone := _GONE.search(text):
        file = gone[1].removeprefix("file:").replace("///", "/")
        return InputError(f"{file} is gone since it was listed.", "Run again: it is left out.")
    colon = _COLON.search(text)
    if colon:
        return InputError(
            f"{colon[1]} has a colon in its name.", "Rename it: Hadoop takes none in a file name."
        )
    cause = _deepest(text)
    file = _FILE.search(text)
    if file:
        return InputError(
            f"{file[1].removeprefix('file:').replace('///', '/')} cannot be read: {cause}.",
            "Put a whole file of that name in its place, or an empty one (Parquet: without rows).",
        )
    return SparkError(f"Spark stopped: {cause}.", "The lines above say where.")


def _unsuited(kind: str, sql: re.Match[str] | None) -> SettingsError:
    what = f"The SQL `{sql[1].strip()}`" if sql else "SQL of sources.yaml"
    return SettingsError(
        f"{what} ends the run at a value that does not suit it ({kind}).",
        "Use try_cast, try_to_timestamp, try_divide ...: such a row is then quarantined.",
    )


def _deepest(text: str) -> str:
    causes = _CAUSE.findall(text) or text.splitlines()[:1] or ["no reason given"]
    expected = _EXPECTED.search(text)
    return f"{causes[-1].strip().rstrip('.')}{'. ' + expected[1] if expected else ''}"
