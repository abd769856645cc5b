"""Builds the numbers of the business: exposures, KPIs and customers by day, units by A/B test.

Only days that new events or new answers touch are made anew, into new folders. What counts is said
by a record that the gate of the marts writes; until then readers see the build before. With `--all`
every day is made anew from the clean tables, to the same bytes.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import datetime

from infra.settings import load_settings
from infra.spark import session as spark_session
from infra.spark.submit import run_submitted
from infra.storage import Storage
from infra.utc import in_utc, require_past
from jobs.marts.building import build_marts


def main(arguments: Sequence[str] | None = None) -> None:
    """Build what is new since the build that counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", required=True, help="folder name of the run: run=...")
    parser.add_argument("--as-of", type=datetime.fromisoformat, help="UTC; default: now")
    parser.add_argument("--all", action="store_true", help="make every day anew")
    chosen = parser.parse_args(arguments)
    storage = Storage(load_settings())
    as_of = require_past(in_utc(chosen.as_of or datetime.now().astimezone()))
    spark = spark_session.session("build_marts")
    build_marts(spark, storage, chosen.run, as_of, every=chosen.all)


if __name__ == "__main__":
    sys.exit(run_submitted())
