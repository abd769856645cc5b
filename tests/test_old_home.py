"""A home filled by the code at 756a9b8 is read and carried on."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from infra.asking import Answer
from infra.ledger.batches import accepted_batches, read_batches, stopped_batches
from infra.ledger.live_pointer import before_live, history, live
from infra.ledger.questions import waiting_question
from infra.ledger.run_records import RunRecords
from infra.places import bundle_key, version_key
from infra.report.decisions import find_decisions, render_decisions
from infra.report.page import write_report
from infra.report.runs import find_runs, render_runs
from infra.report.templates import Frame
from infra.storage import Storage
from models.bundle.bundle import open_bundle
from models.bundle.check_serving import answers
from models.candidates import load_candidates
from models.evaluation.evaluate import evaluate
from models.publishing.publish import publish
from models.publishing.roll_back_release import roll_back_release
from models.release.approve_release import ask, record_answer
from models.training.train import train
from tests import old_home
from tests.models.conftest import keep_files, prepare_bundle, write_tables
from tests.old_home import LIVE_VERSION, WITHDRAWN_VERSION

AS_BEFORE = Path(__file__).with_name("placements_of_before.yaml")


@pytest.fixture
def old_shop(shop: Storage) -> Storage:
    """Return a shop that goes on from the old home."""
    old_home.unpack_old_home(shop.settings.home)
    return shop


def test_all_records_load(old_shop: Storage) -> None:
    for run in (old_home.RELEASED, old_home.APPROVED):
        records = RunRecords(old_shop, run)
        assert records.load_ingest() and records.load_evaluation() and records.load_verdict()
        assert records.load_refit() and records.load_serving() and records.load_published()
        for gate in ("events", "items", "interactions", "recommendations"):
            assert records.load_gate(gate), gate
    approval = RunRecords(old_shop, old_home.APPROVED).load_approval()
    assert approval and (approval.answer, approval.by) == ("approved", "pm")
    stopped = RunRecords(old_shop, old_home.STOPPED).load_gate("events")
    assert stopped and stopped.waiting == (old_home.ACCEPTED_BATCH,)


def test_the_accepted_batch_counts(old_shop: Storage) -> None:
    batches = read_batches(old_shop)
    assert old_home.ACCEPTED_BATCH in accepted_batches(batches)
    assert not stopped_batches(batches)


def test_the_pointers_count(old_shop: Storage) -> None:
    pointers = list(history(old_shop))
    assert [pointer.number for pointer in pointers] == [3, 2, 1]
    versions = [pointer.version for pointer in pointers]
    assert versions == [LIVE_VERSION, WITHDRAWN_VERSION, LIVE_VERSION]
    now = live(old_shop)
    assert now is not None and now.action == "roll_back" and now.decided and now.decided.by == "pm"
    assert before_live(old_shop, now) is None, "the other one was rolled back"


@pytest.mark.parametrize("version", [LIVE_VERSION, WITHDRAWN_VERSION])
def test_the_bundles_open_and_answer(old_shop: Storage, tmp_path: Path, version: str) -> None:
    folder = old_shop.published.fetch_folder(version_key(version), tmp_path)
    assert open_bundle(folder).fallback
    measured = answers(version, folder, old_shop.settings)
    assert (measured["agreement"], measured["k"]) == (1.0, 10), "as its lists say"


def test_the_pages_show_its_runs(old_shop: Storage) -> None:
    page = find_runs(old_shop.reports)
    assert {row.run: row.ending for row in page.rows} == {
        old_home.STOPPED: "stopped",
        old_home.APPROVED: "released",
        old_home.RELEASED: "released",
    }
    assert all(row.run in render_runs(page, Frame("", "n"), None, "") for row in page.rows)
    for run, word in ((old_home.APPROVED, "Released by approval"), (old_home.RELEASED, "Released")):
        write_report(old_shop, run)
        assert f">{word}</h1>" in old_shop.reports.read(f"{run}/index.html").decode()


def test_the_page_decisions_tells_all_of_it(old_shop: Storage) -> None:
    html = render_decisions(find_decisions(old_shop, "", None), Frame("", "n"))
    for told in ("the new season must show", "customers see summer coats", "the rest is sound"):
        assert told in html
    assert LIVE_VERSION in html and WITHDRAWN_VERSION in html


def test_the_live_version_is_scored_as_it_was(old_shop: Storage) -> None:
    """By the model of the fixture: it was the champion of the second run, on the same tables."""
    keep_files(old_shop, old_home.APPROVED, placements=AS_BEFORE)
    before = RunRecords(old_shop, old_home.APPROVED).load_evaluation()
    assert before is not None
    (then,) = (score for score in before.scores if score.role == "champion")
    for candidate in load_candidates():
        train(old_shop, old_home.APPROVED, candidate.name)
    record = evaluate(old_shop, old_home.APPROVED)
    (now,) = (score for score in record.scores if score.role == "champion")
    assert now.name == then.name == "content"
    for metric in ("ndcg_at_10", "recall_at_10", "auc"):  # coverages are of all customers now
        assert now.metrics[metric] == pytest.approx(then.metrics[metric]), metric


def test_a_question_that_waits_at_an_upgrade_is_asked_anew(old_shop: Storage) -> None:
    """By the run of Airflow that asks now: the DAG in which it waited is no more."""
    records, shop = RunRecords(old_shop, old_home.APPROVED), old_shop
    asked = records.load_approval()
    assert asked is not None
    nobody = {"answer": "waiting", "by": None, "at": None, "why": ""}
    records.save_approval(asked.model_copy(update=nobody))
    assert waiting_question(shop) is None, "it has no number: an earlier Catwalk kept no list"
    bundle = shop.published.fetch_folder(version_key(WITHDRAWN_VERSION), shop.settings.home / "b")
    shop.lake.store.put_folder(bundle, bundle_key(old_home.APPROVED))
    question = ask(shop, old_home.APPROVED, "asked now")
    assert question is not None and question.digest == asked.manifest_sha256
    waiting = waiting_question(shop)
    assert waiting is not None and waiting.asked_in == "asked now"
    answer = Answer(approved=True, by="pm", at=datetime.now(UTC), why="w", digest=question.digest)
    record_answer(shop, old_home.APPROVED, answer, "asked now")
    assert ask(shop, old_home.APPROVED, "later") is None


def test_a_roll_back_goes_on_from_its_pointers(old_shop: Storage) -> None:
    record = roll_back_release(old_shop, WITHDRAWN_VERSION, "pm", "it was right", "run=back")
    assert (record.number, record.previous, record.version) == (4, LIVE_VERSION, WITHDRAWN_VERSION)
    assert live(old_shop) == record


def test_the_next_release_goes_on_from_its_pointers(old_shop: Storage) -> None:
    run = write_tables(old_shop, run="run=next", as_of=datetime(2026, 11, 26, tzinfo=UTC))
    version = prepare_bundle(old_shop, run)
    question = ask(old_shop, run)
    if question is not None:  # its numbers jump: these are other users and items
        at, digest = datetime.now(UTC), question.digest
        record_answer(old_shop, run, Answer(approved=True, by="pm", at=at, why="ok", digest=digest))
    record = publish(old_shop, run)
    assert (record.number, record.version, record.previous) == (4, version, LIVE_VERSION)
    scored = RunRecords(old_shop, run).load_evaluation()
    assert scored is not None and scored.champion == LIVE_VERSION
    assert "champion" in {score.role for score in scored.scores}, "it opens and is scored"
