"""The judging against a slow version with sets, and the champion that must not cheat."""

from __future__ import annotations

import json
import logging
from datetime import timedelta
from pathlib import Path

import pytest

from infra.errors import BundleError, StorageError
from infra.ledger.live_pointer import live
from infra.places import version_key
from infra.storage import Storage
from models.bundle.bundle import load_recommender
from models.bundle_layout import JUDGED
from models.candidates import load_candidates
from models.data.holdout import select
from models.data.run_tables import read_run
from models.evaluation import measure
from models.evaluation.evaluate import evaluate
from models.publishing.publish import publish
from models.release.judge_release import judge_release
from models.training.train import train
from models.training.trained_model import load_trained
from tests.models.conftest import (
    AS_OF,
    BOUGHT,
    RUN,
    WINNER,
    WriteRun,
    interaction,
    prepare_bundle,
    tastes,
)
from tests.models.metrics.test_ranking import SLOW

COSTS = {"training_minutes", "peak_memory_mb", "model_mb"}
LATER, EARLIER = "run=later", "run=earlier"


def train_all(shop: Storage, run: str) -> None:
    for candidate in load_candidates():
        train(shop, run, candidate.name)


def test_the_same_numbers_as_with_sets(shop: Storage, write_run: WriteRun) -> None:
    pairs, items = tastes()
    pairs += [interaction("cold", "item001", "holdout"), interaction("user001", "new", "holdout")]
    again = next(row for row in pairs if row["part"] == "train")
    pairs += [{**again, "part": "holdout"}]  # bought again: left out, so not wanted
    looked = interaction("user001", "item000", "holdout")
    pairs += [{**looked, "successes": 0}]  # a look is no success
    write_run(pairs, items)
    train_all(shop, RUN)
    record = evaluate(shop, RUN)

    known = {row["user_key"] for row in pairs if row["part"] == "train"}
    seen = {(row["user_key"], row["item_id"]) for row in pairs if row["part"] == "train"}
    wanted: dict[str, set[str]] = {}
    for row in pairs:
        pair = (row["user_key"], row["item_id"])
        if row["part"] == "train" or not row["successes"] or pair in seen:
            continue
        if pair[0] in known and pair[1] != "new":
            wanted.setdefault(pair[0], set()).add(pair[1])
    assert record.users == len(wanted) == 60
    assert record.holdout_interactions == sum(map(len, wanted.values()))
    assert record.items == 38 and record.train_interactions == len(seen)
    assert record.judged_by == "ndcg_at_10" and record.notes == (
        "1 of 124 hold-out pairs hold no success, such as looks, and were left out.",
        "1 of 121 hold-out pairs are repeats and were left out.",
        "1 hold-out users have no history before the cut.",
        "1 hold-out items were unknown at the cut.",
    )
    users = read_run(shop, RUN).train.users
    for score in record.scores:
        given = load_trained(shop, RUN, score.name).model.recommend(users, 20)
        for metric, slow in SLOW.items():
            total = 0.0
            k = int(metric.rpartition("_")[2])
            for row, user in enumerate(users):
                found = given.item_ids(row)[:k]
                hits = [name in wanted[str(user)] for name in found] + [False] * (k - len(found))
                total += slow(hits, len(wanted[str(user)]))
            assert score.metrics[metric] == pytest.approx(total / len(users)), metric


def test_blocks_of_users_change_nothing(
    shop: Storage, write_run: WriteRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare_bundle(shop, write_run())
    publish(shop, RUN)
    whole = evaluate(shop, RUN).scores
    monkeypatch.setattr(measure, "BLOCK_USERS", 7)
    monkeypatch.setattr(measure, "AUC_PLACES", 7 * 40)
    assert evaluate(shop, RUN).scores == whole and len(whole) == len(load_candidates()) + 1


def test_taste_beats_popularity(shop: Storage, write_run: WriteRun) -> None:
    write_run()
    train_all(shop, RUN)
    scores = {score.name: score.metrics for score in evaluate(shop, RUN).scores}
    assert scores["lightfm_hybrid"]["ndcg_at_10"] > 1.2 * scores["popularity"]["ndcg_at_10"]
    assert scores["lightfm_hybrid"]["user_coverage"] == 1.0


def test_two_runs_with_one_seed_are_equal(shop: Storage, write_run: WriteRun) -> None:
    found = []
    for run in ("run=a", "run=b"):
        write_run(run=run)
        train_all(shop, run)
        scores = evaluate(shop, run).scores
        found.append([{**score.metrics, **dict.fromkeys(COSTS, 0.0)} for score in scores])
    assert found[0] == found[1]


def test_an_untrained_candidate_is_red(shop: Storage, write_run: WriteRun) -> None:
    write_run()
    for name in ("popularity", "also_bought", "again", "content"):
        train(shop, RUN, name)
    with pytest.raises(StorageError, match="lightfm_hybrid is not finished"):
        evaluate(shop, RUN)


def test_a_candidate_changed_on_disk_is_red(shop: Storage, write_run: WriteRun) -> None:
    write_run()
    train_all(shop, RUN)
    file = Path(shop.lake.address("candidates", RUN, "popularity", "factors.npz"))
    file.write_bytes(file.read_bytes()[:-1] + b"!")
    with pytest.raises(BundleError, match="was changed"):
        evaluate(shop, RUN)


def test_a_rerun_replaces_the_candidate(shop: Storage, write_run: WriteRun) -> None:
    write_run()
    train_all(shop, RUN)
    stray = Path(shop.lake.address("candidates", RUN, "popularity", "stray"))
    stray.write_text("x")
    train_all(shop, RUN)
    assert not stray.exists() and evaluate(shop, RUN).users == 60


def test_the_champion_is_scored_beside_the_candidates(shop: Storage, write_run: WriteRun) -> None:
    prepare_bundle(shop, write_run(run=EARLIER, as_of=AS_OF - timedelta(days=1)))
    version = publish(shop, EARLIER).version
    write_run()
    train_all(shop, RUN)
    record = evaluate(shop, RUN)
    scores = {score.role: score for score in record.scores if score.name == WINNER}
    assert record.champion == version and set(scores) == {"candidate", "champion"}
    same = set(scores["champion"].metrics) - COSTS
    for metric in same:  # the same rows and seed: the champion knows what the candidate knows
        assert scores["champion"].metrics[metric] == scores["candidate"].metrics[metric], metric


def test_a_champion_is_not_charged_for_what_changed_since(
    shop: Storage, write_run: WriteRun
) -> None:
    pairs, items = tastes()
    prepare_bundle(shop, write_run(pairs, items, run=EARLIER, as_of=AS_OF - timedelta(days=1)))
    publish(shop, EARLIER)
    sold_out = [{**row, "in_stock": False} if row["item_id"] < "item010" else row for row in items]
    write_run(pairs, sold_out)
    train_all(shop, RUN)
    champion = evaluate(shop, RUN).scores[-1]
    assert champion.role == "champion" and champion.metrics["user_coverage"] > 0.5
    assert champion.metrics["catalogue_coverage"] <= 1.0


def test_the_champions_lists_are_cleared_of_what_was_seen_since(
    shop: Storage, write_run: WriteRun
) -> None:
    pairs, items = tastes()
    prepare_bundle(shop, write_run(pairs, items, run=EARLIER, as_of=AS_OF - timedelta(days=1)))
    version = publish(shop, EARLIER).version
    now = [{**row, "part": "train"} if row["user_key"] < "user030" else row for row in pairs]
    taken = {(row["user_key"], row["item_id"]) for row in now}
    fresh = [(f"user{number:03d}", "item030") for number in range(60)]
    now += [interaction(*pair, "holdout") for pair in fresh if pair not in taken]
    sold_out = [{**row, "in_stock": row["item_id"] >= "item005"} for row in items]
    write_run(now, sold_out)
    train_all(shop, RUN)
    champion = evaluate(shop, RUN).scores[-1]

    tables = read_run(shop, RUN)
    chosen = select(tables, BOUGHT)
    folder = Path(shop.published.address, version_key(version))
    given = load_recommender(folder / JUDGED).recommend(chosen.users, 100)
    total = 0.0
    for row in range(len(chosen.users)):
        seen = set(tables.train.items[chosen.left_out[row].indices])
        wanted = set(tables.train.items[chosen.wanted[row].indices])
        shown = {name for name in given.item_ids(row) if name >= "item005"}
        kept = [name for name in given.item_ids(row) if name in shown - seen][:10]
        hits = [name in wanted for name in kept] + [False] * (10 - len(kept))
        total += SLOW["ndcg_at_10"](hits, len(wanted))
    assert champion.metrics["ndcg_at_10"] == pytest.approx(total / len(chosen.users))


@pytest.mark.parametrize("harm", ["later cut", "changed byte", "missing"])
def test_a_champion_that_cannot_be_scored_is_not_replaced_unseen(
    shop: Storage, write_run: WriteRun, harm: str, caplog: pytest.LogCaptureFixture
) -> None:
    day = timedelta(days=1 if harm == "later cut" else -1)
    prepare_bundle(shop, write_run(run=LATER, as_of=AS_OF + day))
    publish(shop, LATER)
    file = Path(shop.published.address, version_key(_version(shop)), "card.json")
    if harm == "changed byte":
        file.write_bytes(file.read_bytes() + b" ")
    if harm == "missing":
        file.unlink()
    write_run()
    train_all(shop, RUN)
    with caplog.at_level(logging.WARNING):
        record = evaluate(shop, RUN)
    assert all(score.role == "candidate" for score in record.scores)
    assert "was not scored" in record.notes[-1] and "was not scored" in caplog.text
    verdict = judge_release(shop, RUN)
    assert verdict.outcome == "review"
    assert any("could not be scored" in judgement.reason for judgement in verdict.judgements)


def test_selecting_keeps_the_seen_apart(shop: Storage, write_run: WriteRun) -> None:
    write_run()
    chosen = select(read_run(shop, RUN), BOUGHT)
    assert chosen.wanted.multiply(chosen.left_out).nnz == 0
    assert (chosen.wanted.sum(axis=1) == 2).all()


def _version(shop: Storage) -> str:
    record = live(shop)
    assert record is not None
    return record.version


@pytest.mark.parametrize("users", [0, 2])
def test_crawlers_are_counted_and_it_is_said_what_they_get(
    shop: Storage, write_run: WriteRun, users: int
) -> None:
    write_run()
    facts = {**shop.lake.manifest("interactions", RUN), "left_out_users": {"users": users}}
    facts["left_out_users"]["events"] = 40_000
    place = f"interactions/{RUN}/_manifest.json"
    shop.lake.store.write(place, json.dumps(facts).encode())
    train_all(shop, RUN)
    said = "2 users with 40000 events were left out: they do more in a day than customers do. "
    said += "They get the list for strangers."
    assert (said in evaluate(shop, RUN).notes) is (users == 2)
