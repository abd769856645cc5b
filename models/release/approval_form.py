"""Writes the form that a person reads before approving a release: Markdown, all data escaped."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence

from infra.records.evaluation import Comparison, EvaluationRecord, Score
from infra.records.release import CandidateVerdict, VerdictRecord
from infra.report.results import RESULT_WORDS, judgement_texts, plainly
from infra.report.steps import VERDICT_WORDS
from infra.report.units import apart, digits_beside, gaps, in_column, unit_of, written
from infra.report.wording import plain_name, sentence_case
from models.evaluation.compare import CHAMPION
from models.metrics.ranking import METRICS

DISABLE = "write enabled: false at its entry in models/candidates.yaml, or the next run asks again"
NOTHING_LIVE = "Nothing is live yet: this would be the first release."


def form(verdict: VerdictRecord, evaluation: EvaluationRecord | None) -> str:
    """Return the body of the form: three lines to decide by, then all that they rest on."""
    return "\n\n".join(
        [
            *_in_short(verdict, evaluation),
            *(_safe(plainly(note, verdict)) for note in verdict.notes),
            *_candidates(verdict, evaluation),
            "### Thresholds",
            _thresholds(verdict),
            "### What differs from the champion",
            *_differences(verdict, evaluation),
        ]
    )


def _in_short(verdict: VerdictRecord, evaluation: EvaluationRecord | None) -> Iterator[str]:
    """Say why a person is asked, what it is worth to customers, and what either answer does."""
    doubts = [
        plainly(judgement.reason, verdict)
        for judgement in verdict.judgements
        if not judgement.passed
    ]
    if len(doubts) == 1:
        yield f"**A person decides, because:** {_safe(doubts[0])}"
    else:
        reasons = "\n".join(f"- {_safe(reason)}" for reason in doubts)
        yield f"**A person decides, because:**\n\n{reasons}"
    yield f"**For customers:** {_safe(_worth(verdict, evaluation))}"
    stays = f"version {verdict.champion} stays live" if verdict.champion else "nothing goes live"
    yield (
        f"**Approve,** and {_safe(verdict.candidate)} goes live. **Reject,** or let the time pass, "
        f"and {_safe(stays)}."
    )


def _worth(verdict: VerdictRecord, evaluation: EvaluationRecord | None) -> str:
    """Compare the candidate with what is live by the metric that chooses."""
    mine, champion = _pair(verdict, evaluation)
    if evaluation is None or mine is None:
        return "nothing is known of what it is worth."
    metric = evaluation.judged_by
    value, live = mine.metrics.get(metric), champion.metrics.get(metric) if champion else None
    mine_text, live_text = _texts(metric, value, live)
    here = f"{plain_name(metric)} is {mine_text}"
    if verdict.champion is None:
        return f"{here}. {NOTHING_LIVE}"
    if champion is None:
        return f"{here}; what is live could not be scored beside it."
    findings = {(of.metric, of.against): of.finding for of in mine.comparisons}
    finding = findings.get((metric, CHAMPION), "cannot tell")
    if value == live:
        return f"{here}, and what is live has the same."
    words = {"better": "it is better", "worse": "it is worse"}.get(finding, "chance can explain it")
    return f"{here}, what is live has {live_text}: {words}."


def _pair(
    verdict: VerdictRecord, evaluation: EvaluationRecord | None
) -> tuple[Score | None, Score | None]:
    """Return the scores of the candidate and of what is live."""
    scores = evaluation.scores if evaluation else ()
    mine = next((score for score in scores if _is_judged(score, verdict)), None)
    return mine, next((score for score in scores if score.role == CHAMPION), None)


def _candidates(verdict: VerdictRecord, evaluation: EvaluationRecord | None) -> Iterator[str]:
    """Name every candidate, its outcome and the reason; a person may choose one that passes."""
    if not verdict.candidates:
        return
    yield "### Candidates"
    metric = evaluation.judged_by if evaluation else ""
    quality = in_column([each.quality for each in verdict.candidates], unit_of(metric))
    rows = [
        (each.name, value, VERDICT_WORDS[each.outcome][0], _reason(each, verdict))
        for each, value in zip(verdict.candidates, quality, strict=True)
    ]
    head = plain_name(metric) if metric else "Quality"
    yield _table(("Candidate", head, "Outcome", "Reason"), rows)
    names = ", ".join(choice.name for choice in verdict.choices)
    if names:
        how = f"trigger release_candidate with the run {verdict.run} and the name"
        yield _safe(f"In place of {verdict.candidate} you may choose {names}: {how}.")
    needs_you = (each.name for each in verdict.candidates if each.outcome == "review")
    if verdict.candidate in needs_you and len(verdict.candidates) > 1:
        yield _safe(f"If you do not want {verdict.candidate}: {DISABLE}.")


def _reason(candidate: CandidateVerdict, verdict: VerdictRecord) -> str:
    return sentence_case(plainly(candidate.reason, verdict))


def _thresholds(verdict: VerdictRecord) -> str:
    rows = [
        (
            ", ".join(filter(None, [plain_name(judgement.metric), judgement.slice])),
            *judgement_texts(judgement),
            RESULT_WORDS[judgement.result],
            judgement.why,
        )
        for judgement in verdict.judgements
    ]
    return _table(("Threshold", "Value", "Limit", "Result", "Why"), rows)


def _differences(verdict: VerdictRecord, evaluation: EvaluationRecord | None) -> Iterator[str]:
    mine, champion = _pair(verdict, evaluation)
    if verdict.champion is None:
        yield NOTHING_LIVE
    elif mine is None or champion is None:
        yield _safe(f"Version {verdict.champion} is live and could not be scored beside it.")
    else:
        yield f"Live is {_safe(verdict.champion)}, made by {_safe(champion.name)}."
        yield _table(("Metric", "Candidate", "Champion", "Difference"), list(_rows(mine, champion)))
        yield _parameters(mine, champion)


def _is_judged(score: Score, verdict: VerdictRecord) -> bool:
    return score.role == "candidate" and score.name == verdict.candidate


def _rows(mine: Score, champion: Score) -> Iterator[tuple[str, ...]]:
    comparisons = {
        comparison.metric: comparison
        for comparison in mine.comparisons
        if comparison.against == CHAMPION
    }
    for metric in METRICS:
        here, there = mine.metrics.get(metric), champion.metrics.get(metric)
        if here is None and there is None:
            continue
        difference = _difference(metric, here, there, comparisons.get(metric))
        yield plain_name(metric), *_texts(metric, here, there), difference


def _difference(
    metric: str, here: float | None, there: float | None, found: Comparison | None
) -> str:
    """Write how far two values are apart, and what is known of it, all with equal decimals."""
    if here is None or there is None:
        return "unknown"
    unit = unit_of(metric)
    digits = digits_beside([here, there], [here, there], unit)
    if found is None:
        return "none" if here == there else gaps([here - there], unit, digits)[0]
    gap, low, high = gaps([here - there, found.low, found.high], unit, digits)
    return f"{gap} (95%: {low} to {high}), {found.finding}"


def _texts(metric: str, here: float | None, there: float | None) -> tuple[str, str]:
    """Write both values of a metric, so that they look the same only if they are."""
    unit = unit_of(metric)
    if here is None or there is None:
        return written(here, unit), written(there, unit)
    return apart(here, there, unit)


def _parameters(mine: Score, champion: Score) -> str:
    if mine.name != champion.name:
        return "The two are different kinds of models."
    names = sorted({*mine.parameters, *champion.parameters})
    changed = [
        f"{name} {champion.parameters.get(name)} to {mine.parameters.get(name)}"
        for name in names
        if mine.parameters.get(name) != champion.parameters.get(name)
    ]
    return _safe(f"Parameters changed: {', '.join(changed)}." if changed else "Same parameters.")


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *([_safe(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _safe(text: str) -> str:
    r"""Escape a text, so that Markdown shows it as it is.

    >>> _safe("ndcg_at_10 | <b>")
    'ndcg\\_at\\_10 \\| &lt;b&gt;'
    """
    one_line = " ".join(text.split())
    return html.escape(re.sub(r"([\\`*_{}\[\]()#+!|~-])", r"\\\1", one_line), quote=False)
