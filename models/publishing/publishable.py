"""What must stand on the record before a bundle may go live, whatever colour its tasks have."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from infra.errors import PublishError
from infra.ledger.run_records import RunRecords
from infra.records.gates import GateRecord
from infra.records.release import VerdictRecord
from infra.schemas import CATALOGUE, EVENTS, HISTORY, INTERACTIONS, ITEMS, RECOMMENDATIONS
from infra.storage import Storage
from infra.stores.digests import FolderManifest
from models.bundle.refit_winner import refit_of
from models.bundle_layout import JUDGED, LISTS_WRITTEN_AT, MODEL, manifest_sha256
from models.data.run_tables import written_at
from models.release.approve_release import require_approved
from models.training.trained_model import read_fit

GATES = ("events", "items", "interactions", "recommendations")


def require_publishable(
    verdict: VerdictRecord, storage: Storage, folder: Path, manifest: FolderManifest
) -> None:
    """Refuse a bundle unless it was judged, gated, seen to answer and, if need be, approved.

    Raises
    ------
    PublishError
        It is not, or a person who had to approve it did not.
    ReleaseError
        The model was not refitted since it was judged.
    """
    sha256 = manifest_sha256(folder)
    _require_judged(manifest, verdict, storage)
    _require_of_these_tables(verdict, storage, folder)
    _require_gated_lists(storage, verdict.run, manifest)
    _require_served(storage, verdict.run, sha256)
    require_approved(verdict, storage, sha256)


def require_gates(storage: Storage, run: str) -> None:
    """Refuse a run whose data was stopped: the colour of a task can be changed by hand.

    A gate counts for the table that it looked at, not for one that was written again since.
    """
    for name in GATES:
        gate = RunRecords(storage, run).load_gate(name)
        if gate is None or (gate.gate, gate.run) != (name, run) or not _judged(gate):
            raise PublishError(f"The {name} of {run} are not checked.", f"Run gate_{name} first.")
        if gate.verdict == "stopped" or _broken(gate):
            raise PublishError(
                f"The {name} of {run} were stopped by their gate.",
                f"Mend what its report names, then run gate_{name} again.",
            )
        if name != EVENTS.name:  # a decision on a batch says itself which bytes it is about
            _require_before_gate(gate, storage)


def _judged(gate: GateRecord) -> bool:
    """Tell whether the gate looked at anything; only without new events is there nothing to see."""
    return bool(gate.checks) or (gate.gate == "events" and not gate.partitions)


def _broken(gate: GateRecord) -> bool:
    return any(check.severity == "critical" and check.failed for check in gate.checks)


def _require_before_gate(gate: GateRecord, storage: Storage) -> None:
    """Refuse a table that was written after its gate looked, or that does not say when."""
    written_at = storage.lake.manifest(gate.gate, gate.run).get("written_at")
    if written_at is None:
        raise PublishError(
            f"The {gate.gate} of {gate.run} do not say when they were written.",
            "Start a new run: these were written by an earlier Catwalk.",
        )
    if gate.at < datetime.fromisoformat(written_at):
        raise PublishError(
            f"The {gate.gate} of {gate.run} were written after their gate.",
            f"Run gate_{gate.gate} again, and all that follows.",
        )


def _require_gated_lists(storage: Storage, run: str, manifest: FolderManifest) -> None:
    """Refuse a bundle of other lists than their gate looked at."""
    written_at = storage.lake.manifest(RECOMMENDATIONS.name, run).get("written_at")
    if manifest.facts.get(LISTS_WRITTEN_AT) != written_at:
        raise PublishError(
            f"The bundle of {run} holds other lists than its gate saw.", "Build the bundle again."
        )


def _require_served(storage: Storage, run: str, sha256: str) -> None:
    served = RunRecords(storage, run).load_serving()
    if served is None or (served.run, served.manifest_sha256) != (run, sha256):
        raise PublishError(
            f"The bundle of {run} was never seen to answer, or was built again since.",
            "Run check_serving first.",
        )


def _require_judged(manifest: FolderManifest, verdict: VerdictRecord, storage: Storage) -> None:
    """Refuse a bundle unless it holds the judged model and what was fitted by it."""
    made = refit_of(verdict, storage)
    judged = manifest.model_sha256(f"{JUDGED if made.refitted else MODEL}/")
    served = manifest.model_sha256(f"{MODEL}/")
    same = (judged, served) == (verdict.model_sha256, made.model_sha256)
    named = {"run": verdict.run, "candidate": verdict.candidate}
    if not same or any(manifest.facts.get(key) != value for key, value in named.items()):
        raise PublishError(
            f"The bundle of {verdict.run} does not hold the model that was judged.",
            "Build the bundle again, after the verdict.",
        )


def _require_of_these_tables(verdict: VerdictRecord, storage: Storage, folder: Path) -> None:
    """Refuse a verdict or a model that followed from tables of before: no gate speaks for those.

    An evaluation takes no candidate that learnt from other tables than it judges on. What goes
    live has learnt from the newest ones, so its lists and its items, made later, are of them too.
    """
    run, evaluation = verdict.run, RunRecords(storage, verdict.run).load_evaluation()
    if evaluation is None or evaluation.written != written_at(storage, run, INTERACTIONS, ITEMS):
        raise PublishError(
            f"The tables of {run} were written again since it was evaluated.",
            "Run train again, and all that follows.",
        )
    if evaluation.at > verdict.at:
        raise PublishError(
            f"{run} was evaluated again after its verdict.",
            "Run judge_release again, and all that follows.",
        )
    learnt_from = (
        (HISTORY, CATALOGUE) if refit_of(verdict, storage).refitted else (INTERACTIONS, ITEMS)
    )
    if read_fit(folder / MODEL).written != written_at(storage, run, *learnt_from):
        raise PublishError(
            f"The tables of {run} were written again since its winner was fitted on them.",
            "Run refit_winner again, and all that follows.",
        )
