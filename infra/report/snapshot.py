"""Reads all records of a run, however far the run got."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from pydantic import ConfigDict, Field, NonNegativeInt

from infra.errors import SettingsError, StorageError
from infra.ledger.record_files import RecordFiles
from infra.places import APPROVAL, EVALUATION, INGEST, PUBLISHED, REFIT, VERDICT, gate_file
from infra.records.evaluation import EvaluationRecord
from infra.records.gates import GateRecord
from infra.records.release import ApprovalRecord, PublishRecord, RefitRecord, VerdictRecord
from infra.records.steps import GATES, STATIONS
from infra.rules import Strict, parse_rules

Record = TypeVar("Record")


class FileCount(Strict):
    """A landing file: its name below the landing folder, its bytes when it was read, its rows."""

    file: str
    bytes: NonNegativeInt
    rows: NonNegativeInt


class Example(Strict):
    """A quarantined row without whoever it is about; its `shape` where it could not be parsed."""

    reason: str
    batch: str
    fields: dict[str, str]
    shape: str


class UnreadFile(Strict):
    """A file that no source reads: its name, its bytes, and what its first bytes say, if odd."""

    file: str
    bytes: NonNegativeInt
    looks: str = ""


class FileOutOfTime(Strict):
    """A file of which no row is in time, and why they were quarantined."""

    file: str
    reason: str
    rows: NonNegativeInt


class IngestCounts(Strict):
    """How many rows of the landing files ended how; other keys of the record are passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    read: NonNegativeInt
    clean: NonNegativeInt
    quarantined: dict[str, NonNegativeInt]
    duplicates: NonNegativeInt
    not_events: dict[str, NonNegativeInt]
    by_type: dict[str, NonNegativeInt] = Field(default_factory=dict)
    unknown_columns: dict[str, NonNegativeInt] = Field(default_factory=dict)
    masked: NonNegativeInt = 0
    largest_files: tuple[FileCount, ...] = ()
    files: NonNegativeInt | None = None
    bytes: NonNegativeInt | None = None
    batches: tuple[Any, ...] = ()
    examples: tuple[Example, ...] = ()
    unknown_words: dict[str, NonNegativeInt] = Field(default_factory=dict)
    time_forms: dict[str, NonNegativeInt] = Field(default_factory=dict)
    replays: dict[str, str] = Field(default_factory=dict)
    out_of_time_files: NonNegativeInt = 0
    out_of_time: tuple[FileOutOfTime, ...] = ()
    unread_files: NonNegativeInt = 0
    unread: tuple[UnreadFile, ...] = ()
    waiting_files: NonNegativeInt = 0
    waiting: tuple[str, ...] = ()

    @property
    def parts(self) -> dict[str, int]:
        """Rows per fate; they add up to `read` unless rows were lost."""
        return {
            "clean": self.clean,
            "quarantined": sum(self.quarantined.values()),
            "duplicates": self.duplicates,
            "ignored": sum(self.not_events.values()),
        }

    @property
    def lost(self) -> int:
        """Rows that were read and whose fate nobody wrote down; 0 is the only good answer."""
        return self.read - sum(self.parts.values())


@dataclass(frozen=True)
class Snapshot:
    """The records of a run; None, or no entry in `gates`, where a step wrote none.

    Attributes
    ----------
    unreadable : dict of str to str
        Step to what is wrong with its record.
    over : bool
        Airflow says that no step will follow; False where nobody asked it.
    """

    run: str
    ingest: IngestCounts | None
    gates: dict[str, GateRecord]
    evaluation: EvaluationRecord | None
    verdict: VerdictRecord | None
    approval: ApprovalRecord | None
    refit: RefitRecord | None
    published: PublishRecord | None
    unreadable: dict[str, str]
    over: bool = False

    @property
    def judged_again(self) -> bool:
        """Tell whether the run was judged again after it went live."""
        published, verdict = self.published, self.verdict
        return published is not None and verdict is not None and published.at < verdict.at

    @property
    def recorded(self) -> dict[str, object]:
        """The readable records by step, in the order of `STATIONS`."""
        single = {
            "ingest": self.ingest,
            "evaluation": self.evaluation,
            "release": self.verdict,
            "published": self.published,
        }
        records = {**single, **self.gates}
        return {step: records[step] for step in STATIONS if records.get(step) is not None}

    @property
    def reached(self) -> int:
        """Number of steps up to the last one that left any record."""
        left = self.recorded.keys() | self.unreadable.keys()
        return max((place for place, step in enumerate(STATIONS, 1) if step in left), default=0)


def take_snapshot(files: RecordFiles, *, over: bool = False) -> Snapshot:
    """Read all records of a run; one that cannot be understood is noted, not raised."""
    reading = _Reading()
    approval = reading.of("release", partial(files.read, APPROVAL, ApprovalRecord))
    gates = {
        gate: reading.of(gate, partial(files.read, gate_file(gate), GateRecord)) for gate in GATES
    }
    return Snapshot(
        run=files.run,
        ingest=reading.of("ingest", partial(_counts, files)),
        gates={gate: record for gate, record in gates.items() if record is not None},
        evaluation=reading.of("evaluation", partial(files.read, EVALUATION, EvaluationRecord)),
        verdict=reading.of("release", partial(files.read, VERDICT, VerdictRecord)),
        approval=approval,
        refit=reading.of("release", partial(files.read, REFIT, RefitRecord)),
        published=reading.of("published", partial(files.read, PUBLISHED, PublishRecord)),
        unreadable=reading.unreadable,
        over=over,
    )


class _Reading:
    """Tries one record after the other and remembers which could not be read."""

    def __init__(self) -> None:
        self.unreadable: dict[str, str] = {}

    def of(self, step: str, load: Callable[[], Record | None]) -> Record | None:
        try:
            return load()
        except (StorageError, SettingsError) as error:
            self.unreadable[step] = error.fact
            return None


def _counts(files: RecordFiles) -> IngestCounts | None:
    counts = files.read_mapping(INGEST)
    return None if counts is None else parse_rules(counts, IngestCounts, "The counts of the ingest")
