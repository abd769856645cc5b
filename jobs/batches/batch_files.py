"""Accounts for the files of a batch: their rows, their times, and which were read before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import unquote

from pyspark.sql import Row

from infra.errors import InputError
from infra.schemas import Reason
from jobs.cleaning.row_outcome import IGNORED
from jobs.landing.landing_folder import Landed, LandedFile, read_name

OUT_OF_TIME = (Reason.FUTURE_TIME, Reason.TOO_OLD)
_IN_TIME = {None, Reason.NEGATIVE_QUANTITY}  # what is found after the time of a row is right


def count_files(
    counted: Iterable[Row], planned: Landed, landed: Callable[[], Landed]
) -> list[dict[str, Any]]:
    """Return each file of a batch: its name, its bytes when it was read, its rows.

    Parameters
    ----------
    counted : iterable of Row
        `count_outcomes`; a file that gave no row is not in it.
    planned : mapping
        All files of the batch, listed before any was read: the size of a file without rows.
    landed : callable
        Lists the files as they are now; asked only if a file gave no row.

    Raises
    ------
    InputError
        A file without rows is gone, or has another size: how much of it was read nobody knows. Or
        a file that nobody planned gave rows.
    """
    rows: Counter[tuple[str, int]] = Counter()
    for row in counted:
        name = unquote(row["file"])
        if name not in planned:
            raise InputError(
                f"{name} was read and is not among the files of its batch.",
                "Rename it: its name does not survive the way through Spark.",
            )
        size = planned[name].size if planned[name].copy else row["file_size"]
        rows[name, size] += row["count"]
    silent = planned.keys() - {name for name, _ in rows}
    now = landed() if silent else {}
    for name in silent:
        _require_seen(planned[name], now.get(name))
        rows[name, planned[name].size] = 0
    return [
        {"file": file, "bytes": size, "rows": count} for (file, size), count in sorted(rows.items())
    ]


def _require_seen(file: LandedFile, now: LandedFile | None) -> None:
    """Refuse a file without rows unless it is there, as it was before any was read."""
    if now is None:
        raise InputError(
            f"{file.address} was listed for this batch and is gone.", "Run again: it is left out."
        )
    if file.size != now.size:
        raise InputError(
            f"{file.address} had {file.size} bytes before it was read and has {now.size} now, "
            "and gave no row.",
            "Run again once its upload is over.",
        )


def out_of_time(counted: Iterable[Row]) -> list[dict[str, Any]]:
    """Return the files of which no row is in time: one of another clock, or delivered years late.

    Rows that a rule ignores or that cannot be read say nothing; the others are most of its rows.

    Parameters
    ----------
    counted : iterable of Row
        `count_outcomes`.

    Returns
    -------
    list of dict
        The file, the reason of its rows (`future_time` or `too_old`), and how many they are.
    """
    files: dict[str, Counter[str | None]] = {}
    for row in counted:
        if row["outcome"] != IGNORED:
            reasons = files.setdefault(unquote(row["file"]), Counter())
            reasons[row["reason"]] += row["count"]
    return [
        {"file": file, "reason": str(reason), "rows": reasons[reason]}
        for file, reasons in sorted(files.items())
        for reason in OUT_OF_TIME
        if _is_out_of_time(reasons, reason)
    ]


def _is_out_of_time(reasons: Counter[str | None], reason: str) -> bool:
    others = _IN_TIME | {*OUT_OF_TIME} - {reason}
    return 2 * reasons[reason] > reasons.total() and not others & reasons.keys()


def files_read(
    manifests: Iterable[Mapping[str, Any]], landing: str, folders: Iterable[str]
) -> dict[str, int]:
    """Return the bytes of every file of some batches when it was read, by name below landing.

    Parameters
    ----------
    folders : iterable of str
        Where files of their source lie: earlier Catwalks wrote addresses in place of names.
    """
    return {
        read_name(file["file"], landing, folders): file["bytes"]
        for manifest in manifests
        for file in manifest["files"]
    }
