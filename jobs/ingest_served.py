"""Reads what servers noted of their answers into the table `served`; each line exactly once.

Grain: one row per answer. Broken lines go to the quarantine with their reason, and answers that a
worker numbered and that never arrived are counted by day (`infra/ledger/served.py`).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from infra.settings import load_settings
from infra.spark import session as spark_session
from infra.spark.submit import run_submitted
from infra.storage import Storage
from jobs.marts.served_batches import read_log


def main(arguments: Sequence[str] | None = None) -> None:
    """Ingest what landed of the served log; nothing is no error, as servers may rest."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", required=True, help="folder name of the run: run=...")
    run = parser.parse_args(arguments).run
    storage = Storage(load_settings())
    read_log(spark_session.session("ingest_served"), storage, run)


if __name__ == "__main__":
    sys.exit(run_submitted())
