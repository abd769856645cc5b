"""Which tests are about faults: they kill, soak, fill a disk, or need a server of their own.

Servers are those of S3, Airflow and Catwalk; a copy of the repository counts as one, too.

They take longest: `make test` leaves them out, `make test-faults` runs them, and `.ci/run` runs
both. A test is known by what it asks for or by its name, so that nobody has to remember a mark; one
that is about a fault and shows neither has the mark `faults`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import pytest

FIXTURES = {"s3", "s3_server", "small_disk", "airflow_server", "server", "clone"}
KILLS = re.compile(r"(?<![a-z])(kill|kills|killed|soak)(?![a-z])")


def fixtures_of(item: pytest.Item) -> set[str]:
    """Return the fixtures a test asks for, also by a parameter that is called like one."""
    parameters = getattr(getattr(item, "callspec", None), "params", {}).values()
    asked = {value for value in parameters if isinstance(value, str)} & FIXTURES
    return asked | set(getattr(item, "fixturenames", ()))


def is_about_a_fault(file: str, test: str, fixtures: Iterable[str]) -> bool:
    """Tell by the stem of its file, its name without parameters, and its fixtures."""
    named = file.endswith("_faults") or KILLS.search(f"{file} {test}") is not None
    return named or bool(FIXTURES & set(fixtures))
