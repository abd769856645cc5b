"""Checks `release.yaml`, and shows what its limits would have decided on the last runs.

Called as `python -m models.release.check_release [--runs N]`. Nothing is written, nothing
released.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from infra.command_line import run_program, text_table
from infra.errors import CatwalkError, StorageError
from infra.ledger.run_records import RunRecords
from infra.ledger.run_rules import RELEASE
from infra.records.evaluation import EvaluationRecord
from infra.records.release import Judgement, VerdictRecord
from infra.report.results import results
from infra.rules import read_rules
from infra.shop_home import open_home
from infra.storage import Storage
from models.candidates import candidates_of
from models.evaluation.values import UserValues, load_values
from models.release.ab_tested import binding_then
from models.release.columns import NAME as COLUMNS
from models.release.judge_release import NOBODY
from models.release.judging import judge
from models.release.thresholds import ReleaseRules, parse_thresholds

RUNS = 10
EVALUATION = re.compile(r"(run=[^/]+)/evaluation\.json")
ACTION = {"reject": "been rejected", "review": "waited for a person"}


@dataclass(frozen=True)
class Replay:
    """One run judged again; `now` is `unreadable` where that is not possible.

    Attributes
    ----------
    then, now : str
        The outcome of that day, and by the new rules.
    was, candidate : str
        The candidate that went on then, and by the new rules; empty where nobody knows.
    reasons : tuple of Judgement
        What speaks against releasing it.
    met : str
        How many limits are met, and of which nobody can tell.
    chosen : bool
        Whether a person chose the candidate of that day: no limit would.
    """

    run: str
    was: str
    then: str
    candidate: str = ""
    now: str = "unreadable"
    reasons: tuple[Judgement, ...] = ()
    met: str = ""
    error: str = ""
    chosen: bool = False

    @property
    def changed(self) -> bool:
        """Tell whether the new rules let another candidate go on."""
        return bool(self.was and self.candidate) and self.was != self.candidate and not self.chosen

    @property
    def cells(self) -> tuple[str, ...]:
        """Its row of the table."""
        was = f"{self.was} (chosen)" if self.chosen else self.was
        return (self.run.removeprefix("run="), self.then, was, self.now, self.candidate)

    @property
    def because(self) -> str:
        """The first reason against releasing it, if there is one."""
        if self.error:
            return self.error
        more = f" (and {len(self.reasons) - 1} more)" if len(self.reasons) > 1 else ""
        return f"{self.reasons[0].reason}{more}" if self.reasons else f"it {self.met}"


def last_runs(storage: Storage, amount: int) -> list[str]:
    """Return the runs that were evaluated last, newest first, by the time in their names."""
    matches = map(EVALUATION.fullmatch, storage.reports.list(""))
    runs = [match[1] for match in matches if match]
    return sorted(runs, key=lambda run: run.split("__")[-1], reverse=True)[:amount]


def replay(storage: Storage, run: str, rules: ReleaseRules) -> Replay:
    """Judge one run again by other rules."""
    records = RunRecords(storage, run)
    before, verdict = _then(run, records)
    try:
        evaluation = records.load_evaluation()
        if evaluation is None:
            return replace(before, error="its evaluation is gone")
        baselines = frozenset(
            candidate.name for candidate in candidates_of(storage, run) if candidate.baseline
        )
        values, tested = _values(storage, evaluation), binding_then(verdict)
        ruling = judge(evaluation, values, rules, _columns(verdict), baselines, tested)
    except CatwalkError as error:
        return replace(before, error=error.fact)
    reasons = tuple(
        judgement
        for judgement in ruling.judgements
        if judgement.outcome == ruling.outcome and not judgement.passed
    )
    return replace(
        before,
        candidate=ruling.candidate,
        now=ruling.outcome,
        reasons=reasons,
        met=results(ruling.judgements),
    )


def _values(storage: Storage, evaluation: EvaluationRecord) -> UserValues | None:
    """Return the values of a run; where they are gone, the intervals of its record must do."""
    try:
        return load_values(storage, evaluation)
    except StorageError:
        return None


def _columns(verdict: VerdictRecord | None) -> tuple[Judgement, ...]:
    """Take the judgement of the data's columns from the verdict: the tables may be gone."""
    judged = verdict.judgements if verdict else ()
    return tuple(judgement for judgement in judged if judgement.metric == COLUMNS)


def _then(run: str, records: RunRecords) -> tuple[Replay, VerdictRecord | None]:
    """Return what became of a run on its day."""
    try:
        verdict = records.load_verdict()
    except CatwalkError:
        return Replay(run, "", "unreadable"), None
    if verdict is None:
        return Replay(run, "", "no verdict"), None
    was = "" if verdict.candidate == NOBODY else verdict.candidate
    return Replay(run, was, verdict.outcome, chosen=verdict.chosen is not None), verdict


def page(rules: ReleaseRules, about: str, replays: Sequence[Replay]) -> str:
    """Return what the command prints."""
    limits = len(rules.thresholds)
    first = f"{about}: valid, {limits} {'metric' if limits == 1 else 'metrics'} with limits."
    if not replays:
        return f"{first}\n\nNo run was evaluated yet, so there is nothing to replay."
    header = ("Run", "Then", "Candidate then", "Now", "Candidate now", "Because")
    rows = [(*replay.cells, replay.because) for replay in replays]
    return "\n\n".join([first, text_table(header, rows), summary(replays)])


def summary(replays: Sequence[Replay]) -> str:
    """Say in a few sentences what these numbers would have done."""
    every = len(replays)
    changed = [
        change for outcome in ("reject", "review") if (change := _would_have(replays, outcome))
    ]
    unread = sum(replay.now == "unreadable" for replay in replays)
    before = [replay for replay in replays if replay.then == "release"]
    again = sum(replay.now == "release" for replay in before)
    sentences = [
        *(f"With these numbers, {change}." for change in changed),
        "" if changed or unread else f"These numbers would have released all of the last {every}.",
        f"{unread} of the last {every} cannot be replayed." if unread else "",
        f"Of {len(before)} that were released then, {again} would be again." if before else "",
        _others(replays),
    ]
    return " ".join(filter(None, sentences))


def _others(replays: Sequence[Replay]) -> str:
    """Name every run in which another candidate goes on."""
    named = [
        f"{replay.candidate} in place of {replay.was} ({replay.run.removeprefix('run=')})"
        for replay in replays
        if replay.changed
    ]
    many = f"{len(named)} of the last {len(replays)}"
    return f"In {many} another candidate would go on: {', '.join(named)}." if named else ""


def _would_have(replays: Sequence[Replay], outcome: str) -> str:
    those = [replay for replay in replays if replay.now == outcome]
    if not those:
        return ""
    times = Counter(_limit(reason) for replay in those for reason in replay.reasons).most_common(3)
    why = ", ".join(f"{limit} ({amount}x)" for limit, amount in times)
    return f"{len(those)} of the last {len(replays)} would have {ACTION[outcome]}, because of {why}"


def _limit(judgement: Judgement) -> str:
    part = f" of {judgement.slice}" if judgement.slice else ""
    limit = re.sub(r" \([^()]*\)$", "", judgement.limit)  # a rival's value differs from run to run
    return f"{judgement.metric}{part} {limit}"


def main(arguments: Sequence[str] | None = None, file: Path = RELEASE) -> int:
    """Check and replay; return the exit status."""
    parser = argparse.ArgumentParser(prog="check-release", description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=_positive, default=RUNS, help="how many, default 10")
    amount = parser.parse_args(arguments).runs
    content = read_rules(file)
    rules = parse_thresholds(content, str(file))
    about = f"{file.name} (sha256 {hashlib.sha256(content).hexdigest()[:12]})"
    storage = Storage(open_home())
    replays = [replay(storage, run, rules) for run in last_runs(storage, amount)]
    print(page(rules, about, replays))
    return 0


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError("at least 1")
    return number


if __name__ == "__main__":
    sys.exit(run_program(main))
