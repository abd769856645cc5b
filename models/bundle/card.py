"""Writes the model card: where a model comes from, how it scored, what it cannot do.

Source: M. Mitchell et al., Model Cards for Model Reporting, 2019.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from infra.errors import ReleaseError
from infra.ledger.run_records import RunRecords
from infra.placements import Placements
from infra.records.evaluation import Score
from infra.records.release import RefitRecord, VerdictRecord
from infra.report.units import unit_of, written
from infra.schemas import INTERACTIONS
from infra.storage import Storage
from models.training.trained_model import Fit

IN_FORCE = "overrides"  # of the card: the numbers of those that the published lists obey
READ = (
    "The numbers were measured on what users took after the cut, which the scored model never saw.",
    "ndcg_at_10 is 1 if the first ten places hold what a user took next, in the best order.",
    "An interval holds the true value in 95 of 100 such measurements over other users.",
    "A slice is a kind of users or items; one that is too small has no numbers.",
    "They come from what customers did with the lists they saw; they are not an A/B test.",
)
REFITTED = (
    "The model that goes live was fitted again, hold-out included; the numbers are of the scored"
)


def model_card(
    verdict: VerdictRecord,
    made: RefitRecord,
    storage: Storage,
    fit: Fit,
    placements: Placements,
) -> dict[str, Any]:
    """Return the card of a released model as JSON types; no clock, so that bundles repeat.

    Raises
    ------
    ReleaseError
        The released model is not in the evaluation.
    """
    evaluation = RunRecords(storage, verdict.run).load_evaluation()
    scores = evaluation.scores if evaluation else ()
    scored = [score for score in scores if score.model_sha256 == verdict.model_sha256]
    if evaluation is None or not scored:
        raise ReleaseError(f"No evaluation scored {verdict.candidate}.", "Evaluate again.")
    facts = storage.lake.manifest(INTERACTIONS.name, verdict.run)
    return {
        "run": verdict.run,
        "model": fit.model_dump(mode="json"),
        "data": {
            "window": {name: str(facts.get(name)) for name in ("start", "cut", "as_of")},
            "batches": list(verdict.batches),
            "sources": list(storage.settings.sources),
            "columns": list(verdict.columns),
        },
        **_measured(scored[0]),
        "judged": {
            "users": evaluation.users,
            "items": evaluation.items,
            "notes": list(evaluation.notes),
            "model_sha256": verdict.model_sha256,
        },
        "placements": placements.model_dump(mode="json", exclude_none=True),
        "refit": made.model_dump(mode="json", exclude={"at"}),
        "thresholds_sha256": verdict.thresholds_sha256,
        "limits": [judgement.model_dump(mode="json") for judgement in verdict.judgements],
        "cannot": list(_cannot(made)),
        "read": [*READ, *([f"{REFITTED} one."] if made.refitted else [])],
    }


def _measured(score: Score) -> dict[str, Any]:
    return {
        "metrics": score.metrics,
        "intervals": {name: list(bounds) for name, bounds in score.intervals.items()},
        "slices": [part.model_dump(mode="json") for part in score.slices],
    }


def _cannot(made: RefitRecord) -> Iterator[str]:
    last = "the end of the data" if made.refitted else "the cut"
    yield f"Users without events before {last} get the list of what sells most (fallback.json)."
    yield f"Items that came after {last} are never recommended by this model."
    yield "It knows nothing of what is in season, on sale or running out tomorrow."


def card_page(card: Mapping[str, Any]) -> str:
    """Return a card as Markdown, for people."""
    model, window = card["model"], card["data"]["window"]
    batches, sources = len(card["data"]["batches"]), ", ".join(card["data"]["sources"])
    trained = f"{model['users']:,} users, {model['items']:,} items, {model['interactions']:,} pairs"
    parts = [
        f"# {model['candidate']} of {card['run']}",
        f"Events from {window['start']} to {window['as_of']}, in {batches} batches"
        f" of {sources}. Learnt from {trained}; scored on"
        f" {card['judged']['users']:,} users, on what they took from {window['cut']} on.",
        card["refit"]["reason"],
        "## How to read it",
        *_points(card["read"]),
        "## Numbers",
        *_table(("metric", "value", "95% interval"), _numbers(card)),
        "## Lists",
        *_table(("placement", "length", "leaves out", "why"), _lists(card)),
        "## Thresholds",
        *_table(("metric", "result", "why"), _thresholds(card)),
        "## Slices",
        *_table(("users or items", "users", "ndcg_at_10"), _slices(card)),
        "## What it cannot do",
        *_points([*card["cannot"], *card["judged"]["notes"]]),
        "## Parameters",
        *_table(("name", "value"), sorted(model["parameters"].items())),
    ]
    return "\n\n".join(parts) + "\n"


def _numbers(card: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for name, value in sorted(card["metrics"].items()):
        bounds = card["intervals"].get(name)
        unit = unit_of(name)
        yield name, written(value, unit), " to ".join(written(end, unit) for end in bounds or ())


def _lists(card: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for name, placement in card["placements"]["placements"].items():
        days = placement.get("within_days")
        rule = placement["leave_out"] + (f" in the last {days} days" if days else "")
        yield name, str(placement["length"]), rule, placement["why"]


def _thresholds(card: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for limit in card["limits"]:
        yield limit["metric"], f"{limit['result']}: {limit['reason']}", limit["why"]


def _slices(card: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for part in card["slices"]:
        value = part["metrics"].get("ndcg_at_10")
        yield part["name"], f"{part['users']:,}", "too small" if value is None else f"{value:.4g}"


def _points(lines: list[str]) -> Iterator[str]:
    yield "\n".join(f"- {_line(line)}" for line in lines)


def _table(names: tuple[str, ...], rows: Any) -> Iterator[str]:
    """Yield one Markdown table; nothing without rows."""
    body = [" | ".join(_line(str(cell)) for cell in row) for row in rows]
    if body:
        head = [" | ".join(names), " | ".join("---" for _ in names)]
        yield "\n".join(f"| {line} |" for line in (*head, *body))


def _line(text: str) -> str:
    """Keep data from breaking out of its line or cell."""
    return " ".join(text.replace("|", "\\|").replace("<", "&lt;").split())
