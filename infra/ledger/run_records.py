"""Saves and loads the records of one run: the small JSON files that its tasks leave behind.

Saving a record is one write. The page that people read is rendered from the records when a task
ends, by `infra.airflow.page_afterwards`; a program outside Airflow that saves records renders it by
`python -m infra.report RUN`.
"""

from __future__ import annotations

from typing import Any

from infra.ledger import decision_log
from infra.ledger.record_files import RecordFiles
from infra.places import (
    APPROVAL,
    EVALUATION,
    INGEST,
    PUBLISHED,
    REFIT,
    SERVING,
    VERDICT,
    gate_file,
)
from infra.records.evaluation import EvaluationRecord
from infra.records.gates import GateRecord
from infra.records.release import (
    ApprovalRecord,
    PublishRecord,
    RefitRecord,
    ServingRecord,
    VerdictRecord,
)
from infra.storage import Storage


class RunRecords:
    """The records of one run.

    Every `load_` returns None for a record that was never written, and raises `StorageError`
    for one that exists but cannot be understood. Every `save_` is one write; a verdict and an
    answer are noted in the decision log before.

    Parameters
    ----------
    storage : Storage
        The places of the shop.
    run : str
        The folder of the run, as made by `infra.lake.run_key`.
    """

    def __init__(self, storage: Storage, run: str) -> None:
        self._reports = storage.reports
        self._files = RecordFiles(storage.reports, run)
        self.run = run

    def save_ingest(self, counts: dict[str, Any]) -> None:
        """Write what the ingest read, kept and refused."""
        self._files.write_mapping(INGEST, counts)

    def load_ingest(self) -> dict[str, Any] | None:
        """Return the counts of the ingest."""
        return self._files.read_mapping(INGEST)

    def save_gate(self, record: GateRecord) -> None:
        """Write the record of the gate that `record.gate` names."""
        self._files.write(gate_file(record.gate), record)

    def load_gate(self, gate: str) -> GateRecord | None:
        """Return the record of one gate."""
        return self._files.read(gate_file(gate), GateRecord)

    def save_evaluation(self, record: EvaluationRecord) -> None:
        """Write how the models of the run did on the hold-out."""
        self._files.write(EVALUATION, record)

    def load_evaluation(self) -> EvaluationRecord | None:
        """Return how the models of the run did on the hold-out."""
        return self._files.read(EVALUATION, EvaluationRecord)

    def save_verdict(self, record: VerdictRecord) -> None:
        """Write the release decision, and note it in the decision log before it counts."""
        choice = decision_log.of_choice(record)
        decision_log.append(self._reports, choice or decision_log.of_verdict(record))
        self._files.write(VERDICT, record)

    def load_verdict(self) -> VerdictRecord | None:
        """Return the release decision."""
        return self._files.read(VERDICT, VerdictRecord)

    def save_approval(self, record: ApprovalRecord) -> None:
        """Write what a person was asked and answered; an answer is noted in the decision log."""
        answered = decision_log.of_approval(record)
        if answered is not None:
            decision_log.append(self._reports, answered)
        self._files.write(APPROVAL, record)

    def load_approval(self) -> ApprovalRecord | None:
        """Return what a person was asked and answered."""
        return self._files.read(APPROVAL, ApprovalRecord)

    def save_refit(self, record: RefitRecord) -> None:
        """Write which model goes live, and how like the judged one it is."""
        self._files.write(REFIT, record)

    def load_refit(self) -> RefitRecord | None:
        """Return which model goes live, and how like the judged one it is."""
        return self._files.read(REFIT, RefitRecord)

    def save_serving(self, record: ServingRecord) -> None:
        """Write how the bundle answered."""
        self._files.write(SERVING, record)

    def load_serving(self) -> ServingRecord | None:
        """Return how the bundle answered."""
        return self._files.read(SERVING, ServingRecord)

    def save_published(self, record: PublishRecord) -> None:
        """Write what went live."""
        self._files.write(PUBLISHED, record)

    def load_published(self) -> PublishRecord | None:
        """Return what went live."""
        return self._files.read(PUBLISHED, PublishRecord)
