"""Reads landing files into clean events and quarantined rows; each file exactly once.

The manifests of the batches remember the files. A batch overwrites its own partition and shows it
by a manifest written last, so a crash and a rerun lose and double nothing.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from infra.belonging import require_own_stores
from infra.ledger.run_records import RunRecords
from infra.settings import load_settings
from infra.spark import session as spark_session
from infra.spark.submit import run_submitted
from infra.storage import Storage
from jobs.batches import books
from jobs.batches.examples import examples
from jobs.batches.ingestion import ingest
from jobs.landing.mapping_check import require_mapping
from jobs.landing.sources import load_sources
from jobs.landing.unread_files import unread_files


def main(arguments: Sequence[str] | None = None) -> None:
    """Ingest the sources of the settings, and record the counts of their rows for the run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", required=True, help="folder name of the run: run=...")
    run = parser.parse_args(arguments).run
    settings = load_settings()
    storage = Storage(settings)
    require_own_stores(storage)
    sources = load_sources(settings.sources, settings.sources_file)
    spark = spark_session.session("ingest_events")
    for name, source in sources.items():
        require_mapping(spark, name, source, settings.sources_file)
    around = unread_files(spark, sources, settings)
    if said := around.summary():
        print(said, flush=True)
    for name, source in sources.items():
        ingest(spark, storage, name, source.events, run)
    shown = examples(storage, run, sources)
    record = {**books.totals(storage, run), **shown, **around.record()}
    RunRecords(storage, run).save_ingest(record)


if __name__ == "__main__":
    sys.exit(run_submitted())
