"""Writes the files of a simulation: each appears under its name only once it is complete."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, cast

from infra.errors import InputError
from jobs.simulation.options import SimulationOptions

TRUTH = "simulation.json"
STARTED = ".simulation-started.json"
LINES_A_FILE = 250_000


@dataclass(frozen=True)
class Truth:
    """What the files hold. `lines` = `clean` + `duplicates` + `quarantined`.

    Attributes
    ----------
    clean
        Unique good events, rows with personal text or an unknown column among them.
    faults
        Rows per kind of fault.
    clean_by_type
        Good events per event type.
    users, items
        Shoppers with at least one good event, strangers too; items listed by the last day.
    files
        Lines per file, by its path inside the folder.
    """

    options: dict[str, Any]
    lines: int
    clean: int
    duplicates: int
    quarantined: int
    faults: dict[str, int]
    clean_by_type: dict[str, int]
    users: int
    items: int
    files: dict[str, int]


class Folder:
    """Where one simulation goes; remembers the lines of each finished file in `files`."""

    def __init__(self, into: Path, options: SimulationOptions) -> None:
        self._into, self._options = into, options
        self._suffix = ".jsonl.gz" if options.gzip else ".jsonl"
        self.files: dict[str, int] = {}

    def claim(self) -> Truth | None:
        """Return the truth if this very simulation is finished; else take the folder for it.

        Raises
        ------
        InputError
            The folder holds another simulation, or files that are not a simulation's.
        """
        if self._into.exists() and not self._into.is_dir():
            raise InputError(f"{self._into} is not a folder.", "Name a folder or a new path.")
        if (self._into / TRUTH).exists():
            truth = json.loads((self._into / TRUTH).read_text())
            self._must_match(truth["options"], TRUTH)
            return Truth(**truth)
        if (self._into / STARTED).exists():
            self._must_match(json.loads((self._into / STARTED).read_text()), STARTED)
        elif any(self._into.glob("*/shop/*")):
            raise InputError(f"{self._into} already holds shop files.", "Choose another folder.")
        self._write_json(STARTED, self._options.as_json())
        return None

    def items(self, day: int, lines: Iterable[str]) -> None:
        """Write the catalogue of a day."""
        with self._open(f"items/shop/{self._options.day(day)}") as file:
            written = 0
            for line in lines:
                file.write(f"{line}\n".encode())
                written += 1
        self.files[f"items/shop/{self._options.day(day)}{self._suffix}"] = written

    def events(self, day: int, blocks: Iterable[list[str]]) -> None:
        """Write the events of a day, starting a new file before one would grow too long."""
        upcoming = iter(blocks)
        block = next(upcoming, None)
        number = 0
        while block is not None:
            name = f"events/shop/{self._options.day(day)}-{number:03d}"
            written = 0
            with self._open(name) as file:
                while block is not None and (not written or written + len(block) <= LINES_A_FILE):
                    _write_block(file, block)
                    written += len(block)
                    block = next(upcoming, None)
            self.files[name + self._suffix] = written
            number += 1

    def finish(self, truth: Truth) -> None:
        """Write the truth: from now on the simulation is complete."""
        self._write_json(TRUTH, asdict(truth))
        (self._into / STARTED).unlink()

    def _must_match(self, options: dict[str, Any], name: str) -> None:
        if options != self._options.as_json():
            raise InputError(
                f"{self._into / name} holds a simulation with other options.",
                "Choose another folder, or give the same options.",
            )

    def _write_json(self, name: str, content: dict[str, Any]) -> None:
        with _appearing(self._into / name) as file:
            file.write(json.dumps(content, indent=1).encode() + b"\n")

    @contextmanager
    def _open(self, name: str) -> Iterator[IO[bytes]]:
        with _appearing(self._into / (name + self._suffix)) as file:
            if not self._options.gzip:
                yield file
                return
            # No name and no time in the header: the same seed gives the same bytes.
            with gzip.GzipFile("", "wb", compresslevel=3, fileobj=file, mtime=0) as packed:
                yield cast(IO[bytes], packed)


def _write_block(file: IO[bytes], lines: list[str]) -> None:
    # Latin-1 writes each character as one byte: all is ASCII but the rows meant not to be UTF-8.
    file.write(("\n".join(lines) + "\n").encode("latin-1"))


@contextmanager
def _appearing(path: Path) -> Iterator[IO[bytes]]:
    """Open a file that gets its name only after everything was written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    hidden = path.with_name(f".{path.name}.part")
    with hidden.open("wb") as file:
        yield file
    hidden.replace(path)
