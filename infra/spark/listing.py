"""Lists the files that a Hadoop pattern matches, in a few calls to the JVM."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from infra.errors import InputError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

FOLDER = -1
# how Hadoop writes the status of a file as text; that of a folder has no length
_STATUS = re.compile(
    r"FileStatus\{path=(.*?); isDirectory=(?:true|false; length=(\d+));.*?modification_time=(\d+)",
    re.DOTALL,
)
_SIGN = "; isDirectory="


class Status(NamedTuple):
    """What a listing says of a file: its bytes, and its own time in seconds since 1970."""

    size: int
    modified: float


def matches(spark: SparkSession, pattern: str) -> dict[str, Status]:
    """Return the status of what a pattern matches, by Hadoop's address; empty if nothing.

    A folder has the size `FOLDER`. All statuses come in one text: asked one by one over the bridge
    to Python, 10,000 files take seconds.

    Raises
    ------
    InputError
        A name holds what separates the parts of that text.
    """
    context = spark.sparkContext
    jvm = context._jvm
    assert jvm is not None
    path = jvm.org.apache.hadoop.fs.Path(pattern)
    statuses = path.getFileSystem(context._jsc.hadoopConfiguration()).globStatus(path)
    if statuses is None:
        return {}
    text = jvm.org.apache.commons.lang3.ArrayUtils.toString(statuses)
    if text.count(_SIGN) != len(statuses):
        raise InputError(f"A file that matches {pattern} has '{_SIGN}' in its name.", "Rename it.")
    return {
        name: Status(int(size or FOLDER), int(millis) / 1000)
        for name, size, millis in _STATUS.findall(text)
    }
