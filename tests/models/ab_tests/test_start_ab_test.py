"""A candidate becomes the treatment of a test: built as a winner is, published, and not live."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from infra.errors import CatwalkError, InputError
from infra.ledger.ab_tests import add_ab_record, read_ab_tests
from infra.ledger.decision_log import append, entries
from infra.ledger.live_pointer import live, point
from infra.ledger.run_records import RunRecords
from infra.places import version_key
from infra.records.release import Withdrawn
from infra.report.runs import all_runs
from infra.storage import Storage
from models.ab_tests.plan_ab_test import plan_ab_test
from models.ab_tests.prepare_treatment import prepare_treatment
from models.ab_tests.start_ab_test import start_ab_test
from models.ab_tests.wish import wish_of
from models.bundle.build_bundle import build_bundle
from models.bundle.bundle import open_bundle
from models.bundle.refit_winner import refit_winner
from models.bundle_layout import MODEL
from models.publishing.publish import publish
from models.training.trained_model import read_fit
from tests.infra.ledger.test_ab_tests import ab_test, decision
from tests.models.conftest import (
    AS_OF,
    RUN,
    WINNER,
    prepare_bundle,
    save_gate,
    save_serving,
    write_lists,
    write_tables,
)

ARM, OTHER = "arm=manual__2026-11-25", "content"
FORM: dict[str, Any] = {
    "name": "content-first",
    "hypothesis": "Lists by content sell more.",
    "candidate": OTHER,
    "placements": ["home"],
    "unit": "user",
    "traffic": 100,
    "treatment_share": 50,
    "primary": "conversion",
    "guardrails": {"revenue": 5},
    "days": 14,
    "mature_days": 7,
    "least_effect": 10,
    "units_a_day": 10_000,
    "mean": 5,
    "only_plan": False,
    "reason": None,
}


def released(shop: Storage) -> str:
    """Put the winner of a run live, and return its version."""
    prepare_bundle(shop, write_tables(shop))
    return publish(shop, RUN).version


def build(shop: Storage, arm: str = ARM, **form: Any) -> None:
    """Do everything before the last step, as the DAG does."""
    plan_ab_test(shop, arm, wish_of({**FORM, **form}))
    prepare_treatment(shop, arm)
    winner = refit_winner(shop, arm).candidate
    write_lists(shop, arm, winner)
    save_gate(shop, arm)
    build_bundle(shop, arm)
    save_serving(shop, arm)


def test_a_candidate_is_tested_against_what_is_live(shop: Storage) -> None:
    control = released(shop)
    pointer, runs = live(shop), all_runs(shop.reports)
    build(shop)
    test = start_ab_test(shop, ARM, "eva")
    assert (test.control.version, test.control.candidate) == (control, WINNER)
    assert test.treatment.candidate == OTHER
    assert (test.learnt_from, test.planned_units > 1_000, test.by) == (RUN, True, "eva")
    with shop.scratch() as scratch:
        folder = shop.published.fetch_folder(version_key(test.treatment.version), scratch)
        open_bundle(folder)
        fit = read_fit(folder / MODEL)
    assert (fit.candidate, fit.run) == (OTHER, RUN), "both arms have learnt from one run"
    assert test.offline is not None
    assert test.offline.metric == "ndcg_at_10"
    assert test.offline.low <= test.offline.relative <= test.offline.high
    assert test.offline.relative < 0, "the winner was better offline"
    assert live(shop) == pointer, "nothing of it is live"
    assert all_runs(shop.reports) == runs, "and it is no run of its own"
    as_released = RunRecords(shop, ARM).load_published()
    assert as_released is not None
    assert as_released.version == test.treatment.version
    logged = [entry for _, entry in entries(shop.reports) if entry.what == "ab_test"]
    [entry] = logged
    assert (entry.about, entry.outcome, entry.by) == ("content-first", "started", "eva")
    assert entry.facts == {
        "test": "1", "control": control, "treatment": test.treatment.version,
        "placements": "home", "traffic": "100%, 50% of it treatment",
    }  # fmt: skip
    append(shop.reports, entry.model_copy(update={"about": "another"}))
    assert start_ab_test(shop, ARM, "eva") == test, "a run starts one test"
    again = [entry.about for _, entry in entries(shop.reports) if entry.what == "ab_test"]
    assert again == ["another", "content-first"], "and is one entry"
    assert len(read_ab_tests(shop).tests) == 1


def test_what_changed_since_the_plan_stops_the_start(shop: Storage) -> None:
    """Another test took the name, or the traffic; and each is found under the number it takes."""
    released(shop)
    build(shop)
    taken = add_ab_record(shop, lambda _: ab_test(placements=("newsletter",)))
    with pytest.raises(InputError, match="'content-first' already"):
        start_ab_test(shop, ARM, "eva")
    add_ab_record(shop, lambda _: decision(taken.number))
    with pytest.raises(InputError, match="'content-first' already"):  # names are for good
        start_ab_test(shop, ARM, "eva")


def test_traffic_of_another_test_is_not_shared(shop: Storage) -> None:
    released(shop)
    build(shop)
    first = add_ab_record(shop, lambda _: ab_test(name="an-earlier-one"))
    with pytest.raises(InputError, match="an-earlier-one"):
        start_ab_test(shop, ARM, "eva")
    add_ab_record(shop, lambda _: decision(first.number))
    assert start_ab_test(shop, ARM, "eva").number == 3


def test_a_test_is_of_what_is_live_now(shop: Storage) -> None:
    released(shop)
    build(shop)
    now = live(shop)
    assert now is not None
    point(shop, now.model_copy(update={"number": 2, "version": "another"}))
    with pytest.raises(InputError, match="another is live, and the test was planned against"):
        start_ab_test(shop, ARM, "eva")


@pytest.mark.parametrize("against", ["no gate", "gate stopped", "never answered", "rolled back"])
def test_nobody_is_shown_what_did_not_pass(shop: Storage, against: str) -> None:
    released(shop)
    build(shop)
    if against == "no gate":
        shop.reports.delete_folder(f"{ARM}/gates")
    elif against == "gate stopped":
        save_gate(shop, ARM, "stopped")
    elif against == "never answered":
        build_again(shop)
    else:
        now, built = live(shop), RunRecords(shop, ARM).load_refit()
        assert now is not None and built is not None
        start = start_ab_test(shop, ARM, "eva")
        out = (Withdrawn(version=start.treatment.version, arrays_sha256=""),)
        point(shop, now.model_copy(update={"number": 2, "withdrawn": out}))
        shop.published.delete_folder("ab_tests")
    with pytest.raises(CatwalkError):
        start_ab_test(shop, ARM, "eva")
    assert not read_ab_tests(shop).tests


def build_again(shop: Storage) -> None:
    """Give the lists another time, so that the bundle is another one than was seen to answer."""
    write_lists(shop, ARM, OTHER, written_at=AS_OF + timedelta(seconds=1))
    build_bundle(shop, ARM)
