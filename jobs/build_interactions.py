"""Turns accepted events into weighted user-item pairs, split by one time; and writes the items.

Grain of `interactions`: one row per user, item and part. Time never leaks: the weights of the
train part come from events before the cut alone, and `items` holds what was known at the cut.
`catalogue` holds the same columns as known now, which is what customers may be shown; `history` has
the pairs of the whole window, as if it were cut at its end: what goes live is fitted on them, and
they say what each user has bought and looked at.
`steps` has the events themselves, ordered by visit (`jobs/visits.py`).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import reduce
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from infra.errors import InputError
from infra.lake import batch_source
from infra.ledger.batches import accepted_batches, read_batches
from infra.ledger.live_pointer import champion_cut
from infra.ledger.run_rules import placements_of
from infra.placements import ListRule
from infra.schemas import EVENTS, ITEMS
from infra.settings import load_settings
from infra.spark import session as spark_session
from infra.spark.submit import run_submitted
from infra.storage import Storage
from infra.utc import in_utc, require_past
from jobs.batches.refused_items import refused_items
from jobs.catalogue import FEED, as_known_at, catalogue_at, facts_of, read_feeds, readable
from jobs.catalogue import read_items as read_items
from jobs.crawlers import activity_of, without_crawlers
from jobs.cut import Cut, Times, Wish, choose_cut, inside, midnights, split_at
from jobs.judged_customers import judged_customers
from jobs.landing.masking import MASKED
from jobs.landing.reading import BROKEN_REASONS
from jobs.landing.sources import item_feeds, load_sources, success_by_source
from jobs.visits import by_person, steps_of
from jobs.weights import pairs_of


def batches_of(sources: Collection[str], batches: Iterable[str]) -> tuple[str, ...]:
    """Keep the batches of the sources of an installation; name those of others, which stay out."""
    every = tuple(batches)
    others = sorted({batch_source(batch) for batch in every} - set(sources))
    if others:
        print(f"left out, as CATWALK_SOURCES does not name them: {', '.join(others)}", flush=True)
    return tuple(batch for batch in every if batch_source(batch) in sources)


def read_events(
    spark: SparkSession, storage: Storage, batches: Sequence[str], success: tuple[str, ...]
) -> DataFrame:
    """Read batches, and say of each event whose it is, and if its source calls it a success."""
    own = success_by_source(storage.settings.sources_file)
    places = dict[tuple[str, ...], list[str]]()
    for batch in batches:
        words = own.get(batch_source(batch), success)
        places.setdefault(words, []).append(storage.lake.address(EVENTS.name, batch))
    frames = [
        spark_session.read_table(spark, EVENTS, addresses).withColumn(
            "is_success", F.col("event_type").isin(*words)
        )
        for words, addresses in (places or {success: []}).items()
    ]
    return reduce(DataFrame.unionByName, frames).transform(by_person)


def cut_of(
    storage: Storage,
    rule: ListRule,
    events: DataFrame,
    items: DataFrame,
    window: Times,
    days_with_data: int,
) -> Cut:
    """Choose the cut of a run: see `jobs/cut.py`."""
    chosen, end = storage.settings, window.end
    wish = Wish(chosen.holdout_users, chosen.holdout_days, chosen.most_holdout_days)
    users = judged_customers(events, items, rule, midnights(end, wish))
    return choose_cut(users, end, wish, days_with_data, champion_cut(storage))


def build(spark: SparkSession, storage: Storage, run: str, end: datetime) -> None:
    """Write `interactions`, `steps`, `items`, `catalogue` and `history` of a run."""
    with storage.lake_scratch() as copies:
        _build(spark, storage, run, end, copies)


def _build(spark: SparkSession, storage: Storage, run: str, end: datetime, copies: str) -> None:
    settings, placements = storage.settings, placements_of(storage, run)
    window = Times(end - timedelta(days=settings.training_window_days), end, end)
    batches = batches_of(settings.sources, accepted_batches(read_batches(storage)))
    every = read_events(spark, storage, batches, placements.success).transform(inside, window)
    activity = activity_of(every, settings.most_events_per_day)
    events = every.transform(without_crawlers, activity)
    sources = load_sources(settings.sources, settings.sources_file)
    feeds = item_feeds(sources)
    items = read_feeds(spark, feeds, storage, copies).persist()
    catalogue = catalogue_at(items, end).persist()
    known = items.transform(readable)
    cut = cut_of(storage, placements.home.rule, events, known, window, activity.days)
    facts = {"as_of": end, "cut": cut.at, "start": window.start, "batches": batches}
    facts |= {"holdout": cut.facts, "left_out_users": activity.left_out}
    facts |= _counts(items)
    facts |= {"catalogue": facts_of(items, catalogue, end)}
    with_items = [source for source in sources.values() if source.items is not None]
    shown = refused_items(items, FEED, with_items) if facts["refused"] else []
    told = {ITEMS.name: {"refused_examples": shown}}
    tables = {
        "items": known.transform(as_known_at, cut.at),
        "catalogue": catalogue.select(*ITEMS.columns),
        "interactions": events.transform(
            pairs_of, replace(window, cut=cut.at), settings.half_life_days
        ),
        "steps": events.transform(split_at, cut.at).transform(steps_of),
    }
    for table, frame in tables.items():
        _write(spark, storage, table, run, frame, facts | told.get(table, {}))
    history = events.transform(pairs_of, window, settings.half_life_days)
    _write(spark, storage, "history", run, history, {**facts, "cut": end})


def _counts(items: DataFrame) -> dict[str, Any]:
    """Count the catalogue rows, by reason those that could not be read, and masked texts.

    Ignored rows are read and no more.
    """
    sums = (F.count("*").alias("rows"), F.sum(MASKED).alias("masked"))
    found = {row["reason"]: row for row in items.groupBy("reason").agg(*sums).collect()}
    return {
        "refused": {str(why): found[why]["rows"] for why in BROKEN_REASONS if why in found},
        "rows_read": sum(row["rows"] for row in found.values()),
        "masked": found[None]["masked"] or 0 if None in found else 0,
    }


def _write(
    spark: SparkSession,
    storage: Storage,
    table: str,
    run: str,
    frame: DataFrame,
    facts: dict[str, Any],
) -> None:
    address = storage.lake.begin(table, run)
    frame.coalesce(2).write.mode("overwrite").parquet(address)
    rows = spark.read.parquet(address).count()
    if rows == 0:
        raise InputError(f"The table {table} of {run} has no row.", _cure(table, facts))
    storage.lake.commit(table, run, {**facts, "rows": rows, "written_at": datetime.now(UTC)})
    print(f"{table}: {rows:,} rows", flush=True)


def _cure(table: str, facts: dict[str, Any]) -> str:
    if table in {"interactions", "history", "steps"}:
        return (
            f"No accepted event lies between {facts['start']} and {facts['as_of']}: check as_of, "
            "CATWALK_TRAINING_WINDOW_DAYS and what was ingested."
        )
    return (
        f"{facts['rows_read']} rows of the catalogue were read, unreadable: {facts['refused']}, "
        f"the others became known after {facts['cut']}: check the catalogue files and as_of. Where "
        "their times are those of the export, say `timeless: true` in the items of the source."
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Build the tables of one run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", required=True, help="folder name of the run: run=...")
    parser.add_argument("--as-of", required=True, type=datetime.fromisoformat, help="end, UTC")
    chosen = parser.parse_args(arguments)
    storage, end = Storage(load_settings()), require_past(in_utc(chosen.as_of))
    build(spark_session.session("build_interactions"), storage, chosen.run, end)


if __name__ == "__main__":
    sys.exit(run_submitted())
