"""What goes live is fitted on everything, and still the model that was judged."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from infra.errors import ReleaseError, SettingsError
from infra.ledger.run_records import RunRecords
from infra.placements import ListRule
from infra.places import bundle_key
from infra.records.release import RefitRecord
from infra.records.steps import GATES
from infra.schemas import CATALOGUE, HISTORY
from infra.settings import load_settings
from infra.storage import Storage
from models.bundle.build_bundle import build_bundle
from models.bundle.bundle import open_bundle
from models.bundle.refit_winner import likeness, refit_winner
from models.bundle_layout import JUDGED, MODEL
from models.candidates import load_candidates
from models.data.run_tables import read_run
from models.evaluation.evaluate import evaluate
from models.metrics.lists import overlap
from models.publishing.publish import publish
from models.recommender import Recommendations
from models.recommenders.capabilities import settled
from models.recommenders.lightfm_hybrid import LightFMHybrid
from models.release.judge_release import judge_release
from models.training.train import train
from models.training.trained_model import load_trained, model_folder, read_model
from tests.models.conftest import (
    AS_OF,
    BOUGHT,
    PLACEMENTS,
    RUN,
    SMALL_SHOP,
    WINNER,
    Row,
    WriteRun,
    interaction,
    keep_files,
    prepare_bundle,
    save_gate,
    save_serving,
    tastes,
    whole,
    write_lists,
    write_table,
)

LIMITS = """
overlap_at_10:
  min: {}
  share_of_seed_overlap: {}
  why: "customers notice"
"""


@pytest.fixture
def judged(shop: Storage, write_run: WriteRun) -> Storage:
    """Return a shop whose run was judged."""
    write_run()
    keep_files(shop, RUN, release=SMALL_SHOP, placements=PLACEMENTS)
    for candidate in load_candidates():
        train(shop, RUN, candidate.name)
    evaluate(shop, RUN)
    judge_release(shop, RUN)
    return shop


def limits(shop: Storage, least: float, share: float) -> Path:
    file = shop.settings.home / "refit.yaml"
    file.write_text(LIMITS.format(least, share))
    return file


def save(shop: Storage, record: RefitRecord, **change: Any) -> None:
    RunRecords(shop, RUN).save_refit(record.model_copy(update=change))


def test_it_learns_from_everything_with_the_judged_parameters(judged: Storage) -> None:
    record = refit_winner(judged, RUN)
    before = load_trained(judged, RUN, WINNER).fit
    with model_folder(judged, *record.folder.rsplit("/", 1)) as (folder, manifest):
        model, fit = read_model(folder)
    history = read_run(judged, RUN, HISTORY, CATALOGUE).train
    assert fit.interactions == record.interactions == history.weights.nnz > before.interactions
    assert (fit.cut, fit.as_of) == (AS_OF, AS_OF) and before.cut < AS_OF
    assert fit.parameters == record.parameters == before.parameters
    assert record.judged_sha256 != record.model_sha256 == manifest.model_sha256()
    assert record.passed and record.overlap and record.floor and record.overlap > record.floor
    held_out = [row for row in tastes()[0] if row["part"] == "holdout"]
    shown = model.recommend(np.array([row["user_key"] for row in held_out]), 40)
    for place, row in enumerate(held_out):
        assert row["item_id"] not in shown.item_ids(place), "it knows that they have it"
    assert record == RunRecords(judged, RUN).load_refit()


def test_a_user_of_the_last_days_is_no_stranger(shop: Storage, write_run: WriteRun) -> None:
    pairs, items = tastes()
    late = [interaction("late", f"item{number:03d}", "holdout") for number in range(4)]
    prepare_bundle(shop, write_run([*pairs, *late], items))
    bundle = open_bundle(Path(shop.lake.address(bundle_key(RUN))))
    assert not bundle.recommend(np.array(["late"]), 5).fallback[0]
    assert load_trained(shop, RUN, WINNER).model.recommend(np.array(["late"]), 5).fallback[0]


def test_a_model_that_differs_too_much_is_red_and_goes_nowhere(judged: Storage) -> None:
    with pytest.raises(ReleaseError, match=r"is not the model that was judged: \d+% of the places"):
        refit_winner(judged, RUN, limits(judged, 1.0, 0.1))
    record = RunRecords(judged, RUN).load_refit()
    assert record is not None and not record.passed and record.why == "customers notice"
    write_lists(judged, RUN, WINNER)
    with pytest.raises(ReleaseError, match="The refit of .* is not the model that was judged"):
        build_bundle(judged, RUN)


def test_data_that_turned_around_in_the_last_days(shop: Storage, write_run: WriteRun) -> None:
    """Everybody's taste is another one by now: nothing of the judged lists is left."""
    prepare_bundle(shop, write_run())
    pairs, _ = tastes()
    items = sorted({row["item_id"] for row in pairs})
    turned = dict(zip(items, items[20:] + items[:20], strict=True))
    other: list[Row] = [{**row, "item_id": turned[row["item_id"]]} for row in whole(pairs)]
    write_table(shop, "history", other)
    with pytest.raises(ReleaseError, match="is not the model that was judged"):
        refit_winner(shop, RUN)


def test_users_that_were_mixed_up_are_seen(judged: Storage) -> None:
    model, tables = load_trained(judged, RUN, WINNER).model, read_run(judged, RUN)
    same = likeness(model, model, tables, BOUGHT)
    assert same.overlap == 1.0 and same.by_chance < 0.6 and same.users == 60

    class MixedUp:
        items, recommendable = model.items, model.recommendable

        def recommend(self, users: Any, k: int, **options: Any) -> Recommendations:
            return model.recommend(np.roll(users, 1), k, **options)

    mixed = likeness(model, MixedUp(), tables, BOUGHT)  # type: ignore[arg-type]
    assert mixed.overlap < mixed.by_chance


def test_a_model_of_what_is_bought_again_is_compared_by_what_is_shown(judged: Storage) -> None:
    """With what was seen left out, the lists of different users are more alike."""
    model, tables = load_trained(judged, RUN, "again").model, read_run(judged, RUN)
    shown = likeness(model, model, tables, ListRule("nothing"))
    unseen = likeness(model, model, tables, ListRule("seen"))
    assert shown.overlap == 1.0 and shown.by_chance < unseen.by_chance


def test_the_floor_follows_the_noise_of_the_seed(judged: Storage) -> None:
    fit = load_trained(judged, RUN, "lightfm_hybrid").fit
    assert fit.seed_overlap is not None and 0 < fit.seed_overlap < 1
    assert load_trained(judged, RUN, WINNER).fit.seed_overlap == 1.0, "it has no seed"
    record = refit_winner(judged, RUN, limits(judged, 0.01, 0.5))
    assert record.floor == 0.5 and "another seed" in record.reason
    record = refit_winner(judged, RUN, limits(judged, 0.55, 0.5))
    assert record.floor == 0.55 and "refit.yaml" in record.reason


def test_epochs_of_early_stopping_are_kept() -> None:
    from tests.models.recommenders.test_early_stopping import ITEMS, with_late_pairs

    pairs = with_late_pairs(70)
    model = LightFMHybrid(epochs=300, patience=2).fit(pairs, ITEMS)
    found = settled(model)
    assert found["patience"] == 0 and 1 < found["epochs"] < 300
    assert settled(LightFMHybrid(epochs=3).fit(pairs, ITEMS)) == {}
    again = LightFMHybrid(**{"epochs": 300, **found}).fit(pairs, ITEMS)
    lists = [fitted.recommend(pairs.users, 10) for fitted in (model, again)]
    assert overlap(*lists).mean() > 0.5


def test_off_the_judged_bytes_go_live(judged: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CATWALK_REFIT", "false")
    shop = Storage(load_settings())
    record = refit_winner(shop, RUN)
    assert not record.refitted and record.folder == f"candidates/{RUN}/{WINNER}"
    write_lists(shop, RUN, WINNER)
    for gate in GATES:
        save_gate(shop, RUN, gate=gate)
    build_bundle(shop, RUN)
    save_serving(shop, RUN)
    bundle = open_bundle(Path(shop.lake.address(bundle_key(RUN))))
    assert bundle.model_sha256 == record.judged_sha256
    assert not (bundle.folder / JUDGED).exists()
    publish(shop, RUN)


@pytest.mark.parametrize(
    "change",
    [{"passed": False}, {"judged_sha256": "0" * 64}, {"candidate": "content"}, {"run": "run=x"}],
)
def test_a_record_of_another_model_releases_nothing(
    shop: Storage, write_run: WriteRun, change: dict[str, Any]
) -> None:
    prepare_bundle(shop, write_run())
    record = RunRecords(shop, RUN).load_refit()
    assert record is not None
    save(shop, record, **change)
    with pytest.raises(ReleaseError):
        publish(shop, RUN)


def test_a_changed_refit_is_refused(judged: Storage) -> None:
    record = refit_winner(judged, RUN)
    write_lists(judged, RUN, WINNER)
    save(judged, record, model_sha256="0" * 64)
    with pytest.raises(Exception, match="was trained again after"):
        build_bundle(judged, RUN)


def test_the_next_run_judges_what_was_judged(shop: Storage, write_run: WriteRun) -> None:
    """The model that is live knows the hold-out of the next run; the judged one does not."""
    prepare_bundle(shop, write_run())
    record = publish(shop, RUN)
    other = write_run(run="run=other", as_of=AS_OF + timedelta(hours=6))
    for candidate in load_candidates():
        train(shop, other, candidate.name)
    found = evaluate(shop, other)
    champion = [score for score in found.scores if score.role == "champion"]
    folder = Path(shop.published.address, "versions", record.version)
    manifest = open_bundle(folder).manifest
    assert [score.model_sha256 for score in champion] == [manifest.model_sha256(f"{JUDGED}/")]
    assert manifest.model_sha256(f"{JUDGED}/") != manifest.model_sha256(f"{MODEL}/")


def test_limits_that_say_nothing(judged: Storage) -> None:
    with pytest.raises(SettingsError, match="min"):
        refit_winner(judged, RUN, limits(judged, 0.0, 0.5))
    assert RunRecords(judged, RUN).load_refit() is None


def test_overlap_counts_places() -> None:
    ids = np.array(["a", "b", "c", "d"])
    items = np.array([[0, 1], [0, -1], [-1, -1], [2, 3]], dtype=np.int32)
    scores, nobody = np.zeros((4, 2), np.float32), np.zeros(4, dtype=bool)
    lists = Recommendations(ids, ids, items, scores, nobody)
    other = replace(lists, items=np.array([[1, 0], [0, 1], [-1, -1], [0, 3]], dtype=np.int32))
    assert overlap(lists, other).tolist() == [1.0, 0.5, 1.0, 0.5] == overlap(other, lists).tolist()
