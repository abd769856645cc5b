"""The data of a demo: a simulated shop, or a folder of a shop's own files."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Self

from infra.demo import own_folder
from infra.errors import InputError
from infra.places import LANDED_EVENTS
from infra.private_files import read_private, write_private
from infra.settings import Settings
from infra.shop.historic_shops import demo_shop
from infra.shop_home import home_folder

EVENTS, DAYS, SEED = 300_000, 14, 7


@dataclass(frozen=True)
class Delivery:
    """What was put into the landing folder.

    Attributes
    ----------
    source : str
        Its name in the file of sources; of several all, by comma.
    as_of : datetime or None
        The moment to train for: the midnight after the last day of the data, UTC. None for that
        of the newest event, which is looked for once the files are there.
    settings : dict
        CATWALK_ variables that fit the data.
    is_own : bool
        Whether its folder says itself how to read it.
    """

    source: str
    as_of: datetime | None
    settings: dict[str, str] = field(default_factory=dict)
    is_own: bool = False

    @classmethod
    def of_files(cls, data: Path) -> Self:
        """Look into a folder: one of the shop's own, or one that is known by its name.

        Raises
        ------
        CatwalkError
            The folder does not exist, is empty, or nothing says how to read it.
        """
        if not data.is_dir():
            raise InputError(f"The folder {data} does not exist.", "Give DATA=folder of files.")
        if own_folder.is_own(data):
            names, own = own_folder.sources_of(data), own_folder.settings_of(data)
            chosen = own_folder.variables(names, home_folder(), own)
            return cls(",".join(names), own.as_of, chosen, is_own=True)
        if not _files(data):
            raise InputError(f"There is no file in {data}.", "Give DATA=folder of files.")
        source = data.resolve().name
        shop = demo_shop(source)
        return cls(source, shop.as_of, shop.settings(source))


def deliver_files(data: Path, delivery: Delivery, settings: Settings) -> int:
    """Copy a folder's files to where their sources are read from; return how many were new.

    Each file appears whole or not at all, with its time, by which rows age; and one that is there
    already, of the same size, is left alone: ingestion reads a file once.
    """
    into = Path(settings.landing)
    if delivery.is_own:
        shutil.copyfile(data / own_folder.SOURCES, settings.home / own_folder.SOURCES)
        files = {data / name: into / name for name in own_folder.files_of(data)}
        if others := own_folder.left_out(data):
            print(f"Left alone, being no part of a shop's folder: {', '.join(others)}", flush=True)
    else:
        into = into / LANDED_EVENTS / delivery.source
        files = {file: into / file.name for file in _files(data)}
    copied = sum(_copied(file, target) for file, target in files.items())
    print(f"{len(files)} files of {delivery.source}: {copied} new in {into}", flush=True)
    return copied


def _files(data: Path) -> list[Path]:
    return [path for path in sorted(data.iterdir()) if path.is_file() and path.name[0] != "."]


def _copied(file: Path, target: Path) -> bool:
    if target.exists() and target.stat().st_size == file.stat().st_size:
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = target.with_name(f".{target.name}.part")
    shutil.copyfile(file, aside)
    os.utime(aside, ns=(file.stat().st_atime_ns, file.stat().st_mtime_ns))
    aside.replace(target)
    return True


def deliver_simulation(settings: Settings, program: str) -> Delivery:
    """Simulate a shop's last two weeks in the landing folder, unless that was done.

    If one of its files is missing, the others are removed and all are made again.

    Parameters
    ----------
    settings : Settings
        Where the shop is.
    program : str
        The module that simulates, run as `python -m`: nothing here knows the jobs.

    Raises
    ------
    InputError
        The simulation failed; its own words are above.
    """
    landing = Path(settings.landing)
    first = _first_day(settings.home)
    if not _is_whole(landing):
        print(f"Simulating a shop: {EVENTS:,} events in {DAYS} days ...", flush=True)
        _simulate(program, landing, first)
    truth = json.loads((landing / "simulation.json").read_text(encoding="utf-8"))
    files = [landing / name for name in truth["files"]]
    megabytes = sum(file.stat().st_size for file in files) / 1e6
    print(
        f"{len(files)} files, {truth['lines']:,} lines, {megabytes:.0f} MB in {landing}", flush=True
    )
    midnight = datetime.combine(first + timedelta(days=DAYS), datetime.min.time(), UTC)
    return Delivery("shop", midnight)


def _first_day(home: Path) -> date:
    """Return the first simulated day; decided once, so that yesterday was the last day then."""
    file = home / "simulation.json"
    remembered = read_private(file)
    if not remembered:
        remembered = {"first_day": str(datetime.now(UTC).date() - timedelta(days=DAYS))}
        write_private(file, remembered)
    return date.fromisoformat(remembered["first_day"])


def _is_whole(landing: Path) -> bool:
    """Tell whether a whole simulation is there; one with holes is removed, and nothing else is."""
    truth = landing / "simulation.json"
    if not truth.exists():
        return False
    files = [landing / name for name in json.loads(truth.read_text(encoding="utf-8"))["files"]]
    if all(file.exists() for file in files):
        return True
    for file in (*files, truth):  # the truth last: a kill in between leaves it to find the rest
        file.unlink(missing_ok=True)
    return False


def _simulate(program: str, landing: Path, first: date) -> None:
    command = [sys.executable, "-m", program, str(landing), "--seed", str(SEED)]
    size = ["--events", str(EVENTS), "--days", str(DAYS), "--first-day", str(first)]
    done = subprocess.run([*command, *size], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
        why = "".join(last).rstrip(".") or f"it ended with status {done.returncode}"
        raise InputError(f"The simulation failed: {why}.", f"Empty {landing} and retry.")
