"""Prepares a job on a cluster: ships code and folders to the executors, and checks the lake."""

from __future__ import annotations

import shutil
import sys
import tempfile
import uuid
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
    with ZipFile(archive, "w") as code:
        for package in _PACKAGES:
            for file in sorted((REPOSITORY / package).rglob("*.py")):
                code.write(file, file.relative_to(REPOSITORY))
    spark.sparkContext.addPyFile(str(archive))
    sys.path.remove(str(Path(shipped) / _CODE))  # of this process; it has the repository


def ship_folder(spark: SparkSession, folder: Path, scratch: Path) -> str:
    """Bring a local folder to the executors, and return the name that `shipped_folder` takes.

    Its archive is made in `scratch`, and must stay as long as an executor may ask for it.
    """
    name = f"{folder.name}-{uuid.uuid4().hex}"  # workers keep what they loaded, by this name
    archive = shutil.make_archive(str(scratch / name), "zip", folder)
    spark.sparkContext.addArchive(f"{archive}#{name}")
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
    except PySparkException:
        raise StorageError(
            f"Executors of {spark.sparkContext.master} do not see the lake {lake.address()}.",
            "Set CATWALK_LAKE to a bucket, or to a folder that is mounted at the same place on all "
            "machines of the cluster.",
        ) from None
    finally:
        lake.store.delete_folder(key)
