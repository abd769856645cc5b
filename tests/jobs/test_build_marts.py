"""The marts of a small world equal what is counted by hand, and are rebuilt to the same bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import pytest
from pyspark.sql import SparkSession

from expectations.marts import gate_marts
from infra.ledger.ab_tests import read_ab_tests
from infra.ledger.assignment import arm_of
from infra.ledger.live_pointer import point
from infra.ledger.marts import built_by, latest, mart, show, units_of_test
from infra.ledger.served import days_of_log, served_manifests
from infra.mart_schemas import MARTS
from infra.records.marts import MartsRecord
from infra.storage import Storage
from jobs import build_marts
from models.ab_tests.judge_ab_tests import judge_ab_tests
from models.publishing.watch_release import watch_release
from tests.conftest import shop_at
from tests.jobs.marts import small_world
from tests.jobs.marts.small_world import NOW, at
from tests.models.release.test_ab_tested import pointer

pytestmark = pytest.mark.faults  # three builds of all marts, two minutes of a slow machine
Rows = list[dict[str, Any]]
HOME, CART = ("home", "v1", "content-first", 1, "control", "PL"), ("cart", "v1", *[None] * 3, "PL")
OTHER = ("home", "v2", "content-first", 1, "treatment", "PL")


@dataclass
class Built:
    """A build as readers see it."""

    record: MartsRecord
    tables: dict[str, Rows]
    bytes_of: dict[str, dict[str, list[str]]]
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass
class World:
    """The same shop after each of three builds."""

    shop: Storage
    first: Built
    late: Built
    anew: Built


@pytest.fixture(scope="module")
def world(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Build the world, let late events come and build what they touch, then build all anew."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CATWALK_MOST_EVENTS_PER_DAY", str(small_world.MOST_A_DAY))
        shop = shop_at(tmp_path_factory.mktemp("world") / "shop", patch)
        small_world.begin(spark, shop)
        first = build(shop, "run=first")
        small_world.be_late(spark, shop)
        late = build(shop, "run=late")
        yield World(shop, first, late, build(shop, "run=anew", "--all"))


def build(shop: Storage, run: str, *more: str) -> Built:
    build_marts.main(["--run", run, "--as-of", NOW.isoformat(), *more])
    record = built_by(shop, run)
    show(shop, record)
    tables = {
        table.name: mart(shop, table.name).to_table().to_pylist()
        for table in MARTS
        if record.partitions.get(table.name)
    }
    units, facts = units_of_test(shop, 1, 1)
    assert units.count_rows() == len(tables["test_units"])
    return Built(record, tables, digests(shop, record), facts)


def digests(shop: Storage, record: MartsRecord) -> dict[str, dict[str, list[str]]]:
    store = shop.lake.store
    found: dict[str, dict[str, list[str]]] = {}
    for table, names in record.partitions.items():
        for name in names:
            keys = store.list(f"{table}/{record.partition(table, name)}")
            made = sorted(hashlib.sha256(store.read(key)).hexdigest() for key in keys)
            found.setdefault(table, {})[name] = made
    return found


def kpis(built: Built, day: int) -> dict[tuple[Any, ...], dict[str, Any]]:
    """Return the KPIs of a day by their group, without zeros and empty maps."""
    of_day = [row for row in built.tables["kpi_daily"] if row["day"] == date(2026, 11, day)]
    names = ("placement", "version", "test", "phase", "arm", "market")
    return {
        tuple(row[name] for name in names): {
            name: dict(value) if isinstance(value, list) else value
            for name, value in row.items()
            if value and name not in (*names, "day")
        }
        for row in of_day
    }


def test_every_item_of_every_answer_has_what_followed(world: World) -> None:
    rows = world.first.tables["exposures"]
    followed = {
        (row["request_id"], row["item_id"]): (
            *(row["was_seen"], row["was_clicked"], row["was_carted"]),
            *(row["order_keys"], row["quantity"], row["revenue"], row["currency"]),
        )
        for row in rows
    }
    nothing = (False, False, False, [], 0, 0.0, None)
    assert followed == {
        ("r1", "a"): (True, *nothing[1:]),
        ("r1", "b"): (True, True, *nothing[2:]),
        ("r1", "c"): nothing,
        ("r2", "b"): (True, True, True, ["anna order o1"], 2, 7.0, "EUR"),
        ("r2", "d"): nothing,
        ("r3", "a"): nothing,
        ("r3", "e"): (True, True, False, ["ben session s2"], 1, 20.10, "PLN"),
        ("r6", "a"): (False, True, False, ["anna order o2"], 1, 5.25, "EUR"),
        ("r6", "f"): nothing,
        ("r7", "a"): nothing,
        ("r7", "b"): nothing,
    }
    assert [row["position"] for row in rows if row["request_id"] == "r1"] == [1, 2, 3]


def test_the_kpis_of_each_day_are_those_counted_by_hand(world: World) -> None:
    people = {"requests": 1, "people": 1}
    assert kpis(world.first, 20) == {
        HOME: {
            **people,
            **{"items_shown": 3, "impressions": 2, "clicks": 1, "items_by_source": {"personal": 3}},
        },
        CART: {
            **people,
            **{"short_lists": 1, "items_shown": 2, "impressions": 1, "clicks": 1, "carts": 1},
            **{"orders": 1, "units": 2, "gross_revenue": {"EUR": 7.0}},
            "items_by_source": {"personal": 2},
        },
        OTHER: {
            **people,
            **{"items_shown": 2, "impressions": 1, "clicks": 1, "orders": 1, "units": 1},
            **{"gross_revenue": {"PLN": 20.10}, "items_by_source": {"personal": 2}},
        },
    }
    assert kpis(world.first, 21)[HOME] == {
        **people,
        **{"items_shown": 2, "clicks": 1, "orders": 1, "units": 1},
        **{"gross_revenue": {"EUR": 5.25}, "items_by_source": {"personal": 2}},
    }
    assert kpis(world.first, 22) == {CART: {"returned_revenue": {"EUR": 3.5}}}


def test_units_of_a_test_count_all_that_they_buy_zeros_included(world: World) -> None:
    rows = {row["unit_key"]: row for row in world.first.tables["test_units"]}
    assert rows.keys() == {"va", "vb", "vc"}
    assert rows["va"] == {
        **{"unit_key": "va", "arm": "control", "arms": 1, "is_mature": False},
        **{"first_exposed": at(20, "10:00"), "requests": 2, "impressions": 2, "clicks": 2},
        **{"orders": 2, "units": 4, "gross_revenue": 22.25, "returned_revenue": 3.5},
        **{"orders_before": 1, "units_before": 1, "gross_revenue_before": 9.99},
        "returned_revenue_before": 0.0,
    }
    assert rows["vb"]["arm"] == "treatment" and rows["vb"]["clicks"] == 1
    assert (rows["vb"]["orders"], rows["vb"]["units"]) == (2, 2)
    assert rows["vb"]["gross_revenue"] == 0.0, "another currency than most purchases"
    zeros = {name: value for name, value in rows["vc"].items() if name not in ("arms", "requests")}
    assert not any(value for value in zeros.values() if isinstance(value, int | float))
    assert world.first.facts["answers_by_version"] == {"control": {"v1": 2}, "treatment": {"v2": 2}}
    lost = arm_of(read_ab_tests(world.shop).tests[1].phase, "va")
    for built in (world.first, world.late, world.anew):
        assert built.facts["missing"] == {**{"control": 0, "treatment": 0}, lost: 1}
        assert built.facts["missing_by_day"]["2026-11-21"] == {lost: 1}
        assert built.facts["missing_by_day"]["2026-11-22"] == {}, "it was counted the day before"
    assert world.first.facts["currency"] == "EUR" and not world.first.facts["is_final"]


def test_who_comes_again_is_counted_by_person(world: World) -> None:
    rows = {row["day"].day: row for row in world.first.tables["customers_daily"]}
    assert rows[20] == {
        **{"day": date(2026, 11, 20), "people": 2, "new_people": 1, "returning_people": 1},
        **{"buyers": 1, "strangers": 1, "strangers_who_bought": 0, "crawlers": 1},
        **{"days_to_next_visit": 14.0, "return_rate_7d": None},
    }
    names = ("people", "new_people", "buyers", "strangers", "strangers_who_bought")
    assert [rows[21][name] for name in names] == [2, 1, 2, 0, 1]


def test_a_late_event_mends_the_days_it_belongs_to_and_no_others(world: World) -> None:
    home = kpis(world.late, 20)[HOME]
    assert (home["clicks"], home["orders"], home["gross_revenue"]) == (2, 1, {"EUR": 1.0})
    units = {row["unit_key"]: row for row in world.late.tables["test_units"]}
    assert (units["va"]["clicks"], units["va"]["orders"]) == (3, 2)
    assert units["va"]["gross_revenue"] == 23.25
    assert {key: row["is_mature"] for key, row in units.items()} == {
        "va": True,
        "vb": True,
        "vc": False,
    }
    built = world.late.record.partitions
    assert built["sales"] == {"2026-11-01": 1, "2026-11-20": 2, "2026-11-21": 1, "2026-11-22": 1}
    assert built["person_days"]["2026-11-21"] == 1 and built["person_days"]["2026-11-28"] == 2


def test_only_complete_days_are_final(world: World) -> None:
    until, later = world.first.record, world.late.record
    assert until.known_until == at(22, "10:00") and later.known_until == at(28, "01:00")
    assert until.final_until["kpi_daily"] == date(2026, 11, 19)
    assert later.final_until["kpi_daily"] == date(2026, 11, 25)
    assert later.final_until["customers_daily"] == date(2026, 11, 27)


def test_built_anew_from_the_clean_tables_every_byte_is_the_same(world: World) -> None:
    assert world.anew.bytes_of == world.late.bytes_of
    assert {*world.anew.bytes_of} == {table.name for table in MARTS}
    builds = {n for names in world.anew.record.partitions.values() for n in names.values()}
    assert builds == {3}


def test_the_gap_of_the_log_is_counted(world: World) -> None:
    days = days_of_log(served_manifests(world.shop))
    assert [(day.answers, day.missing) for day in days.values()] == [(4, 0), (2, 1)]


def test_the_gate_finds_nothing_but_the_gap(world: World) -> None:
    """A third of the answers of the 21st never arrived, as the world is so small."""
    record = gate_marts(world.shop, "run=anew")
    assert record.result == "warned"
    failed = {check.name for check in record.checks if check.failed}
    assert failed == {"missing_share", "missing_share_of_a_day"}
    assert not [check for check in record.checks if check.not_judged]


def test_the_verdict_and_the_watch_of_a_release_read_what_was_built(world: World) -> None:
    """Three units prove nothing, and of five answers of the test one is missing in the log."""
    point(world.shop, pointer(-5, "content", number=1, version="v1", at=at(19, "12:00")))
    [verdict] = judge_ab_tests(world.shop, at(23, "00:00")).verdicts
    units = [row["arm"] for row in world.anew.tables["test_units"]]
    assert verdict.units == {arm: units.count(arm) for arm in ("control", "treatment")}
    assert verdict.outcome == "void"
    [fault] = [check for check in verdict.health if not check.passed]
    assert fault.sentence.startswith("20.00% of the answers are missing")
    watch = watch_release(world.shop)
    assert watch is not None and (watch.version, watch.changes) == ("v1", ())


def test_old_folders_stay_for_readers_of_the_build_before_and_go_then(world: World) -> None:
    keys = world.shop.lake.store.list("person_days")
    builds = {key.split("/")[1] for key in keys}
    assert builds == {"build=000001", "build=000002", "build=000003"}
    assert latest(world.shop) == world.anew.record
