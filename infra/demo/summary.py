"""Writes the closing page of a demo: the verdict, examples, and where to look further."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from itertools import islice
from typing import Any

from infra.command_line import INDENT, text_table
from infra.ledger.live_pointer import live
from infra.ledger.run_records import RunRecords
from infra.placements import HOME
from infra.places import PAGE, REPOSITORY
from infra.records.release import Judgement, PublishRecord, VerdictRecord
from infra.report.results import RESULT_WORDS, judgement_texts
from infra.storage import Storage

EXAMPLE_USERS, EXAMPLE_ITEMS = 5, 3
WHY_WIDTH = 50


def summary(storage: Storage, run: str, took: str) -> str:
    """Return the closing page of a demo.

    Parameters
    ----------
    storage : Storage
        The places of the shop.
    run : str
        The folder of the run, as made by `infra.lake.run_key`.
    took : str
        How long it took, in words.
    """
    records = RunRecords(storage, run)
    verdict = records.load_verdict()
    parts = [_verdict(verdict)]
    if is_live(storage, run):
        parts += [_examples(storage, run), _live(records.load_published())]
    else:
        parts.append("Nothing was published by this run; what was live before stays live.")
        if verdict is not None and verdict.outcome == "review":
            parts.append("A person decides: start the UI, log in as pm, open Required Actions.")
    return "\n\n".join(["", *parts, _where(storage, run, took)])


def is_live(storage: Storage, run: str) -> bool:
    """Tell whether the run says it published, and the newest pointer says so too."""
    record = RunRecords(storage, run).load_published()
    return record is not None and record == live(storage)


def _verdict(verdict: VerdictRecord | None) -> str:
    if verdict is None:
        return "The run ended before a verdict: no model was judged."
    rows = [row for judgement in verdict.judgements for row in _judgement(judgement)]
    table = text_table(("Threshold", "Value", "Limit", "", "Why"), rows)
    return f"Verdict on {verdict.candidate}: {verdict.outcome}\n\n{table}"


def _judgement(judgement: Judgement) -> list[tuple[str, ...]]:
    """Return the rows of one threshold: its reason may need more than one line."""
    first, *more = textwrap.wrap(judgement.why, WHY_WIDTH) or [""]
    name = f"{judgement.metric}, {judgement.slice}" if judgement.slice else judgement.metric
    texts, result = judgement_texts(judgement), RESULT_WORDS[judgement.result]
    rows: list[tuple[str, ...]] = [(name, *texts, result, first)]
    return rows + [("", "", "", "", line) for line in more]


def _live(record: PublishRecord | None) -> str:
    return f"Live now: {record.candidate}, version {record.version}" if record else ""


def _examples(storage: Storage, run: str) -> str:
    """Show what a few users would see."""
    lists = _rows(storage, "recommendations", run)
    users = list(islice((row for row in lists if row["placement"] == HOME), EXAMPLE_USERS))
    wanted = {item for user in users for item in user["item_ids"][:EXAMPLE_ITEMS]}
    titles = {
        row["item_id"]: row["title"]
        for row in _rows(storage, "items", run)
        if row["item_id"] in wanted
    }
    lines = [(user["user_key"][:8], _titles(user["item_ids"], titles)) for user in users]
    return text_table(("User", "Would see first"), lines)


def _titles(items: list[str], titles: dict[str, str | None]) -> str:
    return ", ".join(titles.get(item) or item for item in items[:EXAMPLE_ITEMS])


def _rows(storage: Storage, table: str, run: str) -> Iterator[dict[str, Any]]:
    """Read a partition row by row."""
    for batch in storage.lake.dataset(table, run).to_batches():
        yield from batch.to_pylist()


def _where(storage: Storage, run: str, took: str) -> str:
    home = storage.settings.home
    ours = home.parent == REPOSITORY / "var"
    up = f"make up SHOP={home.name}" if ours else f"CATWALK_HOME={home} make up"
    return "\n".join(
        [
            f"{INDENT}Report   {storage.reports.address}/{run}/{PAGE}",
            f"{INDENT}Files    {home}",
            f"{INDENT}UI       {up}",
            f"{INDENT}Time     {took}",
        ]
    )
