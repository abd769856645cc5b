"""A shop's own folder for a demo: its files, how to read them, and when their "now" was.

`events/` holds the files of events, and `items/` beside it, if there is one, the catalogue;
`sources.yaml` says how to read them, as `jobs/sources.yaml` does. `settings.yaml` may be left out.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from infra.errors import InputError
from infra.places import LANDED_EVENTS, LANDED_ITEMS
from infra.rules import load_rules, parse_yaml, read_rules
from infra.settings import PREFIX
from infra.shop.historic_shops import DataSettings, load_demo_shops

SOURCES, SETTINGS = "sources.yaml", "settings.yaml"
_READ = (LANDED_EVENTS, LANDED_ITEMS)
_PAGE = "docs/how-to/add_a_source.md"


def is_own(data: Path) -> bool:
    """Tell a folder that says itself how to read it from one of a shop that Catwalk knows.

    Raises
    ------
    InputError
        It is neither.
    """
    if (data / SOURCES).is_file():
        return True
    known = load_demo_shops()
    if (data / LANDED_EVENTS).is_dir() or data.resolve().name not in known:
        raise InputError(
            f"{data} has no {SOURCES}, and without one nothing says how to read its files "
            f"(known: {', '.join(sorted(known))}).",
            f"Write it beside {LANDED_EVENTS}/, as {_PAGE} shows.",
        )
    return False


def sources_of(data: Path) -> tuple[str, ...]:
    """Return the names of the sources that a folder describes; their rules are read later.

    Raises
    ------
    CatwalkError
        Its file cannot be read, or there is nothing to read by it.
    """
    names = parse_yaml(read_rules(data / SOURCES), str(data / SOURCES))
    if not any(path.parts[0] == LANDED_EVENTS for path in files_of(data)):
        raise InputError(
            f"There is no file in {data / LANDED_EVENTS}.",
            f"Put the files of events there, where `files` of {SOURCES} looks: {_PAGE}.",
        )
    return tuple(str(name) for name in names)


def settings_of(data: Path) -> DataSettings:
    """Return what a folder says of its data; all is left to the settings where it says nothing."""
    file = data / SETTINGS
    return load_rules(file, DataSettings) if file.exists() else DataSettings()


def files_of(data: Path) -> Iterator[Path]:
    """Give the files that land, by their names below the folder."""
    for top in _READ:
        for path in sorted((data / top).rglob("*")):
            name = path.relative_to(data)
            if path.is_file() and not any(part.startswith(".") for part in name.parts):
                yield name


def left_out(data: Path) -> list[str]:
    """Return what else lies in a folder, by name."""
    taken = {*_READ, SOURCES, SETTINGS}
    return sorted(path.name for path in data.iterdir() if path.name not in taken)


def variables(names: tuple[str, ...], home: Path, own: DataSettings) -> dict[str, str]:
    """Return the CATWALK_ variables under which such a shop trains."""
    return own.settings(",".join(names)) | {f"{PREFIX}SOURCES_FILE": str(home / SOURCES)}


def find_end(program: str) -> datetime:
    """Return the moment after the newest event that landed, as a program prints it.

    Parameters
    ----------
    program : str
        Its module, run as `python -m`: nothing here knows the jobs.

    Raises
    ------
    InputError
        It ended with an error; its own words are the message.
    """
    print("Looking for the newest event ...", flush=True)
    done = subprocess.run(
        [sys.executable, "-m", program], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        fact, _, cure = "".join(done.stderr.strip().splitlines()[-1:]).partition(". ")
        raise InputError(f"{fact}.", cure or f"Correct the folder, as {_PAGE} shows.")
    newest = datetime.fromisoformat(done.stdout.split()[-1])
    print(
        f"The newest event is of {newest:%Y-%m-%d %H:%M} UTC: this is the time of the run. "
        f"`as_of` in {SETTINGS} says another.",
        flush=True,
    )
    return newest + timedelta(seconds=1)
