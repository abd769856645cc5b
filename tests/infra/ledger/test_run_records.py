"""Saving a record is one write of one file, and loading it gives the same record."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from infra.ledger.run_records import RunRecords
from infra.records.release import RefitRecord
from infra.storage import Storage
from tests.infra.report.test_report import COUNTS, EVALUATION, NOON, RUN, gate, published, verdict

REFIT = RefitRecord(
    run=RUN,
    at=NOON,
    candidate="lightfm",
    refitted=True,
    folder="refits/x",
    judged_sha256="ab",
    model_sha256="cd",
    passed=True,
    reason="alike",
)
SAVES: dict[str, Callable[[RunRecords], None]] = {
    "ingest.json": lambda records: records.save_ingest(COUNTS),
    "gates/items.json": lambda records: records.save_gate(gate("items")),
    "evaluation.json": lambda records: records.save_evaluation(EVALUATION),
    "refit.json": lambda records: records.save_refit(REFIT),
    "published.json": lambda records: records.save_published(published()),
}


class CountingStore:
    """Passes every request on to a store and counts them by name."""

    def __init__(self, store: Any) -> None:
        self._store, self.requests = store, Counter[str]()

    def __getattr__(self, name: str) -> Any:
        reached = getattr(self._store, name)
        if not callable(reached):
            return reached

        def request(*args: Any, **kwargs: Any) -> Any:
            self.requests[name] += 1
            return reached(*args, **kwargs)

        return request


@pytest.fixture
def counting(shop: Storage) -> CountingStore:
    """Let the shop's reports count what is asked of them."""
    shop.reports = CountingStore(shop.reports)  # type: ignore[assignment]
    return shop.reports


@pytest.mark.parametrize("file", SAVES)
def test_saving_is_one_write_and_nothing_else(
    shop: Storage, counting: CountingStore, file: str
) -> None:
    SAVES[file](RunRecords(shop, RUN))
    assert counting.requests == {"write": 1}
    assert shop.reports.list("") == [f"{RUN}/{file}"], "no page, no summary"


def test_loading_is_one_read_also_of_what_was_never_written(
    shop: Storage, counting: CountingStore
) -> None:
    records = RunRecords(shop, RUN)
    assert (records.load_refit(), records.load_ingest()) == (None, None)
    records.save_refit(REFIT)
    assert records.load_refit() == REFIT
    assert counting.requests == {"read": 3, "write": 1}


def test_a_verdict_is_noted_in_the_decision_log_before_its_one_write(
    shop: Storage, counting: CountingStore
) -> None:
    RunRecords(shop, RUN).save_verdict(verdict())
    assert (counting.requests["write"], counting.requests["create"]) == (1, 1)
    assert sorted(shop.reports.list("")) == ["decisions/0000000001.json", f"{RUN}/verdict.json"]
