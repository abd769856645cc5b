"""Checks that a bundle answers, in a fresh process that is given nothing but its folder.

Called as `python -m models.bundle.check_serving FOLDER MEGABYTES`: prints one JSON line;
exits with 1 and one line on standard error if an answer is wrong, or if it takes more memory than
that.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

import models
from infra.errors import BundleError, CatwalkError
from infra.ledger.run_records import RunRecords
from infra.placements import HOME
from infra.places import bundle_key
from infra.records.release import ServingRecord
from infra.settings import Settings
from infra.storage import Storage
from infra.stores.object_store import MANIFEST
from models.bundle.bundle import Bundle, open_bundle
from models.bundle.card import IN_FORCE
from models.bundle_layout import LISTS, STRANGER, manifest_sha256
from models.recommender import NONE, Recommendations, UserIds, positions
from models.training.peak_memory import peak_memory_mb

SAMPLE = 50
AGREEMENT = 0.9  # of ready and fresh lists; equal scores may swap in the last bits


def check_serving(storage: Storage, run: str) -> dict[str, Any]:
    """Open the bundle of a run in a fresh process and record what that process measured.

    The record names the manifest that stood there before the process started: a bundle that is
    built anew meanwhile counts as unchecked.

    Raises
    ------
    BundleError
        The process failed, or needed more time or memory than the settings allow.
    """
    with storage.scratch() as scratch:
        folder = storage.lake.store.fetch_folder(bundle_key(run), scratch)
        sha256 = manifest_sha256(folder) if (folder / MANIFEST).exists() else ""
        answer = answers(f"The bundle of {run}", folder, storage.settings)
    record = ServingRecord(run=run, at=datetime.now(UTC), manifest_sha256=sha256, **answer)
    RunRecords(storage, run).save_serving(record)
    return record.counts()


def answers(name: str, folder: Path, settings: Settings) -> dict[str, Any]:
    """Ask a bundle in a fresh process with the memory and the seconds of the settings.

    Raises
    ------
    BundleError
        It does not answer, or not within them; `name` says in the message which bundle it is.
    """
    seconds, megabytes = settings.serving_seconds, settings.serving_memory_mb
    try:
        done = subprocess.run(
            [sys.executable, "-m", "models.bundle.check_serving", str(folder), str(megabytes)],
            capture_output=True,
            text=True,
            timeout=seconds,
            cwd=Path(models.__file__).parent.parent,
        )
    except subprocess.TimeoutExpired as error:
        raise BundleError(
            f"{name} gave no answer in {seconds} s.",
            "Look at its size and CATWALK_SERVING_SECONDS.",
        ) from error
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or [f"it ended with {done.returncode}."])[-1]
        raise BundleError(f"{name} does not serve: {reason}", "Build it again.")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def check(folder: Path) -> dict[str, Any]:
    """Open a bundle and ask it sample questions.

    Returns
    -------
    dict
        Seconds to open, seconds per answer, users asked, mean overlap with the ready lists.

    Raises
    ------
    BundleError
        The bundle is broken, or an answer is.
    """
    started = time.perf_counter()
    bundle = open_bundle(folder)
    opened = time.perf_counter() - started
    users, ready = _ready_lists(bundle)
    k = max(map(len, ready), default=0)
    if k == 0:
        raise BundleError(f"{folder} holds no lists.", "Run recommend_users again.")
    started = time.perf_counter()
    personal = _ask(bundle, users, k)
    answered = (time.perf_counter() - started) / len(users)
    stranger = _ask(bundle, np.array([STRANGER]), k)
    _ask(bundle, users[:1], 1)
    if personal.fallback.all() or not stranger.fallback.all() or not stranger.item_ids(0):
        raise BundleError(f"{folder} does not tell known users from strangers.", "Train again.")
    if not bundle.card.get(IN_FORCE) and list(bundle.fallback[:k]) != stranger.item_ids(0):
        raise BundleError(f"The fallback of {folder} is not what strangers get.", "Build it again.")
    return {
        "users": len(users),
        "k": k,
        "seconds_to_open": round(opened, 3),
        "seconds_per_answer": round(answered, 6),
        "agreement": _agreement(personal, ready),
        "peak_memory_mb": round(peak_memory_mb(), 1),
    }


def _ready_lists(bundle: Bundle) -> tuple[UserIds, list[list[str]]]:
    """Return the first lists of the bundle for `home`: keys and item ids."""
    lists, placements = bundle.lists, bundle.placements
    if lists is None or placements is None:
        return _written_lists(bundle.folder)
    rows = lists.items[placements.home.rule.name][:SAMPLE, : placements.home.length]
    users = np.char.decode(lists.users[:SAMPLE], "utf-8")
    return users, [bundle.items.ids[row[row != NONE]].tolist() for row in rows]


def _written_lists(folder: Path) -> tuple[UserIds, list[list[str]]]:
    """Return the same of a bundle of an earlier version, from the files that readers read."""
    from pyarrow.compute import equal
    from pyarrow.parquet import ParquetFile  # read_table would import pandas: half the time

    users: list[str] = []
    lists: list[list[str]] = []
    for file in sorted((folder / LISTS).glob("*.parquet")):
        rows = ParquetFile(file).read()
        if "placement" in rows.column_names:  # lists of earlier versions are all those of home
            rows = rows.filter(equal(rows["placement"], HOME))
        for row in rows.slice(0, SAMPLE - len(users)).to_pylist():
            users.append(row["user_key"])
            lists.append(row["item_ids"])
    return np.array(users, dtype=np.str_), lists


def _ask(bundle: Bundle, users: UserIds, k: int) -> Recommendations:
    """Ask, and hold every answer to the contract."""
    answer = bundle.recommend(users, k)
    raw = bundle.recommender.recommend(users, k)
    if answer.items.shape != (len(users), k):
        raise BundleError(f"{k} items were asked for; {answer.items.shape} came.", "Mend `k`.")
    if not _all_recommendable(bundle, raw):
        raise BundleError("An item that may not be shown was recommended.", "Mend the model.")
    for row in range(len(users)):
        ids = answer.item_ids(row)
        if len(set(ids)) != len(ids):
            raise BundleError(f"{users[row]} got an item twice.", "Mend the model.")
    return answer


def _all_recommendable(bundle: Bundle, answer: Recommendations) -> bool:
    """Tell whether the model itself kept to what could be shown at its cut."""
    named = np.unique(answer.items[answer.items != NONE])
    places = positions(bundle.items.ids, answer.catalogue[named])
    return bool(((places != NONE) & bundle.items.recommendable_at_cut[places]).all())


def _agreement(answer: Recommendations, ready: list[list[str]]) -> float:
    """Return the mean share of ready items that fresh answers hold too; refuse a low one."""
    shares = [
        len(set(answer.item_ids(row)) & set(items)) / len(items)
        for row, items in enumerate(ready)
        if items
    ]
    agreement = float(np.mean(shares))
    if agreement < AGREEMENT:
        raise BundleError(
            f"Only {agreement:.0%} of the ready lists are what the model answers.",
            "Run recommend_users again.",
        )
    return round(agreement, 4)


def limit_memory(megabytes: int) -> None:
    """Let this process have this much memory of its own; asking for more then fails.

    Counted is what Linux calls data: the heap and private mappings, not files that are mapped.
    """
    most = megabytes * 1024**2
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))


def main(arguments: list[str]) -> int:
    """Check one folder; return the exit code."""
    if len(arguments) != 2 or not arguments[1].isdigit():
        print("usage: python -m models.bundle.check_serving FOLDER MEGABYTES", file=sys.stderr)
        return 2
    limit_memory(int(arguments[1]))
    try:
        print(json.dumps(check(Path(arguments[0]))))
    except CatwalkError as error:
        print(error, file=sys.stderr)
        return 1
    except MemoryError:
        print(f"it needs more than {arguments[1]} MB, CATWALK_SERVING_MEMORY_MB.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
