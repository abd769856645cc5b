"""The report page of a run: it works at every stage, shows everything and never says too much."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from infra.errors import StorageError
from infra.lake import run_key
from infra.ledger.run_records import RunRecords
from infra.records.evaluation import EvaluationRecord, Score
from infra.records.gates import BatchDecision, Check, GateRecord
from infra.records.release import (
    Approval,
    ApprovalRecord,
    CandidateVerdict,
    Judgement,
    PublishRecord,
    VerdictRecord,
)
from infra.report import headline, wording
from infra.report.charts import stack
from infra.report.page import write_report
from infra.settings import Settings
from infra.storage import Storage

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
RUN = run_key("manual__2026-11-24T12:00:00+00:00")
COUNTS: dict[str, Any] = {
    "read": 1_204_000,
    "clean": 1_180_000,
    "quarantined": {"unknown_event_type": 9_000, "unreadable_time": 3_000},
    "duplicates": 8_000,
    "not_events": {"heartbeat": 4_000},
    "files": 14,
    "batches": ["batch=shop-000012", "batch=shop-000013"],
}
BROKEN = b'{"verdict": "released", "gate": '


def check(name: str, **changes: Any) -> Check:
    said = {"says": f"{name} holds", "why": f"because of {name}", "severity": "critical"}
    return Check(**{"name": name, **said, "value": 0.0, "max": 0.0, "passed": True, **changes})


def gate(name: str, *checks: Check, **changes: Any) -> GateRecord:
    given = {"run": RUN, "at": NOON, "result": "passed", "partitions": ("batch=shop-000012",)}
    return GateRecord(**{"gate": name, **given, "checks": checks or (check("order"),), **changes})


def score(name: str, ndcg: float, role: Any = "candidate") -> Score:
    metrics = {"ndcg_at_10": ndcg, "user_coverage": 0.97, "hit_rate_at_10": 3 * ndcg}
    return Score(name=name, role=role, parameters={"no_components": 32}, metrics=metrics)


EVALUATION = EvaluationRecord(
    run=RUN,
    at=NOON,
    cut=NOON,
    users=8_412,
    items=25_310,
    train_interactions=940_112,
    holdout_interactions=41_207,
    scores=(score("lightfm", 0.0713), score("popularity", 0.0402), score("v11", 0.068, "champion")),
)


MET = {"result": "met", "outcome": "release"}


def judgement(metric: str, **changes: Any) -> Judgement:
    said = {"limit": "at least 0.05", "bound": 0.05, "reason": f"{metric} reason", "why": "sales"}
    return Judgement(**{"metric": metric, **said, "value": 0.0713, **MET, **changes})


def verdict(*judgements: Judgement, **changes: Any) -> VerdictRecord:
    given = {"run": RUN, "at": NOON, "outcome": "release", "candidate": "lightfm"}
    bound = {"thresholds_sha256": "ab" * 32, "batches": ("batch=shop-000012",)}
    judged = judgements or (judgement("ndcg_at_10"),)
    return VerdictRecord(**{**given, **bound, "judgements": judged, **changes})


def published(**changes: Any) -> PublishRecord:
    given = {"run": RUN, "at": NOON, "number": 12, "version": "20261124T1200-ab12"}
    return PublishRecord(
        **{**given, "manifest_sha256": "cd" * 32, "candidate": "lightfm"} | changes
    )


MISSED = {"value": 0.04, "result": "missed", "reason": "0.04 is below 0.05"}
FAILED = judgement("ndcg_at_10", **MISSED, outcome="reject")
REJECTED = verdict(FAILED, outcome="reject")
DOUBTFUL = verdict(judgement("ndcg_at_10", **MISSED, outcome="review"), outcome="review")
APPROVAL = Approval(by="Ada", at=NOON, why="the sale distorts the hold-out")
CRITICAL = check("Unknown users", value=0.3, passed=False)


class Run:
    """A run in a folder of its own: records in, page out."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        self.records = RunRecords(storage, RUN)

    def until(self, stage: str, **instead: Any) -> Run:
        """Write the records of a good run up to a stage, some replaced."""
        saves: dict[str, tuple[Callable[[Any], None], Any]] = {
            "ingest": (self.records.save_ingest, COUNTS),
            "events": (self.records.save_gate, gate("events")),
            "items": (self.records.save_gate, gate("items")),
            "interactions": (self.records.save_gate, gate("interactions")),
            "evaluation": (self.records.save_evaluation, EVALUATION),
            "release": (self.records.save_verdict, verdict()),
            "recommendations": (self.records.save_gate, gate("recommendations")),
            "published": (self.records.save_published, published()),
        }
        for step in list(saves)[: list(saves).index(stage) + 1]:
            save, record = saves[step]
            save(instead.get(step, record))
        return self

    def spoil(self, name: str, content: bytes = BROKEN) -> Run:
        """Overwrite a record with something else."""
        self.storage.reports.write(f"{RUN}/{name}", content)
        return self

    def drop(self, name: str) -> Run:
        """Take a record away."""
        (Path(self.storage.reports.address) / RUN / name).unlink()
        return self

    def page(self) -> str:
        """Write the page and return it."""
        return Path(write_report(self.storage, RUN)).read_text(encoding="utf-8")


@pytest.fixture
def run(tmp_path: Path) -> Run:
    settings = Settings(home=tmp_path, reports=str(tmp_path / "reports"), user_key_secret="s" * 16)
    return Run(Storage(settings))


class _Text(HTMLParser):
    """What a reader sees: the text of the page, and every tag, which must be closed in order."""

    VOID = ("meta", "rect", "line", "circle", "path")

    def __init__(self, page: str) -> None:
        super().__init__()
        self.text = ""
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.handle_startendtag(tag, attrs)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: Any) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text += data


def seen(page: str) -> str:
    return re.sub(r"\s+", " ", _Text(page).text)


def word(page: str) -> str:
    found = re.search(r'<h1 id="verdict">(.*?)</h1>', page)
    assert found
    return found[1]


def sentence(page: str) -> str:
    found = re.search(r'<p class="sentence">(.*?)</p>', page)
    assert found
    return found[1]


STAGES = (
    "ingest",
    "events",
    "items",
    "interactions",
    "evaluation",
    "release",
    "recommendations",
)


def test_a_run_without_records_has_a_page_where_nothing_has_run(run: Run) -> None:
    page = run.page()
    assert word(page) == "Running"
    assert seen(page).count("Not run:") == len(STAGES) + 1


def test_the_page_stands_beside_the_records(run: Run) -> None:
    address = write_report(run.storage, RUN)
    assert address == f"{run.storage.reports.address}/{RUN}/index.html"


@pytest.mark.parametrize(("place", "stage"), enumerate(STAGES, 1))
def test_every_stage_has_a_page_that_shows_the_rest_as_not_run(
    run: Run, place: int, stage: str
) -> None:
    page = run.until(stage).page()
    assert word(page) == ("Running" if place < 6 else "Judged, not live yet")
    assert seen(page).count("Not run:") == len(STAGES) + 1 - place


def test_a_complete_run_is_released(run: Run) -> None:
    page = run.until("published").page()
    assert word(page) == "Released"
    assert "“lightfm” met the one threshold. It went live as version 20261124T1200-ab12" in page
    assert "Not run" not in seen(page)


def test_the_page_shows_the_thresholds_that_judged(run: Run) -> None:
    text = "ndcg_at_10: {min: 0.1, why: <pm> says so}"
    page = run.until("release", release=verdict(thresholds_text=text)).page()
    assert text in seen(page) and "ab" * 32 in seen(page)
    assert "<pm>" not in page
    earlier = run.until("release", release=verdict()).page()
    assert "thresholds that judged" not in seen(earlier), "an earlier record has no text"


def test_only_the_judged_metric_is_put_into_words(run: Run) -> None:
    reason = "recall_at_1 is 0.2, and recall_at_10 and my_recall_at_1 are fine"
    judged = judgement("recall_at_1", reason=reason)
    text = seen(run.until("release", release=verdict(judged)).page())
    assert "Recall@1 is 0.2, and recall_at_10 and my_recall_at_1 are fine" in text


def test_a_missed_threshold_is_a_rejection(run: Run) -> None:
    page = run.until("release", release=REJECTED).page()
    assert word(page) == "Rejected"
    assert "missed 1 of 1 threshold (NDCG@10)" in page


def test_what_nobody_can_tell_is_neither_met_nor_missed_anywhere_on_the_page(run: Run) -> None:
    """The headline, the table and the chart say the same of one limit."""
    open_limit = judgement(
        "ndcg_at_10", result="cannot tell", outcome="release", limit="at most 10% below"
    )
    met = judgement("user_coverage")
    page = run.until("release", release=verdict(open_limit, met)).page()
    assert "met 1 of 2 thresholds, and nobody can tell of NDCG@10" in page
    assert "? at most 10% below" in page and "✓ at most 10% below" not in page
    waits = judgement("ndcg_at_10", result="cannot tell", outcome="review")
    page = run.until("release", release=verdict(waits, outcome="review")).page()
    assert "met 0 of 1 threshold, and nobody can tell of NDCG@10" in page
    assert "missed" not in seen(page)


def test_every_candidate_is_named_with_its_outcome_and_reason(run: Run) -> None:
    given = {"judgements": (judgement("ndcg_at_10"),), "model_sha256": "d"}
    jumps = "it <b>jumps</b>, as ndcg_at_10 says."
    candidates = (
        CandidateVerdict(name="wild", outcome="review", reason=jumps, quality=0.0713499, **given),
        CandidateVerdict(
            name="hybrid", outcome="release", reason="meets every limit", quality=0.07131, **given
        ),
    )
    note = "703 customers: a drop of 8% or more would have shown."
    page = run.until(
        "release",
        release=verdict(candidates=candidates, best="wild", candidate="hybrid", notes=(note,)),
    ).page()
    text = seen(page)
    for said in (
        *("wild waits 0.07135", "It <b>jumps</b>, as NDCG@10 says.", note),
        *("hybrid goes on 0.07131", "Meets every limit"),
    ):
        assert said in text
    assert "<b>jumps" not in page


def test_a_critical_check_stops_the_run_at_its_gate(run: Run) -> None:
    page = run.until("events", events=gate("events", CRITICAL, result="stopped")).page()
    assert word(page) == "Stopped at the gate “events”"
    assert "1 critical check failed: Unknown users holds: 0.3 (at most 0)." in page


def test_a_run_without_new_batches_has_nothing_to_judge_and_may_be_released(run: Run) -> None:
    idle = gate("events").model_copy(update={"checks": (), "partitions": ()})
    page = run.until("published", events=idle).page()
    assert word(page) == "Released"
    assert "Nothing new to judge." in seen(page)


def test_a_check_names_its_batch(run: Run) -> None:
    stopped = gate("events", CRITICAL.model_copy(update={"partition": "batch=shop-000077"}))
    page = run.until("events", events=stopped.model_copy(update={"result": "stopped"})).page()
    assert "failed: Unknown users holds in batch=shop-000077: 0.3 (at most 0)." in sentence(page)
    assert seen(page).count("batch=shop-000077") == 2


def test_a_warning_does_not_hide_behind_the_release(run: Run) -> None:
    warned = gate("events", check("late", severity="warning", passed=False), result="warned")
    page = run.until("published", events=warned).page()
    assert word(page) == "Released"
    assert "1 check on the data failed without stopping it." in sentence(page)


def test_a_check_with_nothing_to_compare_with_neither_passed_nor_failed(run: Run) -> None:
    aside = check("drift", passed=False, not_judged="No batch was accepted before.")
    page = run.until("published", events=gate("events", check("order"), aside)).page()
    assert word(page) == "Released"
    assert "1 of 2 checks passed." in seen(page)
    assert "Not judged: No batch was accepted before." in seen(page)
    assert "failed without stopping it" not in page


def test_a_check_that_was_not_judged_did_not_pass() -> None:
    with pytest.raises(ValidationError, match="did not pass"):
        check("drift", passed=True, not_judged="No batch was accepted before.")


def approval(**changes: Any) -> ApprovalRecord:
    asked = {"run": RUN, "candidate": "lightfm", "manifest_sha256": "cd" * 32, "asked": ("Ada",)}
    return ApprovalRecord(**{**asked, "asked_at": NOON, **changes})


APPROVED = approval(answer="approved", by="Ada", at=NOON, why=APPROVAL.why)


@pytest.mark.parametrize(
    ("record", "word_", "state"),
    [
        (None, "Needs an approval", "Review"),
        (approval(), "Needs an approval", "Waits for a person"),
        (APPROVED, "Judged, not live yet", "Approved"),
        (approval(answer="rejected", by="Ada", at=NOON), "Rejected by Ada", "Rejected"),
        (approval(answer="rejected", at=NOON), "Rejected without an answer", "Rejected"),
    ],
)
def test_a_review_waits_for_a_person(
    run: Run, record: ApprovalRecord | None, word_: str, state: str
) -> None:
    run.until("recommendations", release=DOUBTFUL)
    if record is not None:
        run.records.save_approval(record)
    assert word(run.page()) == word_
    assert state in seen(run.page())


@pytest.mark.parametrize(
    ("record", "word_", "said", "state"),
    [
        (approval(), "Needs an approval", "takes a new run to go live", "Waits for a person"),
        (APPROVED, "Judged, not live yet", "met the one threshold, was approved by", "Approved"),
        (
            APPROVED.model_copy(update={"asked_at": NOON - timedelta(hours=1)}),
            "Needs an approval",
            "judged again after its approval, so a person decides anew",
            "Waits for a person",
        ),
        (
            approval(answer="rejected", by="Ada", at=NOON),
            "Rejected by Ada",
            "stays live",
            "Rejected",
        ),
    ],
)
def test_a_release_after_a_question_waits_for_a_person(
    run: Run, record: ApprovalRecord, word_: str, said: str, state: str
) -> None:
    run.until("recommendations", release=verdict())
    run.records.save_approval(record)
    page = run.page()
    assert word(page) == word_ and said in sentence(page) and state in seen(page)


def test_a_release_after_a_rejection_is_not_called_released(run: Run) -> None:
    run.records.save_approval(approval(answer="rejected", by="Ada", at=NOON))
    page = run.until("published", release=verdict()).page()
    assert "although nobody approved it" in sentence(page)


def test_a_review_that_nobody_approved_is_not_called_released(run: Run) -> None:
    run.records.save_approval(approval(answer="rejected", by="Ada", at=NOON))
    page = run.until("published", release=DOUBTFUL).page()
    assert word(page) == "Records contradict"
    assert "although nobody approved it" in sentence(page)


LATER = {"at": NOON + timedelta(hours=1)}


@pytest.mark.parametrize(
    ("decided", "again", "word_", "said"),
    [
        (APPROVAL, DOUBTFUL, "Released by approval", "missed 1 of 1 threshold"),
        (None, DOUBTFUL, "Released", "missed 1 of 1 threshold"),
        (None, verdict(candidate="other"), "Released", "“other” met the one threshold"),
        (None, REJECTED, "Rejected", "went live before that"),
    ],
)
def test_what_was_judged_again_went_live_by_its_own_verdict(
    run: Run, decided: Approval | None, again: VerdictRecord, word_: str, said: str
) -> None:
    """Also where the question of the new verdict took the place of the approval."""
    run.records.save_approval(approval(asked_at=NOON + timedelta(hours=2)))
    release, live = again.model_copy(update=LATER), published(decided=decided)
    page = run.until("published", release=release, published=live).page()
    assert word(page) == word_ and said in sentence(page)
    assert "call a data engineer" not in sentence(page)


def test_an_approval_names_who_and_why(run: Run) -> None:
    run.records.save_approval(APPROVED)
    page = run.until("published", release=DOUBTFUL).page()
    assert word(page) == "Released by approval"
    assert "approved by Ada" in sentence(page)
    assert APPROVAL.why in page


def test_what_people_decided_on_batches_stands_in_the_next_report(run: Run) -> None:
    decided = BatchDecision(decision="accepted", by="ada" + HOSTILE, at=NOON, why="ok" + HOSTILE)
    by_hand = BatchDecision(decision="discarded", by="ben")
    batches = {"batch=shop-000012": decided, "batch=shop-000013": by_hand}
    page = run.until("events", events=gate("events", decided=batches)).page()
    assert f"batch=shop-000012 was accepted by ada{HOSTILE} on 24 Nov 2026" in seen(page)
    assert f": “ok{HOSTILE}”" in seen(page)
    assert "batch=shop-000013 was discarded by ben" in seen(page)
    assert HOSTILE not in page


def test_every_word_on_top_is_explained_to_product_managers() -> None:
    source = Path(headline.__file__).read_text()
    page = Path("docs/how-to/read_a_report.md").read_text()
    found = re.findall(r'(?:Headline\(|word = )f?"([^"“{]+)(?:[^\n]*else "(\w+)")?', source)
    words = {word.strip() for pair in found for word in pair if word}
    cells = [line.split("|")[1] for line in page.splitlines() if line.count("|") > 3]
    told = {word.strip() for cell in cells for word in (cell, *cell.split(","))}
    assert len(words) > 8
    assert words - told == set()


@pytest.mark.parametrize(
    "name",
    [
        "ingest.json",
        "gates/events.json",
        "gates/interactions.json",
        "evaluation.json",
        "verdict.json",
        "gates/recommendations.json",
        "published.json",
    ],
)
@pytest.mark.parametrize("content", [BROKEN, b"", b"[]", b"{}", b"\xff\xfe", b"null"])
def test_an_unreadable_record_is_never_a_release(run: Run, name: str, content: bytes) -> None:
    page = run.until("published").spoil(name, content).page()
    assert word(page) == "Could not be read"
    assert 'class="alarm"' in page
    assert seen(page).count("Could not be read") == 4  # the title, on top, its step, its section


@pytest.mark.parametrize(
    "name", ["gates/events.json", "gates/recommendations.json", "evaluation.json", "verdict.json"]
)
def test_a_published_run_with_a_hole_is_not_released(run: Run, name: str) -> None:
    page = run.until("published").drop(name).page()
    assert word(page) == "Records contradict"
    assert "call a data engineer" in sentence(page)
    assert "No record" in seen(page)


@pytest.mark.parametrize(
    ("step", "record", "says"),
    [
        ("events", gate("events", CRITICAL), "let data through"),
        ("events", gate("events").model_copy(update={"checks": ()}), "checked nothing"),
        ("release", verdict(FAILED), "although a threshold failed"),
        ("release", verdict().model_copy(update={"judgements": ()}), "judged nothing"),
        ("published", published(candidate="other"), "not the one that was judged"),
    ],
)
def test_records_that_contradict_are_not_a_release(
    run: Run, step: str, record: Any, says: str
) -> None:
    page = run.until("published", **{step: record}).page()
    assert word(page) == "Records contradict"
    assert says in sentence(page)


def test_every_check_and_judgement_appears(run: Run) -> None:
    names = [f"Rule {number}" for number in range(12)]
    many = gate("events", *map(check, names))
    judged = verdict(judgement("ndcg_at_10"), judgement("user_coverage", limit="95% or more"))
    text = seen(run.until("published", events=many, release=judged).page())
    for expected in (*names, "NDCG@10", "User coverage", "95% or more", "User coverage reason"):
        assert expected in text


def test_failed_checks_stand_before_those_that_passed(run: Run) -> None:
    checks = (check("Fine"), check("Late", severity="info", passed=False), CRITICAL)
    text = seen(run.until("events", events=gate("events", *checks, result="stopped")).page())
    places = [text.rindex(f"{name} holds") for name in ("Unknown users", "Late", "Fine")]
    assert places == sorted(places)


def test_rows_read_are_all_accounted_for(run: Run) -> None:
    text = seen(run.until("ingest").page())
    for expected in (
        "1,204,000 rows read",
        "1,180,000",
        "Unknown event type",
        "9,000",
        "Heartbeat",
    ):
        assert expected in text
    assert "do not add up" not in text


def test_lost_rows_are_reported(run: Run) -> None:
    text = seen(run.until("ingest", ingest={**COUNTS, "clean": 1_179_000}).page())
    assert "The counts do not add up: 1,000 rows unaccounted for." in text


def test_what_else_ingestion_saw_is_told_and_escaped(run: Run) -> None:
    seen_too = {"by_type": {"view": 1_180_000}, "masked": 12, "bytes": 2_048}
    counts = {**COUNTS, **seen_too, "unknown_columns": {"<b>app</b>": 7}}
    page = run.until("ingest", ingest=counts).page()
    text = seen(page)
    assert "14 files, 2.0 kB" in text
    assert "12 texts looked like an e-mail address" in text
    assert "Clean events by type" in text and "Columns that no field asks for" in text
    assert "&lt;b&gt;app&lt;/b&gt;" in page and "<b>app" not in page


def test_quarantined_rows_are_shown_with_the_words_and_the_command(run: Run) -> None:
    row = {"reason": "unknown_type", "batch": "batch=shop-000000"}
    rows = [
        {**row, "fields": {"event_type": "<b>hover</b>", "item_id": "i1"}, "shape": ""},
        {**row, "reason": "malformed_json", "fields": {}, "shape": '{"aaaa_aa'},
    ]
    more = {
        "examples": rows,
        "unknown_words": {"<b>hover</b>": 4321},
        "time_forms": {"9999-99-99 99:99 <AAA": 1234},
        "replays": {"unknown_type": "make replay SHOP=shoes REASON=unknown_type"},
    }
    page = run.until("ingest", ingest={**COUNTS, **more}).page()
    text = seen(page)
    assert "Quarantined rows, 2 examples" in text and "4,321" in text
    assert "9999-99-99 99:99 &lt;AAA" in page and "1,234" in text
    assert "item_id: i1" in text and "cannot be parsed; its shape:" in text
    assert "make replay SHOP=shoes REASON=unknown_type" in text
    assert "<b>hover" not in page and "event_type: &lt;b&gt;hover" in page


def test_refused_rows_of_the_catalogue_are_shown_with_its_gate(run: Run) -> None:
    row = {"reason": "wrong_type", "file": "<b>day.jsonl", "fields": {"price": "<b>9"}, "shape": ""}
    refused = {"counts": {"wrong_type": 1234}, "examples": [row, {**row, "fields": {}}]}
    record = gate("items", check("untitled_share"), result="passed", refused=refused)
    run.records.save_gate(record)
    page = run.until("events").page()
    section = page[page.index('<section id="items"') :].partition("</section>")[0]
    assert "Refused rows of its files, 2 examples" in section and "1,234" in section
    assert "price: &lt;b&gt;9" in section and "&lt;b&gt;day.jsonl" in section
    assert "cannot be parsed; its shape" in section and "<b>day" not in page


def test_a_file_out_of_time_is_shown_once_with_its_rows(run: Run) -> None:
    file = {"file": "events/<b>ahead.jsonl", "reason": "future_time", "rows": 120}
    counts = {**COUNTS, "out_of_time_files": 1, "out_of_time": [file]}
    page = run.until("ingest", ingest=counts).page()
    assert "1 file of which no row is in time" in seen(page)
    assert 'events/&lt;b&gt;ahead.jsonl</th><td>Future time</td><td class="num">120</td>' in page
    assert "<b>ahead" not in page


def test_the_largest_files_are_shown_with_their_sizes_and_the_rest_is_counted(run: Run) -> None:
    largest = [{"file": "events/<b>.jsonl", "bytes": 2_048, "rows": 37}]
    page = run.until("ingest", ingest={**COUNTS, "largest_files": largest}).page()
    assert "Files read: the 1 largest of 14" in seen(page)
    assert '<td class="num">2.0 kB</td><td class="num">37</td>' in page
    assert "events/&lt;b&gt;.jsonl" in page and "events/<b>" not in page


def test_every_model_has_a_bar_and_the_limit_a_line(run: Run) -> None:
    page = run.until("release").page()
    chart = page[page.index("<figure>") : page.index("</figure>")]
    assert chart.count('class="limit"') == len(EVALUATION.scores)
    assert re.search(r'class="chosen" x="0.0%" y="\d+" width="100.0%"', chart)
    assert 'aria-label="NDCG@10: lightfm (candidate) 0.0713,' in chart


def test_a_long_name_does_not_run_into_its_value(run: Run) -> None:
    long = EVALUATION.model_copy(update={"scores": (score("n" * 80, 0.07, "champion"),)})
    page = run.until("release", evaluation=long).page()
    labels = re.findall(r"<text [^>]*>(n[^<]*)</text>", page)
    assert labels
    assert all(len(label) <= 34 and label.endswith("champion") for label in labels)


def test_a_metric_that_a_model_lacks_is_not_drawn_as_zero(run: Run) -> None:
    bare = EVALUATION.scores[0].model_copy(update={"name": "bare", "metrics": {}})
    record = EVALUATION.model_copy(update={"scores": (*EVALUATION.scores, bare)})
    assert "not measured" in seen(run.until("release", evaluation=record).page())


HOSTILE = "<script>alert('x')</script>\"><img src=https://evil.example/x>"


def hostile(run: Run) -> str:
    bad = check(HOSTILE, why=HOSTILE, passed=False)
    counts = {**COUNTS, "quarantined": {HOSTILE: 1}, "batches": [HOSTILE]}
    evaluation = EVALUATION.model_copy(update={"scores": (score(HOSTILE, 0.1),), "run": HOSTILE})
    judged = verdict(
        judgement("ndcg_at_10", reason=HOSTILE, why=HOSTILE, limit=HOSTILE),
        candidate=HOSTILE,
    )
    run.records.save_approval(APPROVED.model_copy(update={"by": HOSTILE, "why": HOSTILE}))
    lifted = gate("events", bad, result="stopped", partitions=(HOSTILE,))
    live = published(version=HOSTILE, candidate=HOSTILE, previous=HOSTILE)
    records = {"events": lifted, "evaluation": evaluation, "release": judged, "published": live}
    return run.until("published", ingest=counts, **records).page()


def test_what_came_from_data_is_escaped(run: Run) -> None:
    page = hostile(run)
    assert {"script", "img"}.isdisjoint(_Text(page).tags)
    assert HOSTILE in _Text(page).text


@pytest.mark.parametrize("write", [lambda run: run.until("published").page(), hostile])
def test_the_page_needs_nothing_but_itself(run: Run, write: Callable[[Run], str]) -> None:
    page = write(run)
    parsed = _Text(page)
    links = [value for name, value in parsed.attributes if name in {"href", "src", "xlink:href"}]
    assert links
    assert all(link.startswith("#") for link in links)
    assert {"script", "link", "iframe", "object", "embed", "base"}.isdisjoint(parsed.tags)
    assert not any(name.startswith("on") for name, _ in parsed.attributes)
    assert not re.search(r"@import|url\(", page)
    assert not parsed.open


def test_every_table_is_named_and_every_header_has_a_scope(run: Run) -> None:
    page = run.until("published").page()
    assert page.count("<table") == page.count("<caption>")
    assert page.count("<th ") == len(re.findall(r'<th [^>]*scope="(?:row|col)"', page))
    assert "<th>" not in page
    labelled = re.findall(r'<svg[^>]*(?:aria-label="[^"]+"|aria-hidden="true")', page)
    assert len(labelled) == page.count("<svg")


def test_a_record_comes_back_as_it_went(run: Run) -> None:
    run.until("published")
    assert run.records.load_ingest() == COUNTS
    assert run.records.load_gate("events") == gate("events")
    assert run.records.load_evaluation() == EVALUATION
    assert run.records.load_verdict() == verdict()
    assert run.records.load_published() == published()


def test_a_record_that_was_never_written_is_none(run: Run) -> None:
    records = run.records
    loads = (records.load_ingest, records.load_evaluation, records.load_verdict)
    assert [load() for load in loads] == [None] * 3
    assert records.load_gate("events") is None
    assert records.load_published() is None


def test_a_number_that_json_cannot_hold_fails_the_writer(run: Run) -> None:
    record = EVALUATION.model_copy(update={"scores": (score("lightfm", float("nan")),)})
    with pytest.raises(StorageError, match="ndcg_at_10"):
        run.records.save_evaluation(record)
    assert run.records.load_evaluation() is None


def test_a_value_never_looks_like_the_limit_it_misses(run: Run) -> None:
    close = check("share of known items", value=0.94996, min=0.95, max=None, passed=False)
    text = seen(run.until("events", events=gate("events", close, result="stopped")).page())
    assert "94.996%" in text
    assert "at least 95%" in text


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("user_coverage", 0.9713, "97.1%"),
        ("rows", 1_204_000.0, "1,204,000"),
        ("ndcg_at_10", 0.0713, "0.0713"),
        ("training_minutes", 12.345, "12.3"),
        ("late_share", 0.0003, "0.030%"),
        ("share", 1.0, "100%"),
        ("anything", None, "—"),
    ],
)
def test_numbers_read_as_people_write_them(name: str, value: float | None, text: str) -> None:
    assert wording.number(value, share=wording.is_share(name)) == text


def test_a_tiny_part_stays_visible_and_the_bar_full() -> None:
    segments = stack({"clean": 999_999, "quarantined": 1, "duplicates": 0}, 1_000_000)
    assert segments[1].width > 0.5
    assert segments[2].width == 0
    assert sum(segment.width for segment in segments) == pytest.approx(100)


NONE_READ = {"read": 0, "clean": 0, "quarantined": {}, "duplicates": 0, "not_events": {}}


def test_an_empty_ingest_draws_no_bar(run: Run) -> None:
    page = run.until("ingest", ingest=NONE_READ).page()
    assert "Data read No row was new." in re.sub(r" \d+ files?, [\d.]+ \w+", "", seen(page))
    assert '<svg class="stack"' not in page


def test_a_part_has_the_colour_of_its_legend_also_where_others_are_empty(run: Run) -> None:
    page = run.until("ingest", ingest={**NONE_READ, "read": 8, "duplicates": 8}).page()
    bar = page[page.index('<svg class="stack"') :]
    assert re.findall(r'<rect class="(part\d)"', bar[: bar.index("</svg>")]) == ["part3"]
    legend = re.findall(r'<span class="key (part\d)".*?class="what">(.*?)<', page, re.DOTALL)
    assert ("part3", "Duplicates") in legend


def test_facts_read_as_people_write_them(run: Run) -> None:
    year = check("first_year", says="year of the oldest event", value=2026.0, min=2000, max=None)
    ahead = check("minutes_ahead", says="minutes ahead", value=7.25, max=5, passed=False)
    costs = {"peak_memory_mb": 412.4, "model_mb": 3.0}
    bare = EVALUATION.scores[0].model_copy(update={"metrics": costs})
    stopped = gate("events", year, ahead, result="stopped")
    text = seen(
        run.until(
            "evaluation",
            events=stopped,
            evaluation=EVALUATION.model_copy(update={"scores": (bare,)}),
        ).page()
    )
    for said in (
        "2026",
        "at least 2000",
        "7.25 min",
        "at most 5 min",
        "412.4 MB",
        "Peak memory MB",
    ):
        assert said in text
    assert "2,026" not in text and "memory mb" not in text


def test_a_gate_without_a_new_batch_does_not_say_that_it_judged_nothing(run: Run) -> None:
    idle = gate("events").model_copy(update={"checks": (), "partitions": ()})
    text = seen(run.until("events", events=idle).page())
    assert "No batch was new, 24 Nov 2026" in text and "Judged nothing" not in text
