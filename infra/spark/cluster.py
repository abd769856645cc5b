"""Prepares a job on a cluster: ships code and folders to the executors, and checks the lake."""

from __future__ import annotations

import sys
import tempfile
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import ZipFile

from infra.errors import StorageError
from infra.lake import Lake
from infra.places import REPOSITORY, SCRATCH

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_PACKAGES = ("infra", "jobs", "models")  # what a function that runs on an executor may import
_CODE = "catwalk_code.zip"


def ship_code(spark: SparkSession) -> None:
    """Bring Catwalk's packages to the executors, which have no repository.

    Not by spark-submit's `--py-files`: one of an operator's would replace it, and the driver would
    import from the archive, where no YAML file can be opened.
    """
    from pyspark import SparkFiles

    shipped = SparkFiles.getRootDirectory()
    # below Spark's own folder: it goes with the session, and executors may come late
    archive = Path(tempfile.mkdtemp(dir=shipped)) / _CODE
    files = (file for name in _PACKAGES for file in sorted((REPOSITORY / name).rglob("*.py")))
    _pack(archive, REPOSITORY, files)
    spark.sparkContext.addPyFile(str(archive))
    sys.path.remove(str(Path(shipped) / _CODE))  # of this process; it has the repository


def ship_folder(spark: SparkSession, folder: Path, scratch: Path) -> str:
    """Bring a local folder to the executors, and return the name that `shipped_folder` takes.

    Its archive is made in `scratch`, and must stay as long as an executor may ask for it.
    """
    name = f"{folder.name}-{uuid.uuid4().hex}"  # workers keep what they loaded, by this name
    archive = scratch / f"{name}.zip"
    _pack(archive, folder, (path for path in sorted(folder.rglob("*")) if path.is_file()))
    # as a URL: of a path with a space in it Spark takes the name for a part
    spark.sparkContext.addArchive(f"{archive.resolve().as_uri()}#{name}")
    return name


def shipped_folder(name: str) -> Path:
    """Return where a shipped folder lies on the executor that asks."""
    from pyspark import SparkFiles

    return Path(SparkFiles.get(name))


def require_shared(spark: SparkSession, lake: Lake) -> None:
    """Check that executors see what this process writes into the lake.

    Raises
    ------
    StorageError
        One does not: it would write its rows where nobody finds them.
    """
    from pyspark.errors import PySparkException

    key = f"{SCRATCH}/{uuid.uuid4().hex}"
    lake.store.write(f"{key}/seen", b"seen\n")
    try:
        # a task for each core, so that more than one executor is asked
        cores = spark.sparkContext.defaultParallelism
        spark.read.text([lake.address(key, "seen")] * cores).collect()
    except PySparkException as error:
        print(error, file=sys.stderr, flush=True)  # also of a bucket that they may not use
        raise StorageError(
            f"Executors of {spark.sparkContext.master} do not see the lake {lake.address()}.",
            "Set CATWALK_LAKE to a bucket that they may use, or to a folder that is mounted at the "
            "same place on all machines of the cluster; the lines above say what they met.",
        ) from None
    finally:
        lake.store.delete_folder(key)


def _pack(archive: Path, top: Path, files: Iterable[Path]) -> None:
    """Write files into an archive as they are: the numbers of a model hardly shrink.

    Compressing them took a minute per gigabyte.
    """
    with ZipFile(archive, "w", strict_timestamps=False) as packed:  # sources may be older than zip
        for file in files:
            packed.write(file, file.relative_to(top))
