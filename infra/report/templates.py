"""The templates beside this file, filled in strictly: what came from data is always escaped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infra.records.evaluation import EvaluationRecord, Score
from infra.records.gates import BatchDecision
from infra.report import charts, wording
from infra.report.airflow_links import RESOLVE, answer_link
from infra.report.checks import by_cause, check_texts, example_columns, example_text, worst_first
from infra.report.results import judgement_texts, plainly
from infra.report.steps import VERDICT_WORDS, gate_state, judgement_state, verdict_state
from infra.report.units import unit_of, written
from infra.utc import in_utc

if TYPE_CHECKING:
    from jinja2 import Environment


@dataclass(frozen=True)
class Link:
    """One entry of the navigation above a page."""

    name: str
    address: str


@dataclass(frozen=True)
class Frame:
    """What surrounds a page that a server shows; a page on a disk has none.

    Attributes
    ----------
    base : str
        Where the pages are mounted: `/catwalk`.
    nonce : str
        The word by which the server's content policy knows our own styles.
    links : sequence of Link
        The pages one can go to from here.
    airflow : str
        Where Airflow itself is mounted, empty for the root.
    """

    base: str
    nonce: str
    links: Sequence[Link] = ()
    airflow: str = ""


def fill(template: str, frame: Frame | None = None, **content: Any) -> str:
    """Return a page: `layout.html` around one of the templates that extend it."""
    now = datetime.now(UTC)
    return _environment().get_template(template).render(frame=frame, now=now, **content)


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        moment=wording.moment,
        plain=wording.plain_name,
        sentence=wording.sentence_case,
        size=wording.size,
        worst_first=worst_first,
    )
    environment.tests.update(made_since=_made_since)
    environment.globals.update(
        made_since=_made_since,
        number=wording.number,
        counted=wording.counted,
        by_cause=by_cause,
        check_texts=check_texts,
        example_columns=example_columns,
        example_text=example_text,
        judgement_texts=judgement_texts,
        plainly=plainly,
        metric_text=_metric_text,
        score_text=_score_text,
        gate_state=gate_state,
        judgement_state=judgement_state,
        verdict_state=verdict_state,
        VERDICT_WORDS=VERDICT_WORDS,
        answer_link=answer_link,
        resolve_link=RESOLVE,
    )
    return environment


def _made_since(decision: BatchDecision, since: datetime | None) -> bool:
    """Tell whether a person decided after a gate; all did where none is known."""
    return since is None or (decision.at is not None and in_utc(decision.at) > since)


def _metric_text(metric: str, value: float | None) -> str:
    return written(value, unit_of(metric))


def _score_text(evaluation: EvaluationRecord, metric: str, score: Score) -> str:
    values = [model.metrics[metric] for model in evaluation.scores if metric in model.metrics]
    return charts.value_text(metric, score.metrics.get(metric), values)
