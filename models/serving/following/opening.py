"""Makes a published version ready to answer: unpacked and tried by another process, then opened."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import models
from infra.errors import BundleError, InputError
from infra.storage import Storage
from models.merchandising.shop_rules import NO_RULES, ShopRules
from models.serving.answering import answer
from models.serving.home import unpacked
from models.serving.own_keys import require_own_keys
from models.serving.question import Question
from models.serving.version import Version

UNPACK_SECONDS = 900.0
_NICENESS = 10  # of unpacking, so that answers come first
_CURE = "Look at the version, or publish another one; what answered before goes on."


def unpack(storage: Storage, version: str) -> None:
    """Let another process fetch, check, unpack and try a version, unless that was done.

    Raises
    ------
    BundleError
        It did not.
    """
    if unpacked(storage.settings, version).is_dir():
        return
    try:
        done = subprocess.run(
            [sys.executable, "-m", "models.serving.unpack", version],
            capture_output=True,
            text=True,
            timeout=UNPACK_SECONDS,
            cwd=Path(models.__file__).parent.parent,
            preexec_fn=lambda: os.nice(_NICENESS),
        )
    except subprocess.TimeoutExpired as error:
        fact = f"Unpacking {version} took more than {UNPACK_SECONDS:.0f} s."
        raise BundleError(fact, _CURE) from error
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or [f"it ended with {done.returncode}."]
        raise BundleError(f"{version} could not be unpacked: {lines[-1]}", _CURE)


def open_tried(storage: Storage, version: str, rules: ShopRules | None) -> Version:
    """Open a version that is unpacked, and ask it for each of its placements.

    Raises
    ------
    Exception
        Of any kind: it does not answer.
    """
    folder = unpacked(storage.settings, version)
    require_own_keys(folder, storage.settings)
    opened, now = Version.open(folder), datetime.now(UTC)
    for placement in opened.placements.placements:
        with suppress(InputError):  # it needs a category
            answer(opened, rules or NO_RULES, Question(placement=placement), now)
    return opened
