"""What a person has seen of a candidate: in the run whose release was approved last, no other."""

from __future__ import annotations

from typing import Any

import pytest

from infra.ledger.run_records import RunRecords
from infra.records.release import Withdrawn
from infra.storage import Storage
from models.candidates import load_candidates
from models.evaluation.approved_numbers import approved_scores, with_approved_numbers
from models.evaluation.evaluate import evaluate
from models.training.train import train
from tests.models.conftest import RUN, WriteRun
from tests.models.evaluation.test_anchor import BY_PERSON, went_live
from tests.models.release.test_limits import evaluation, score

CLASS = "models.recommenders.again:Again"


def released(shop: Storage, days_ago: float, value: float | None, **change: Any) -> str:
    """Publish a run in which `again` had a value; None for a run without a record of it."""
    run = f"run={days_ago}"
    if value is not None:
        again = score(value, "again", class_path=CLASS)
        RunRecords(shop, run).save_evaluation(evaluation(again, run=run))
    return went_live(shop, days_ago, 3, run=run, **change)


def seen(shop: Storage, **change: Any) -> dict[str, float]:
    now = score(0.9, "again", **{"class_path": CLASS, **change})
    return with_approved_numbers(now, approved_scores(shop)).approved


def test_it_is_what_the_last_approved_release_was_beside(shop: Storage) -> None:
    assert seen(shop) == {}
    released(shop, 9, 0.1)
    assert seen(shop) == {}, "released without a person"
    released(shop, 8, 0.2, decided=BY_PERSON)
    released(shop, 7, 0.3, decided=BY_PERSON)
    released(shop, 6, 0.4)
    assert seen(shop) == {"ndcg_at_10": 0.3}
    assert seen(shop, parameters={"days": 3}) == seen(shop, class_path="models.b:B") == {}
    assert seen(shop, role="champion") == {}


def test_a_release_that_was_rolled_back_or_has_no_record_shows_nothing(shop: Storage) -> None:
    released(shop, 9, 0.2, decided=BY_PERSON)
    bad = released(shop, 8, 0.3, decided=BY_PERSON)
    out = (Withdrawn(version=bad, arrays_sha256="x"),)
    released(shop, 7, 0.4, action="roll_back", decided=BY_PERSON, withdrawn=out)
    assert seen(shop) == {"ndcg_at_10": 0.2}
    released(shop, 6, None, decided=BY_PERSON, withdrawn=out)
    assert seen(shop) == {}


@pytest.mark.parametrize("content", [b"{", b"[]"])
def test_pointers_that_cannot_be_read_show_nothing(shop: Storage, content: bytes) -> None:
    released(shop, 9, 0.2, decided=BY_PERSON)
    shop.published.write("live/0000000002.json", content)
    assert seen(shop) == {}


def test_a_run_writes_down_what_a_person_saw_of_its_candidates(
    shop: Storage, write_run: WriteRun
) -> None:
    write_run()
    for candidate in load_candidates():
        train(shop, RUN, candidate.name)
    before = evaluate(shop, RUN)
    assert all(not each.approved for each in before.scores)
    went_live(shop, 1, 3, decided=BY_PERSON)
    after = evaluate(shop, RUN)
    numbers = {each.name: each.approved.get("ndcg_at_10") for each in after.scores}
    first = {each.name: each.metrics["ndcg_at_10"] for each in before.scores}
    assert numbers == {**first, **dict.fromkeys(numbers.keys() - first.keys())}
    assert len(first) > 3
    classes = {each.name: each.class_path for each in after.scores}
    assert classes["also_bought"] == "models.recommenders.also_bought:AlsoBought"
