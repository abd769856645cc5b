"""What Spark raises, in one line: its own messages bury the cause under pages of plan and stack."""

from __future__ import annotations

import re

from infra.errors import CatwalkError, InputError, SparkError, StorageError

_CAUSE = re.compile(r"Caused by: (?:[\w.$]+: )*([^\n]+)")
_FILE = re.compile(r"error while reading file (\S+?)\.\s")
_COLON = re.compile(r"URISyntaxException: Relative path in absolute URI: (\S+)")
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
        `StorageError` for a full disk, `InputError` for a file that cannot be read, else
        `SparkError` with the deepest cause.
    """
    text = str(error)
    if "No space left on device" in text:
        return StorageError("The disk is full: no space left on device.", "Free some space.")
    if isinstance(error, ConnectionError) or "does not exist in the JVM" in text:
        return SparkError(
            "The Java process of Spark is gone, most likely for want of memory.",
            "Raise CATWALK_SPARK_DRIVER_MEMORY, or look for a line of hundreds of megabytes.",
        )
    colon = _COLON.search(text)
    if colon:
        return InputError(
            f"{colon[1]} has a colon in its name.", "Rename it: Hadoop takes none in a file name."
        )
    cause = _deepest(text)
    file = _FILE.search(text)
    if file:
        return InputError(
            f"{file[1].removeprefix('file://')} cannot be read: {cause}.",
            "Put a whole file of that name in its place, or move it away.",
        )
    return SparkError(f"Spark stopped: {cause}.", "The lines above say where.")


def _deepest(text: str) -> str:
    causes = _CAUSE.findall(text) or text.splitlines()[:1] or ["no reason given"]
    expected = _EXPECTED.search(text)
    return f"{causes[-1].strip().rstrip('.')}{'. ' + expected[1] if expected else ''}"
