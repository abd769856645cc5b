"""The lists as a whole are those of all customers, or of as many as a sample needs."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from infra.ledger.run_rules import placements_of
from infra.storage import Storage
from models.data.run_tables import read_run
from models.evaluation import audience as module
from models.evaluation.audience import audience
from models.evaluation.evaluate import evaluate
from models.evaluation.score_run import Entrant, evaluation_data, score_run
from models.publishing.publish import publish
from models.training.trained_model import load_trained
from tests.models.conftest import AS_OF, RUN, WriteRun, prepare_bundle, tastes
from tests.models.evaluation.test_evaluate import EARLIER, train_all


def few_come_back() -> tuple[list[dict[str, object]], list[dict[str, object]]]:
    """Only the first six users do anything after the cut."""
    pairs, items = tastes()
    return [row for row in pairs if row["part"] == "train" or row["user_key"] < "user006"], items


def test_coverage_is_that_of_all_customers(shop: Storage, write_run: WriteRun) -> None:
    write_run(*few_come_back())
    train_all(shop, RUN)
    record = evaluate(shop, RUN)
    assert record.users == 6
    train = read_run(shop, RUN).train
    for score in record.scores:
        model = load_trained(shop, RUN, score.name).model
        lists = model.recommend(train.users, 10)  # who bought everything they had seen
        shown = {name for row in range(len(train.users)) for name in lists.item_ids(row)}
        assert score.metrics["catalogue_coverage"] == pytest.approx(len(shown) / 38), score.name
        full = np.mean([lists.own[row].all() for row in range(len(train.users))])
        assert score.metrics["user_coverage"] == pytest.approx(full)


def test_of_many_customers_the_same_sample_is_asked_of_every_model(
    shop: Storage, write_run: WriteRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_run()
    monkeypatch.setattr(module, "LISTS", 20)
    tables, home = read_run(shop, RUN), placements_of(shop, RUN).home
    first, again, other = (audience(tables, home, seed) for seed in (1, 1, 2))
    assert len(first.users) == 20 and first.left_out.shape[0] == 20 and first.length == 10
    assert first.users.tolist() == again.users.tolist() != other.users.tolist()
    for row, user in enumerate(first.users):
        place = int(np.flatnonzero(tables.train.users == user)[0])
        assert (first.left_out[row] != tables.past.seen[place]).nnz == 0


def test_how_much_of_the_lists_stays(shop: Storage, write_run: WriteRun) -> None:
    prepare_bundle(shop, write_run(run=EARLIER, as_of=AS_OF - timedelta(days=1)))
    publish(shop, EARLIER)
    write_run()
    train_all(shop, RUN)
    record = evaluate(shop, RUN)
    live = next(score for score in record.scores if score.role == "champion")
    stays = {
        score.name: score.metrics["list_overlap_vs_live"]
        for score in record.scores
        if score.role == "candidate"
    }
    assert "list_overlap_vs_live" not in live.metrics
    assert stays.pop(live.name) == 1.0, "it was trained on the same rows"
    users = read_run(shop, RUN).train.users
    mine = load_trained(shop, RUN, live.name).model.recommend(users, 10)
    for name, value in stays.items():
        theirs = load_trained(shop, RUN, name).model.recommend(users, 10)
        shared = [
            len(set(mine.item_ids(row)) & set(theirs.item_ids(row))) / 10
            for row in range(len(users))
        ]
        assert value == pytest.approx(np.mean(shared)) and value < 1


def test_without_a_champion_nothing_says_what_stays(shop: Storage, write_run: WriteRun) -> None:
    write_run()
    train_all(shop, RUN)
    assert all("list_overlap_vs_live" not in s.metrics for s in evaluate(shop, RUN).scores)


def test_a_run_is_scored_without_the_storage_of_a_run(shop: Storage, write_run: WriteRun) -> None:
    """What a benchmark does: tables and models are enough, and give what `evaluate` gives."""
    write_run()
    train_all(shop, RUN)
    record, placements = evaluate(shop, RUN), placements_of(shop, RUN)
    tables = read_run(shop, RUN)
    entrants = [
        Entrant(score.model_copy(update={"metrics": {}}), load_trained(shop, RUN, score.name).model)
        for score in record.scores
    ]
    scored = score_run(tables, None, entrants, placements, frozenset({"popularity"}), seed=7)
    for before, now in zip(record.scores, scored.scores, strict=True):
        assert now.metrics.items() <= before.metrics.items()
        assert now.comparisons == before.comparisons and "ndcg_at_10" in now.metrics
    assert len(scored.holdout.users) == record.users
    assert evaluation_data(tables, None, placements, 7).newcomers is None
