"""The settings of a benchmark that reads no shop."""

from __future__ import annotations

import os

from infra.settings import Settings, load_settings


def bench_settings() -> Settings:
    """Return the settings of the shop, with a home and a secret where it has none.

    They are put into the environment, as the candidate that Spark fits reads them again there.
    """
    os.environ.setdefault("CATWALK_HOME", "var/bench")
    os.environ.setdefault("CATWALK_USER_KEY_SECRET", "no user has a key here")
    return load_settings()
