"""Reads all that is on the record about a run which asks to go live, each record once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, takewhile
from pathlib import Path
from typing import Any, TypeVar

from infra.errors import CatwalkError
from infra.ledger.live_pointer import history
from infra.ledger.run_records import RunRecords
from infra.places import bundle_key
from infra.records.evaluation import EvaluationRecord
from infra.records.gates import GateRecord
from infra.records.release import (
    ApprovalRecord,
    LiveRecipe,
    PublishRecord,
    RefitRecord,
    ServingRecord,
    VerdictRecord,
)
from infra.records.steps import GATES
from infra.schemas import CATALOGUE, HISTORY, INTERACTIONS, ITEMS, RECOMMENDATIONS, STEPS
from infra.storage import Storage
from infra.stores.digests import FolderManifest, verified
from infra.stores.object_store import MANIFEST
from models.bundle_layout import JUDGED, MODEL, manifest_sha256, version_of
from models.publishing.retired_versions import is_retired
from models.release.ab_tested import ab_tested
from models.release.verdict import verdict_refusal
from models.training.trained_model import FIT, read_fit

TABLES = tuple(table.name for table in (INTERACTIONS, ITEMS, HISTORY, CATALOGUE, RECOMMENDATIONS))

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Built:
    """The bundle of a run, every file of it held to its manifest.

    Attributes
    ----------
    folder : Path
        A copy of it.
    inputs : str
        The id of the tables the model learnt from; see `models.data.run_tables.inputs_of`.
    recipe : LiveRecipe or None
        How the judged model was made, without what early stopping chose.
    """

    folder: Path
    version: str
    manifest_sha256: str
    manifest: FolderManifest
    inputs: str
    recipe: LiveRecipe | None = None

    @property
    def arrays_sha256(self) -> str:
        """The digest of the model without the facts of its training, which differ each time."""
        return self.manifest.model_sha256(f"{MODEL}/", without=FIT)


@dataclass(frozen=True)
class Evidence:
    """What is on the record about a run; None, or no entry, for what is not there.

    Attributes
    ----------
    approvers : tuple of str
        Who may approve today.
    gates, tables : dict
        Records of the gates, and manifests of the tables, by the table's name.
    has_steps : bool
        False for a run of an earlier version, which has neither the table `steps` nor a gate of it.
    built : Built or None
        None also where the verdict does not let the run go on: then nothing is built.
    recorded : PublishRecord or None
        What the run says it published.
    live, released : PublishRecord or None
        The newest pointer, and the one that released this very bundle.
    own : tuple of PublishRecord
        The newest pointers, as far as they are releases of this very run: a person may choose
        another candidate of a run that released one.
    retired : bool
        Whether this version was marked for deletion; read after `live`, as
        `models.publishing.retired_versions` asks.
    unasked : dict of str to str
        Candidates that are not released unasked by what A/B tests say now, and why: a test may
        have been started or decided since the verdict.
    unreadable : tuple of CatwalkError
        Records that are there and cannot be read.
    """

    run: str
    approvers: tuple[str, ...]
    verdict: VerdictRecord | None = None
    evaluation: EvaluationRecord | None = None
    refit: RefitRecord | None = None
    serving: ServingRecord | None = None
    approval: ApprovalRecord | None = None
    gates: dict[str, GateRecord] = field(default_factory=dict)
    tables: dict[str, dict[str, Any]] = field(default_factory=dict)
    has_steps: bool = True
    built: Built | None = None
    recorded: PublishRecord | None = None
    live: PublishRecord | None = None
    released: PublishRecord | None = None
    own: tuple[PublishRecord, ...] = ()
    retired: bool = False
    unasked: dict[str, str] = field(default_factory=dict)
    unreadable: tuple[CatwalkError, ...] = ()

    @property
    def standing(self) -> PublishRecord | None:
        """The newest pointer, if it names this very bundle: released, or rolled back to."""
        ours = self.built and (self.run, self.built.version)
        return self.live if self.live and (self.live.run, self.live.version) == ours else None

    @property
    def replaceable(self) -> set[str | None]:
        """What a verdict may have been compared with: the live version, or what this run replaced.

        The run is evaluated once, and then releases again; or it is evaluated again in between.
        """
        live = self.live.version if self.live else None
        return {live, *(pointer.previous for pointer in self.own)}

    @property
    def unrecorded(self) -> PublishRecord | None:
        """The release of a publisher that died before its record, if it is live no longer.

        A verdict since then, such as a choice, is about a release of its own.
        """
        ours = self.recorded and self.built and self.recorded.version == self.built.version
        old = self.released and self.verdict and self.released.at < self.verdict.at
        return None if ours or old or self.standing else self.released


def read_evidence(storage: Storage, run: str, scratch: Path) -> Evidence:
    """Read what is on the record about a run; its bundle is copied to an empty folder."""
    records, unreadable = RunRecords(storage, run), list[CatwalkError]()

    def tried(read: Callable[[], Answer]) -> Answer | None:
        try:
            return read()
        except CatwalkError as error:
            unreadable.append(error)
            return None

    verdict = tried(records.load_verdict)
    gates = {name: tried(partial(records.load_gate, name)) for name in GATES}
    goes_on = verdict_refusal(verdict, run) is None
    refit = tried(records.load_refit)
    steps = f"{STEPS.name}/{run}/{MANIFEST}"
    has_steps = gates[STEPS.name] is not None or storage.lake.store.exists(steps)
    read = TABLES if refit and refit.refitted else [name for name in TABLES if name in GATES]
    read = [*read, STEPS.name] if has_steps else read
    tables = {
        name: tried(partial(storage.lake.manifest, name, run)) for name in (read if goes_on else ())
    }
    built = tried(partial(_built, storage, run, scratch)) if goes_on else None
    tested = tried(partial(ab_tested, storage)) if goes_on else None
    live, released, own = tried(partial(_pointers, storage, run, built)) or (None, None, ())
    return Evidence(
        run=run,
        approvers=tuple(storage.settings.approvers),
        verdict=verdict,
        evaluation=tried(records.load_evaluation),
        refit=refit,
        serving=tried(records.load_serving),
        approval=tried(records.load_approval),
        gates={name: gate for name, gate in gates.items() if gate is not None},
        tables={name: facts for name, facts in tables.items() if facts is not None},
        has_steps=has_steps,
        built=built,
        recorded=tried(records.load_published),
        live=live,
        released=released,
        own=own,
        retired=built is not None and bool(tried(partial(is_retired, storage, built.version))),
        unasked=dict(tested.unasked) if tested else {},
        unreadable=tuple(unreadable),
    )


def _built(storage: Storage, run: str, scratch: Path) -> Built:
    folder = storage.lake.store.fetch_folder(bundle_key(run), scratch)
    manifest = verified(folder)
    judged = read_fit(folder / (JUDGED if (folder / JUDGED).is_dir() else MODEL))
    return Built(
        folder=folder,
        manifest=manifest,
        version=version_of(folder),
        manifest_sha256=manifest_sha256(folder),
        inputs=read_fit(folder / MODEL).inputs,
        recipe=LiveRecipe(class_path=judged.class_path, parameters=judged.parameters),
    )


def _pointers(
    storage: Storage, run: str, built: Built | None
) -> tuple[PublishRecord | None, PublishRecord | None, tuple[PublishRecord, ...]]:
    """Return the newest pointer, the one that released a bundle, and the run's own newest ones."""
    pointers = history(storage)
    live = next(pointers, None)
    if live is None or built is None:
        return live, None, ()
    own = tuple(takewhile(partial(_is_release_of, run), history(storage)))
    ours = ("release", run, built.version)
    matches = (
        pointer
        for pointer in chain([live], pointers)
        if (pointer.action, pointer.run, pointer.version) == ours
    )
    return live, next(matches, None), own


def _is_release_of(run: str, pointer: PublishRecord) -> bool:
    return (pointer.action, pointer.run) == ("release", run)
