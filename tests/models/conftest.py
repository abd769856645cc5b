"""Tiny shops: tables of a run written as Spark would write them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from infra.ledger.run_records import RunRecords
from infra.ledger.run_rules import CANDIDATES, files_of, read_files
from infra.placements import ListRule
from infra.places import RULES
from infra.records.gates import Check, GateRecord
from infra.records.release import ServingRecord
from infra.records.steps import GATES
from infra.schemas import INTERACTIONS
from infra.storage import Storage
from models.candidates import Candidate, candidate_named, load_candidates, make
from models.data.run_tables import interactions, item_features
from models.recommender import Interactions, ItemFeatures, Recipe, Recommender
from tests.conftest import JVM
from tests.models import prepared

SPARK = candidate_named("spark_als")  # its tests share the worker that has the JVM
everyone = pytest.mark.parametrize(
    "candidate",
    [
        pytest.param(each, id=each.name, marks=[pytest.mark.xdist_group(JVM)] * (each == SPARK))
        for each in load_candidates(every=True)
    ],
)
SMALL_SHOP = Path(__file__).with_name("small_shop.yaml")  # release rules for 60 customers
WINNER = "also_bought"  # by ndcg_at_10 on `tastes`
RUN = "run=manual__2026-11-24T00-00-00"
AS_OF = datetime(2026, 11, 24, tzinfo=UTC)
WRITTEN_AT = datetime(2026, 1, 1, tzinfo=UTC)  # before any verdict, whatever the clock says
PLACEMENTS = Path(__file__).with_name("placements.yaml")
BOUGHT = ListRule("bought", 30)  # of the shipped placements
Row = dict[str, Any]

INTERACTION_TYPES = pa.schema(
    [
        ("user_key", pa.string()),
        ("item_id", pa.string()),
        ("part", pa.string()),
        ("weight", pa.float32()),
        ("events", pa.int32()),
        ("successes", pa.int32()),
        ("purchases", pa.int32()),
        ("last_time", pa.timestamp("us", tz="UTC")),
        ("bought_time", pa.timestamp("us", tz="UTC")),
    ]
)
ITEM_TYPES = pa.schema(
    [
        ("item_id", pa.string()),
        ("title", pa.string()),
        ("brand", pa.string()),
        ("category", pa.string()),
        ("colour", pa.string()),
        ("price", pa.float64()),
        ("has_picture", pa.bool_()),
        ("in_stock", pa.bool_()),
        ("updated_at", pa.timestamp("us", tz="UTC")),
        ("markets", pa.string()),
        ("url", pa.string()),
        ("picture_url", pa.string()),
    ]
)
STEP_TYPES = pa.schema(
    [
        ("person_key", pa.string()),
        ("session", pa.string()),
        ("position", pa.int32()),
        ("item_id", pa.string()),
        ("event_type", pa.string()),
        ("event_time", pa.timestamp("us", tz="UTC")),
        ("part", pa.string()),
        ("quantity", pa.int32()),
        ("unit_price", pa.float64()),
    ]
)


def interaction(user: str, item: str, part: str = "train", weight: float = 1.0) -> Row:
    """Return a pair that was bought once, so lists leave it out as the shipped placements say."""
    return {
        "user_key": user,
        "item_id": item,
        "part": part,
        "weight": weight,
        "events": 1,
        "successes": 1,
        "purchases": 1,
        "last_time": AS_OF - timedelta(days=5),
        "bought_time": AS_OF - timedelta(days=5),
    }


def step(person: str, item: str, position: int = 0, **values: Any) -> Row:
    """Return one event of a visit, a minute after the one before it."""
    row = {
        "person_key": person,
        "session": "s1",
        "position": position,
        "item_id": item,
        "event_type": "view",
        "event_time": AS_OF - timedelta(days=5) + timedelta(minutes=position),
        "part": "train",
        "quantity": None,
        "unit_price": None,
    }
    return {**row, **values}


def item(name: str, **values: Any) -> Row:
    row = {
        "item_id": name,
        "title": name.title(),
        "brand": "Aurora",
        "category": "coats",
        "colour": "red",
        "price": 10.0,
        "has_picture": True,
        "in_stock": True,
        "updated_at": AS_OF - timedelta(days=30),
        "markets": None,
        "url": f"/items/{name}",
        "picture_url": None,
    }
    return {**row, **values}


def tastes(users: int = 60, items: int = 40, seed: int = 3) -> tuple[list[Row], list[Row]]:
    """Two tastes: even users like the first half of the items, odd ones the second.

    Everybody has 6 train pairs and 2 hold-out pairs of their own half. The last item has no
    picture, the one before is out of stock.
    """
    random = np.random.default_rng(seed)
    names = [f"item{number:03d}" for number in range(items)]
    half = items // 2
    pairs = []
    for user in range(users):
        mine = names[:half] if user % 2 == 0 else names[half:]
        chosen = random.choice(mine, size=8, replace=False)
        pairs += [
            interaction(f"user{user:03d}", name, "train" if place < 6 else "holdout", 1 + place / 4)
            for place, name in enumerate(chosen)
        ]
    catalogue = [
        item(
            name,
            brand=f"brand{place % 5}",
            category="coats" if place < half else "shoes",
            colour=["red", "blue", None][place % 3],
            price=float(place + 1),
            has_picture=place != items - 1,
            in_stock=place != items - 2,
        )
        for place, name in enumerate(names)
    ]
    return pairs, catalogue


def arrays(pairs: Sequence[Row], catalogue: Sequence[Row]) -> tuple[Interactions, ItemFeatures]:
    """Turn the train rows and the catalogue into what `fit` takes."""
    rows = [row for row in pairs if row["part"] == "train"]
    names = {row["item_id"] for row in rows} | {row["item_id"] for row in catalogue}
    every_item = np.array(sorted(names), dtype=np.str_)
    train = interactions(pa.Table.from_pylist(rows, INTERACTION_TYPES), every_item)
    items = item_features(pa.Table.from_pylist(list(catalogue), ITEM_TYPES), every_item)
    return train, items


@pytest.fixture(autouse=True)
def short_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let tiny shops show lists that they can fill."""
    monkeypatch.setenv("CATWALK_PLACEMENTS", str(PLACEMENTS))


@pytest.fixture
def recipe(request: pytest.FixtureRequest, shop: Storage, candidate: Candidate) -> Recipe:
    """Make the recipe of a test's `candidate`; Spark's is fitted on the session of all tests."""
    if candidate == SPARK:
        request.getfixturevalue("spark")
    made: Recipe = make(candidate, shop.settings)
    return made


_FITTED: dict[str, Recommender] = {}


@pytest.fixture
def fitted(recipe: Recipe, candidate: Candidate) -> Recommender:
    """Return the candidate fitted on `tastes`, once for all tests: none may change it."""
    if candidate.name not in _FITTED:
        _FITTED[candidate.name] = recipe.fit(*arrays(*tastes()))
    return _FITTED[candidate.name]


def whole(pairs: Sequence[Row]) -> list[Row]:
    """Add up the parts of every pair, as the table `history` has them."""
    found: dict[tuple[str, str], Row] = {}
    for row in pairs:
        key = (row["user_key"], row["item_id"])
        before = found.get(key, {"weight": 0.0})["weight"]
        weight = None if row["weight"] is None else row["weight"] + before
        found[key] = {**row, "part": "train", "weight": weight}
    return list(found.values())


WriteRun = Callable[..., str]


@pytest.fixture
def write_run(shop: Storage) -> WriteRun:
    """Write the tables of a run; `catalogue` is what is known now, `items` at the cut."""
    return partial(write_tables, shop)


def write_tables(
    shop: Storage,
    pairs: Sequence[Row] | None = None,
    items: Sequence[Row] | None = None,
    catalogue: Sequence[Row] | None = None,
    run: str = RUN,
    as_of: datetime = AS_OF,
    steps: Sequence[Row] = (),
) -> str:
    """Write the tables of a run of any shop, and return its name."""
    some_pairs, some_items = tastes()
    pairs = some_pairs if pairs is None else pairs
    items = some_items if items is None else items
    facts = {
        "as_of": as_of,
        "cut": as_of - timedelta(days=3),
        "start": as_of - timedelta(days=90),
        "batches": ["batch=shop-000001"],
        "written_at": WRITTEN_AT,
    }
    now = items if catalogue is None else catalogue
    _write(shop, "interactions", run, pairs, INTERACTION_TYPES, facts)
    _write(shop, "items", run, items, ITEM_TYPES, facts)
    _write(shop, "catalogue", run, now, ITEM_TYPES, facts)
    _write(shop, "history", run, whole(pairs), INTERACTION_TYPES, {**facts, "cut": as_of})
    _write(shop, "steps", run, steps, STEP_TYPES, facts)
    return run


def write_table(
    shop: Storage, table: str, rows: Sequence[Row], types: pa.Schema = INTERACTION_TYPES
) -> None:
    """Replace the rows of one table of the run; what is known of it stays."""
    _write(shop, table, RUN, rows, types, shop.lake.manifest(table, RUN))


def _write(
    shop: Storage, table: str, run: str, rows: Sequence[Row], types: pa.Schema, facts: Row
) -> None:
    folder = Path(shop.lake.begin(table, run))
    folder.mkdir(parents=True)
    content = pa.Table.from_pylist(list(rows), types)
    pq.write_table(content.slice(0, len(rows) // 2), folder / "part-00000.parquet")
    pq.write_table(content.slice(len(rows) // 2), folder / "part-00001.parquet")
    shop.lake.commit(table, run, {**facts, "rows": len(rows)})


def train_otherwise(shop: Storage, run: str, name: str) -> None:
    """Train a candidate again with another seed: with the same one, its files would be equal."""
    from models.training.train import train

    settings = shop.settings.model_copy(update={"seed": shop.settings.seed + 1})
    train(Storage(settings), run, name)


def write_lists(
    shop: Storage, run: str, candidate: str, k: int = 5, written_at: datetime = AS_OF
) -> None:
    """Write the table `recommendations` as the Spark job does, with the refitted candidate."""
    from infra.places import trained_of
    from models.bundle_layout import manifest_sha256
    from models.data.run_tables import read_run, read_table
    from models.recommenders.todays_model import TodaysModel
    from models.training.trained_model import model_folder, read_model

    train = read_run(shop, run).train
    made = RunRecords(shop, run).load_refit()
    of_refit = made is not None and made.candidate == candidate
    place = made.folder if made and of_refit else f"{trained_of(run)}/{candidate}"
    with model_folder(shop, *place.rsplit("/", 1)) as (folder_of_model, _):
        model = read_model(folder_of_model)[0]
        sha256 = manifest_sha256(folder_of_model)
    bought: dict[str, list[str]] = {}
    for row in read_table(shop, INTERACTIONS, run).to_pylist():
        if row["bought_time"] and row["bought_time"] >= AS_OF - timedelta(days=30):
            bought.setdefault(row["user_key"], []).append(row["item_id"])
    todays = TodaysModel(model, model.items, model.recommendable)
    left_out = todays.marks([bought.get(user, []) for user in train.users])
    given = todays.recommend(train.users, k, exclude_seen=False, seen=left_out)
    rows = [
        {
            "placement": "home",
            "user_key": str(user),
            "item_ids": given.item_ids(row),
            "scores": given.scores[row][: len(given.item_ids(row))].tolist(),
        }
        for row, user in enumerate(given.users)
    ]
    folder = Path(shop.lake.begin("recommendations", run))
    folder.mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(rows), folder / "part-00000.parquet")
    made = {"model": candidate, "model_manifest_sha256": sha256, "written_at": written_at}
    shop.lake.commit("recommendations", run, {"rows": len(rows), **made})


def save_gate(
    shop: Storage, run: str, result: str = "passed", gate: str = "recommendations", **change: Any
) -> None:
    """Write the record of one gate, as its task does, a minute after its table was written."""
    passed = result == "passed"
    written_at = AS_OF if gate == "recommendations" else WRITTEN_AT
    check = Check(name="full", says="full", why="w", severity="critical", value=1.0, passed=passed)
    content = {
        "gate": gate,
        "run": run,
        "at": written_at + timedelta(minutes=1),
        "result": result,
        "partitions": [run],
        "checks": [check],
    }
    RunRecords(shop, run).save_gate(GateRecord.model_validate({**content, **change}))


def save_serving(shop: Storage, run: str) -> None:
    """Write the record of a bundle that answers, without the seconds of a fresh process."""
    from infra.places import bundle_key
    from models.bundle_layout import manifest_sha256

    with shop.scratch() as scratch:
        sha256 = manifest_sha256(shop.lake.store.fetch_folder(bundle_key(run), scratch))
    record = ServingRecord(
        run=run,
        at=AS_OF,
        manifest_sha256=sha256,
        users=1,
        k=1,
        seconds_to_open=0.1,
        seconds_per_answer=0.1,
        agreement=1.0,
    )
    RunRecords(shop, run).save_serving(record)


def keep_files(shop: Storage, run: str, **files: Path) -> None:
    """Let a run obey other files than the repository's, whatever it kept before."""
    rules = read_files(run, replace(files_of(shop.settings), **files))
    shop.reports.write(f"{run}/{RULES}", rules.model_dump_json().encode())


def let_all_compete(shop: Storage, run: str) -> None:
    """Let a run train every candidate, also those that the shipped file leaves out."""
    file = shop.settings.home / "every_candidate.yaml"
    shipped = CANDIDATES.read_text(encoding="utf-8")
    file.write_text(shipped.replace("enabled: false", "enabled: true"), encoding="utf-8")
    keep_files(shop, run, candidates=file)


def prepare_bundle(shop: Storage, run: str, rules: Path = SMALL_SHOP) -> str:
    """Do everything from training to a bundle that answers; return the version it would have.

    The same steps on the same files leave the same files, so they are taken once for all tests.
    """
    return prepared.once(
        shop, (run, rules.read_bytes()), partial(_prepare_bundle, shop, run, rules)
    )


def _prepare_bundle(shop: Storage, run: str, rules: Path) -> str:
    from models.bundle.build_bundle import build_bundle
    from models.bundle.refit_winner import refit_winner
    from models.evaluation.evaluate import evaluate
    from models.release.judge_release import judge_release
    from models.training.train import train

    keep_files(shop, run, release=rules, placements=PLACEMENTS)
    for candidate in load_candidates():
        train(shop, run, candidate.name)
    evaluate(shop, run)
    verdict = judge_release(shop, run)
    refit_winner(shop, run)
    write_lists(shop, run, verdict.candidate)
    for gate in GATES:
        save_gate(shop, run, gate=gate)
    version = str(build_bundle(shop, run)["version"])
    save_serving(shop, run)
    return version
