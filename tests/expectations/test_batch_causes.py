"""One cause, one sentence: on the page, in the error, and in the list of what waits."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest

from expectations.events import gate_events
from expectations.interactions import gate_interactions
from expectations.resolve_batch import waiting
from infra.errors import GateError
from infra.ledger.run_records import RunRecords
from infra.records.gates import GateRecord
from infra.report.page import write_report
from infra.report.summary import summary_now
from infra.storage import Storage
from tests.expectations import lake
from tests.expectations.lake import AS_OF

FIRST, BATCH, RUN = "batch=shop-000000", "batch=shop-000001", "run=judging"
UNKNOWN = f"no new event came in {BATCH}: all its 1,000 rows are of an unknown type of event"
REPEATS = f"no new event came in {BATCH}: 990 of its 1,000 rows repeat earlier ones"


def judged(shop: Storage, rows: lake.Rows, run: str = RUN, **facts: Any) -> tuple[GateRecord, str]:
    """Put a batch after a good one, judge it, and return the record and the error."""
    lake.put_batch(shop, FIRST, lake.events(98))
    gate_events(shop, "run=before", AS_OF)
    lake.put_batch(shop, BATCH, rows, **facts)
    error = ""
    try:
        gate_events(shop, run, AS_OF)
    except GateError as stopped:
        error = str(stopped)
    record = RunRecords(shop, run).load_gate("events")
    assert record is not None
    return record, error


def page_of(shop: Storage, run: str = RUN) -> str:
    write_report(shop, run)
    return shop.reports.read(f"{run}/index.html").decode()


def sentence_of(page: str) -> str:
    found = re.search(r'<p class="sentence">(.*?)</p>', page)
    assert found
    return found[1]


@pytest.mark.parametrize(
    ("facts", "cause"),
    [
        ({"rows_read": 1000, "quarantined": {"unknown_type": 1000}}, UNKNOWN),
        (
            {"rows_read": 1000, "quarantined": {"malformed_json": 10}, "duplicates": 990},
            REPEATS,
        ),
    ],
)
def test_a_batch_without_an_event_is_named_by_its_cause(
    shop: Storage, facts: dict[str, Any], cause: str
) -> None:
    record, error = judged(shop, [], **facts)
    failed = [check for check in record.checks if check.failed]
    assert len(failed) > 10
    assert {check.because for check in failed} == {cause}
    assert error.startswith(f"The events gate stopped the run: {cause}. Nothing was released.")
    page = page_of(shop)
    told = f"{cause[0].upper()}{cause[1:]}."
    assert sentence_of(page) == f"{told} What was live before stays live."
    assert summary_now(shop.reports, RUN).sentence == sentence_of(page), "what a message says"
    folded = page[page.index('<details class="cause">') :]
    assert f"<summary>{len(failed)} failed checks follow from it</summary>" in folded
    assert page.count('class="failed') == folded[: folded.index("</details>")].count(
        'class="failed'
    )
    assert "Checks that failed</caption>" not in page
    (batch,) = waiting(shop)
    assert [check.because for check in batch.failed if check.because != cause] == []


def test_what_stands_beside_a_cause_is_told_beside_it(shop: Storage) -> None:
    """Most rows are of an unknown type; that one of the rest has no item is another fault."""
    rows = lake.events(40, lake.event(40, item_id=None))
    record, error = judged(shop, rows, rows_read=100, quarantined={"unknown_type": 59})
    alone = [check.name for check in record.checks if check.failed and not check.because]
    assert alone == ["item_id_missing_share"]
    cause = f"few events came in {BATCH}: 59 of its 100 rows are of an unknown type of event"
    assert f"{cause}; share of events without an item in {BATCH}: 2.4% (at most 0%)." in error
    told = sentence_of(page_of(shop))
    assert "1 other critical check failed: share of events without an item" in told


def late(**rows: int) -> list[dict[str, Any]]:
    return [
        {"file": f"events/shop/<b>{reason}.jsonl", "reason": reason, "rows": count}
        for reason, count in rows.items()
    ]


def test_a_file_ahead_is_one_finding_that_names_it(shop: Storage) -> None:
    facts = {"quarantined": {"future_time": 40, "too_old": 1}, "out_of_time": late(future_time=40)}
    record, error = judged(shop, lake.events(900), **facts)
    failed = {check.name: check for check in record.checks if check.failed}
    assert set(failed) == {"files_out_of_time", "quarantined_future_time"}
    file = "<b>future_time.jsonl: 40 rows lie in the future"
    assert failed["files_out_of_time"].examples == ({"file": file},)
    assert (failed["files_out_of_time"].severity, failed["files_out_of_time"].value) == (
        "warning",
        1,
    )
    assert failed["quarantined_future_time"].because == f"all of a file out of time: {file}"
    assert (error, record.result) == ("", "warned")
    page = page_of(shop)
    assert "&lt;b&gt;future_time.jsonl: 40 rows lie in the future" in page and "<b>fut" not in page


def test_a_share_that_other_files_break_too_stands_alone(shop: Storage) -> None:
    facts = {"quarantined": {"future_time": 70}, "out_of_time": late(future_time=40)}
    record, _ = judged(shop, lake.events(900), **facts)
    alone = [check.name for check in record.checks if check.failed and not check.because]
    assert alone == ["files_out_of_time", "quarantined_future_time"]


def test_a_batch_of_one_old_file_still_waits_for_a_person(shop: Storage) -> None:
    facts = {"quarantined": {"too_old": 1_000}, "out_of_time": late(too_old=1_000)}
    record, error = judged(shop, [], **facts)
    assert record.result == "stopped" and "too_old.jsonl: 1,000 rows are too old" in error
    assert f"no new event came in {BATCH}: all its 1,000 rows are too old" in error


def test_a_batch_of_repeats_alone_is_accepted_and_named(shop: Storage) -> None:
    record, error = judged(shop, [], rows_read=1000, duplicates=1000)
    said = f"no new event came in {BATCH}: all its 1,000 rows repeat earlier ones"
    assert (error, record.result, record.notes) == ("", "passed", (said,))
    assert f"{said[0].upper()}{said[1:]}." in page_of(shop)


def test_an_empty_batch_is_accepted_and_named(shop: Storage) -> None:
    record, _ = judged(shop, [], rows_read=0)
    assert record.notes == (f"no row came in {BATCH}: it is empty",)


def test_a_feed_that_repeats_itself_is_named_where_it_makes_the_source_stale(
    shop: Storage,
) -> None:
    old = [lake.event(n, event_time=AS_OF - timedelta(hours=40)) for n in range(98)]
    lake.put_batch(shop, BATCH, old)
    with pytest.raises(GateError, match=r"hours .* in source=shop: 40 h \(at most 36 h\)"):
        gate_events(shop, "run=first", AS_OF)
    lake.put_batch(shop, "batch=shop-000002", [], rows_read=9, duplicates=9)
    with pytest.raises(GateError, match="all its 9 rows repeat earlier ones. Nothing"):
        gate_events(shop, RUN, AS_OF)


def test_wrong_columns_explain_what_could_not_be_measured(shop: Storage) -> None:
    lake.put_batch(shop, BATCH, lake.events(98), drop="placement")
    with pytest.raises(GateError) as stopped:
        gate_events(shop, RUN, AS_OF)
    assert "gate stopped the run: columns that are missing, unknown or of another" in str(
        stopped.value
    )
    record = RunRecords(shop, RUN).load_gate("events")
    assert record is not None
    failed = [check for check in record.checks if check.failed and check.partition == BATCH]
    assert len(failed) > 10 and len({check.because for check in failed}) == 1
    assert all(check.because for check in failed)


def test_a_table_without_a_row_explains_what_it_lacks(shop: Storage) -> None:
    lake.put_items(shop, RUN, lake.items(60))
    lake.put_interactions(shop, RUN, [])
    with pytest.raises(GateError, match="user-item pairs to learn from: 0"):
        gate_interactions(shop, RUN)
    record = RunRecords(shop, RUN).load_gate("interactions")
    assert record is not None
    because = {check.because for check in record.checks if check.failed}
    assert because == {"user-item pairs to learn from: 0 (at least 1,000)"}
