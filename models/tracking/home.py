"""Lets MLflow's own database follow a home that was moved or restored: it keeps whole addresses."""

from __future__ import annotations

import sqlite3
from contextlib import closing

from infra.errors import BusyError, StorageError
from infra.places import MLFLOW
from infra.settings import Settings

_ARTIFACTS = "artifacts"
_HOLD_ADDRESSES = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)
_MOVE = (
    "update TABLE set COLUMN = :now || substr(COLUMN, length(:before) + 1) "
    "where COLUMN = :before or substr(COLUMN, 1, length(:below)) = :below"
)
_PATIENCE = 60.0  # seconds that another writer may hold the database


def artifacts_of(settings: Settings) -> str:
    """Return where the artefacts of a home lie, as MLflow writes it."""
    return (settings.home / MLFLOW / _ARTIFACTS).as_uri()


def follow_home(settings: Settings) -> None:
    """Let all artefacts that lay in the home be looked for where the home is now.

    A tracking server of its own keeps its artefacts itself.

    Raises
    ------
    BusyError
        Another writer holds the database for longer than a minute.
    StorageError
        The database cannot be read or written.
    """
    file = settings.home / MLFLOW / "mlflow.db"
    if settings.mlflow_uri != f"sqlite:///{file}" or not file.exists():
        return
    try:
        with closing(sqlite3.connect(file, timeout=_PATIENCE)) as database, database:
            _follow(database, artifacts_of(settings))
    except sqlite3.Error as error:
        fact = f"The database {file} of MLflow cannot be used: {error}."
        if _is_held(error):
            raise BusyError(fact, "Run again later: another program writes to it.") from error
        raise StorageError(fact, "Restore it from a backup.") from error


def _is_held(error: sqlite3.Error) -> bool:
    # What Python itself refuses has no code; the last byte of one says which kind it is.
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    return code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


def _follow(database: sqlite3.Connection, now: str) -> None:
    tables = {name for (name,) in database.execute("select name from sqlite_master")}
    if "experiments" not in tables:
        return  # MLflow has yet to make them
    found = database.execute("select distinct artifact_location from experiments")
    ending = f"/{MLFLOW}/{_ARTIFACTS}"
    for before in {place for (place,) in found if place and place.endswith(ending)} - {now}:
        for table, column in _HOLD_ADDRESSES:
            if table in tables:
                database.execute(
                    _MOVE.replace("TABLE", table).replace("COLUMN", column),
                    {"now": now, "before": before, "below": f"{before}/"},
                )
