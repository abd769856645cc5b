"""Runs a job: in this process, or on a cluster through spark-submit."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType

from infra.command_line import run_program
from infra.errors import SparkError
from infra.hidden import hide_in_command
from infra.places import REPOSITORY
from infra.settings import Settings, load_settings
from infra.spark.cluster import require_shared, ship_code
from infra.spark.faults import plain
from infra.spark.java import prepare_submitting
from infra.spark.session import LOG_OPTION, session, start_local
from infra.storage import Storage


def submit(job: ModuleType, arguments: Sequence[str]) -> None:
    """Run a job: in this process on a local master, through spark-submit on a cluster.

    Raises
    ------
    SparkError
        spark-submit is missing, or the job ended with an error.
    """
    settings = load_settings()
    if _is_local(settings):
        start_local(settings)
        run_here(job, arguments)
        return
    prepare_submitting()
    command = submit_command(job, arguments, settings)
    print(shlex.join(hide_in_command(command)), flush=True)
    code = subprocess.run(command, check=False).returncode
    if code != 0:
        raise SparkError(
            f"{job.__name__} ended with status {code} on {settings.spark_master}.",
            "Its own lines above say why.",
        )


def submit_command(job: ModuleType, arguments: Sequence[str], settings: Settings) -> list[str]:
    """Render the spark-submit command of a job; of an option given twice Spark takes the last.

    The operator's options come last. The driver logs as a local one does, without values, unless
    they name others for its Java; what executors log stays on their machines, where this Python
    must be too, unless they name another `spark.pyspark.python`.
    """
    program = str(Path(sys.executable).with_name("spark-submit"))
    options = ["--master", settings.spark_master, "--driver-memory", settings.spark_driver_memory]
    options += ["--conf", f"spark.driver.extraJavaOptions={LOG_OPTION}"]
    for python in ("spark.pyspark.driver.python", "spark.pyspark.python"):
        options += ["--conf", f"{python}={sys.executable}"]
    extra = shlex.split(settings.spark_submit_options)
    return [program, *options, *extra, str(job.__file__), *arguments]


def run_here(job: ModuleType, arguments: Sequence[str]) -> None:
    """Run a job's main in this process.

    Raises
    ------
    CatwalkError
        What the job refused, or what Spark found, in one line.
    """
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException

    try:
        job.main(list(arguments))
    except (PySparkException, Py4JError, ConnectionError) as error:
        told = plain(error)
        if isinstance(told, SparkError):  # else it is understood, and the text may hold values
            print(error, file=sys.stderr, flush=True)
        raise told from None


def run_submitted() -> int:
    """Run the job that spark-submit started as its program, as `run_here` does.

    Returns
    -------
    int
        Exit status; an error is one line, as it is in the task.
    """
    program = Path(str(sys.modules["__main__"].__file__)).resolve()
    # by its own name: executors can import no `__main__`
    job = import_module(".".join(program.relative_to(REPOSITORY).with_suffix("").parts))

    def main() -> int:
        settings = load_settings()
        if not _is_local(settings):
            spark = session(program.stem)
            require_shared(spark, Storage(settings).lake)
            ship_code(spark)
        run_here(job, sys.argv[1:])
        return 0

    return run_program(main)


def _is_local(settings: Settings) -> bool:
    return settings.spark_master.startswith("local")
