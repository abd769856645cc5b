"""Where a server keeps things on its own disk, below the home of its shop."""

from __future__ import annotations

from pathlib import Path

from infra.places import KNOWN, SPOOL, UNPACKED, WORKERS
from infra.settings import Settings


def unpacked(settings: Settings, version: str) -> Path:
    """Return where a version lies that is unpacked and was tried."""
    return settings.home / UNPACKED / version


def spool(settings: Settings) -> Path:
    """Return where events and the served log wait until they are landed."""
    return settings.home / SPOOL


def known(settings: Settings) -> Path:
    """Return where lies what the published folder said last."""
    return settings.home / KNOWN


def metrics_folder(settings: Settings) -> Path:
    """Return where the workers of one server keep the values of their metrics."""
    return settings.home / WORKERS / str(settings.serving_port)


def stock_lock(settings: Settings) -> Path:
    """Return the lock of whoever takes files of the stock feed."""
    return known(settings) / "stock.lock"
