"""The rules of a run: kept once, when it begins, and read by all its tasks.

A task may run hours after the first one, or again tomorrow. If each read the files as they are at
its time, an edit in between could train one set of candidates and judge another.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from infra.errors import SettingsError
from infra.placements import Placements, parse_placements
from infra.places import REPOSITORY, RULES
from infra.records.run_rules import KeptFile, RunRules
from infra.rules import parse_json, read_rules
from infra.settings import Settings
from infra.storage import Storage
from infra.stores.object_store import AlreadyExistsError, read_if_there

CURE = "Restore it from a backup of the reports, or start a new run."
CANDIDATES = REPOSITORY / "models/candidates.yaml"
RELEASE = REPOSITORY / "models/release.yaml"


@dataclass(frozen=True)
class RuleFiles:
    """Where the files that a run keeps are read from."""

    candidates: Path
    release: Path
    placements: Path


def files_of(settings: Settings) -> RuleFiles:
    """Return the files of a shop."""
    return RuleFiles(CANDIDATES, RELEASE, settings.placements)


def rules_of(storage: Storage, run: str) -> RunRules:
    """Return the rules of a run; of a run that kept none, the files as they are now.

    Raises
    ------
    StorageError
        What was kept cannot be understood, or was changed.
    SettingsError
        Nothing was kept, and a file is missing or unreadable.
    """
    return kept_rules(storage, run) or read_files(run, files_of(storage.settings))


def placements_of(storage: Storage, run: str) -> Placements:
    """Return the placements that all tasks of a run obey; raises as `rules_of`."""
    kept = rules_of(storage, run).placements
    return parse_placements(kept.content, kept.origin)


def kept_rules(storage: Storage, run: str) -> RunRules | None:
    """Return the rules that a run kept; None for a run of an earlier Catwalk, which kept none."""
    content = read_if_there(storage.reports, _key(run))
    if content is None:
        return None
    return parse_json(content, RunRules, f"The record {_key(run)}", CURE)


def read_files(run: str, files: RuleFiles) -> RunRules:
    """Return the files as they are now; raise `SettingsError` if one cannot be read."""
    return RunRules(
        run=run,
        at=datetime.now(UTC),
        candidates=_read(files.candidates),
        release=_read(files.release),
        placements=_read(files.placements),
    )


def keep(storage: Storage, rules: RunRules) -> RunRules:
    """Keep the rules of a run, and return those that count: the first ones that were kept."""
    try:
        storage.reports.create(_key(rules.run), rules.model_dump_json(indent=1).encode())
    except AlreadyExistsError:
        return rules_of(storage, rules.run)
    return rules


def _read(file: Path) -> KeptFile:
    inside = file.is_relative_to(REPOSITORY)
    origin = str(file.relative_to(REPOSITORY) if inside else file)
    try:
        return KeptFile.of(read_rules(file), origin)
    except UnicodeDecodeError as error:
        raise SettingsError(
            f"{origin} is not UTF-8: {error.reason}.", "Save it as UTF-8."
        ) from error


def _key(run: str) -> str:
    return f"{run}/{RULES}"
