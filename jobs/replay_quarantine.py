"""Counts and fixes quarantined rows, and lets the next ingestion read them again.

list      what is in quarantine, by batch and reason, and what of it was replayed
replay    export, fix with --fix COMMAND (sed -i ..., an editor) and land, in one go;
          without --fix as they are: for rows that were right under rules that were wrong
export    write rows to files under HOME/replays, in the format of their source, to edit at leisure
land      let the next ingestion read exported files, edited or not

The rows stay in quarantine; what was replayed is recorded, and no row is replayed twice.
All of it can be killed and run again.
"""

from __future__ import annotations

import argparse
import getpass
import shlex
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from infra.command_line import run_program, text_table
from infra.errors import InputError, SettingsError
from infra.ledger.batches import BatchReader
from infra.places import LANDED_AGAIN
from infra.private_files import make_private_folder
from infra.shop_home import home_folder, open_home
from infra.storage import Storage
from infra.stores.object_store import AlreadyExistsError
from infra.stores.opening import open_store
from jobs.batches import quarantine
from jobs.batches.quarantine import Group, Replay
from jobs.landing.contents import require_content
from jobs.landing.sources import EventFeed, UnknownSourceError, load_sources, replay_folder


class Desk:
    """Where one person takes quarantined rows out, fixes them and lands them."""

    def __init__(self, storage: Storage, by: str) -> None:
        self.storage = storage
        self.by = by
        self._batches = BatchReader(storage)
        self._landing = open_store(storage.landing, storage.settings)

    def show(self, groups: Sequence[Group]) -> None:
        """Print what is in quarantine and whether it was replayed, then the sum of each reason."""
        if not groups:
            return
        lines = [
            (group.batch, group.reason, f"{group.rows:,}", self._state(group)) for group in groups
        ]
        print(text_table(("batch", "reason", "rows", "replayed"), lines))
        sums: Counter[tuple[str, str]] = Counter()
        for group in groups:
            sums[group.source, group.reason] += group.rows
        totals = [(*names, f"{rows:,}") for names, rows in sums.most_common()]
        print("\n" + text_table(("source", "reason", "rows"), totals))

    def _state(self, group: Group) -> str:
        replay = quarantine.replay_of(self.storage, group)
        if replay and quarantine.is_landed(self.storage, self._batches, replay):
            return f"{replay.at:%Y-%m-%d %H:%M} by {replay.by}"
        try:
            file = self._edited(group)
        except UnknownSourceError:
            return "no; its source is gone"
        return f"no; exported to {file}" if file.exists() else "no"

    def open(self, groups: Sequence[Group]) -> list[Group]:
        """Leave out what was replayed before, and say so."""
        landed = {group: self._is_landed(group) for group in groups}
        if done := sum(group.rows for group in groups if landed[group]):
            print(f"{done:,} rows were replayed before; they are left alone.")
        return [group for group in groups if not landed[group]]

    def export(self, groups: Sequence[Group], fix: str = "") -> list[Path]:
        """Write each group to a file and fix it; one that was exported before stays as it is.

        A file takes its place when it is fixed, so that a rerun after a kill fixes none twice.

        Raises
        ------
        InputError
            One that was exported before was not fixed by the same command then.
        """
        new = [group for group in groups if not self._edited(group).exists()]
        for group in groups:
            if fix and group not in new:
                self._require_fixed(group, fix)
        with self.storage.scratch() as folder:
            files = [self._write(group, folder) for group in new]
            if fix and files:
                _run(fix, files)
            make_private_folder(self.storage.replays)  # raw user ids
            for file in files:
                _write_note(self.storage.replays / file.name, fix)
                file.replace(self.storage.replays / file.name)
            make_private_folder(self.storage.replays)
        for group in groups:
            was = "" if group in new else ", as it was exported before"
            print(f"{group.rows:,} rows, {group.reason}: {self._edited(group)}{was}", flush=True)
        return [self._edited(group) for group in groups]

    def _require_fixed(self, group: Group, fix: str) -> None:
        file = self._edited(group)
        note = _note(file)
        if not note.exists() or note.read_text(encoding="utf-8") != fix:
            raise InputError(
                f"{file} was exported before, and '{fix}' was not run on it.",
                "Land it as it is (`land`), or delete it to have it exported anew and fixed.",
            )

    def land(self, file: Path) -> None:
        """Put an exported file where the next ingestion reads it, once.

        Raises
        ------
        InputError
            It does not fit its source, or another file of the same rows was landed before.
        """
        group = quarantine.group_of(self.storage, file.name)
        if not file.exists() and self._is_landed(group):
            print(f"{file.name} was landed before; nothing is replayed twice.")
            return
        content = self._checked(file, _feed(self.storage, group))
        self._put(self._claim(group), content, file)
        _note(file).unlink(missing_ok=True)
        file.unlink()
        print(f"{file.name} landed; the next ingestion reads it.", flush=True)

    def _edited(self, group: Group) -> Path:
        return self.storage.replays / quarantine.edited_name(group, _feed(self.storage, group))

    def _is_landed(self, group: Group) -> bool:
        replay = quarantine.replay_of(self.storage, group)
        return replay is not None and quarantine.is_landed(self.storage, self._batches, replay)

    def _write(self, group: Group, folder: Path) -> Path:
        feed = _feed(self.storage, group)
        file = folder / quarantine.edited_name(group, feed)
        with file.open("wb") as lines:
            lines.writelines(quarantine.to_edit(quarantine.raw_rows(self.storage, group), feed))
        return file

    def _checked(self, file: Path, feed: EventFeed) -> bytes:
        try:
            content = file.read_bytes()
        except OSError as error:
            raise InputError(f"{file} cannot be read: {error.strerror}.", "Export it.") from error
        if not content.strip():
            raise InputError(f"{file} is empty.", "Delete it, if nothing shall be replayed.")
        if feed.format == "parquet":
            raise InputError(
                f"{file} holds rows of Parquet, whose types are gone: they cannot be replayed.",
                "Deliver them again from the shop, under a new name.",
            )
        require_content([str(file)], feed, self.storage.settings)
        return content

    def _claim(self, group: Group) -> Replay:
        """Record the replay; where an attempt that was killed did, return its record."""
        target = f"{replay_folder(group.source)}/{self._edited(group).name}"
        facts = {"batch": group.batch, "reason": group.reason, "rows": group.rows}
        new = Replay.model_validate(
            {**facts, "by": self.by, "at": datetime.now(UTC), "file": target}
        )
        with suppress(AlreadyExistsError):
            self.storage.lake.store.create(group.key, new.model_dump_json(indent=1).encode())
        return quarantine.replay_of(self.storage, group) or new

    def _put(self, replay: Replay, content: bytes, file: Path) -> None:
        """Create the landing file; an attempt that was killed may have created the same one."""
        if not quarantine.is_landed(self.storage, self._batches, replay):
            self._landing.protect(LANDED_AGAIN)
            with suppress(AlreadyExistsError):  # somebody else was faster
                self._landing.create(replay.file, content)
            self._landing.protect(str(Path(replay.file).parent))
        if not self._landing.exists(replay.file) or self._landing.read(replay.file) != content:
            raise InputError(
                f"The rows of {file.name} were replayed at {replay.at:%Y-%m-%d %H:%M} by "
                f"{replay.by}, and nothing is replayed twice.",
                f"Delete {file}; rows that failed again are in quarantine under a newer batch.",
            )


def _note(file: Path) -> Path:
    """Return where the command that fixed an exported file is written down, hidden beside it."""
    return file.with_name(f".{file.name}.fix")


def _write_note(file: Path, fix: str) -> None:
    """Write down what fixes a file before it takes its place; an earlier attempt may have."""
    if fix:
        _note(file).write_text(fix, encoding="utf-8")
    else:
        _note(file).unlink(missing_ok=True)


def _feed(storage: Storage, group: Group) -> EventFeed:
    file = storage.settings.sources_file
    try:
        return load_sources((group.source,), file)[group.source].events
    except UnknownSourceError as error:
        raise UnknownSourceError(
            error.fact, "Put it back until its rows are replayed, or choose others: SOURCE=name."
        ) from None


def _run(fix: str, files: Sequence[Path]) -> None:
    """Run the command that fixes files, as a shell would, with their names at its end."""
    try:
        status = subprocess.run([*shlex.split(fix), *map(str, files)], check=False).returncode
    except (OSError, ValueError) as error:
        raise InputError(f"The command '{fix}' cannot be run: {error}.", "Correct it.") from None
    if status != 0:
        raise InputError(
            f"The command '{fix}' ended with status {status}; nothing was landed.", "Correct it."
        )


def _parser() -> argparse.ArgumentParser:
    shape = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        prog="jobs.replay_quarantine", description=__doc__, formatter_class=shape
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name in ("list", "export", "replay"):
        command = commands.add_parser(name)
        command.add_argument("--source", help="a source of jobs/sources.yaml; default: all")
        command.add_argument("--batch", help="such as batch=shop-000012; default: all")
        command.add_argument("--reason", help="such as unknown_type; default: all")
    command.add_argument("--fix", default="", help="command that gets the files as arguments")
    land = commands.add_parser("land")
    land.add_argument("files", nargs="+", type=Path, metavar="FILE", help="file of an export")
    parser.add_argument("--by", default=getpass.getuser(), help="who answers for it; default: you")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """List, export, land or replay quarantined rows; 0 unless something is wrong."""
    chosen = _parser().parse_args(arguments)
    if not home_folder().is_dir():
        raise SettingsError(f"There is no shop in {home_folder()}.", "Name one: SHOP=name.")
    storage = Storage(open_home())
    desk = Desk(storage, chosen.by)
    files = chosen.files if chosen.command == "land" else []
    if chosen.command != "land":
        groups = _selected(storage, chosen)
        if chosen.command == "list":
            desk.show(groups)
            return 0
        files = desk.export(desk.open(groups), getattr(chosen, "fix", ""))
    if chosen.command != "export":
        for file in files:
            desk.land(file)
    return 0


def _selected(storage: Storage, chosen: argparse.Namespace) -> list[Group]:
    wanted = (chosen.source or None, chosen.batch or None, chosen.reason or None)
    if chosen.command != "list" and not any(wanted):
        raise InputError("No rows are chosen.", "Choose by --reason, --batch or --source.")
    groups = list(quarantine.groups(storage, *wanted))
    if not groups and any(wanted):
        raise InputError("No quarantined rows match.", "`list` shows all that there are.")
    if not groups:
        print("Nothing is in quarantine.")
    return groups


if __name__ == "__main__":
    sys.exit(run_program(main))
