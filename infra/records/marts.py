"""The record of a build of the marts: which folder of each day and each test counts, and why."""

from __future__ import annotations

from datetime import date
from typing import Any

from pydantic import AwareDatetime, Field

from infra.rules import Strict


class MartsRecord(Strict):
    """What readers of the marts go by; the highest number counts.

    Attributes
    ----------
    run : str
        The run that built it.
    known_until : datetime
        All events before it have arrived, as far as anybody can tell.
    final_until : dict
        By table the last day (UTC) that is complete; None before there is any. Later days are
        shown as preliminary, and late events mend final ones too.
    events, served : dict
        The batches it was made of, by name, with when each was written.
    partitions : dict
        By table and day (or `NUMBER-PHASE` of a test) the number of the build whose folder counts.
    """

    number: int = Field(ge=1)
    at: AwareDatetime
    run: str
    known_until: AwareDatetime
    final_until: dict[str, date | None]
    events: dict[str, str]
    served: dict[str, str]
    partitions: dict[str, dict[str, int]]

    def partition(self, table: str, name: str) -> str:
        """Return the folder of a day or a test below its table; raise `KeyError` without one."""
        return partition_of(self.partitions[table][name], name)

    def counts(self) -> dict[str, Any]:
        """Return what Airflow shows of it: how many days of each table this build made."""
        made = {
            table: sum(build == self.number for build in names.values())
            for table, names in self.partitions.items()
        }
        return {"build": self.number, "known_until": self.known_until.isoformat(), **made}


def build_of(number: int) -> str:
    """Return the folder of a build below each table: `build=000042`."""
    return f"build={number:06d}"


def partition_of(number: int, name: str) -> str:
    """Return the folder of a day or a test in a build: `build=000042/of=2026-11-24`."""
    return f"{build_of(number)}/of={name}"
