"""Puts a simulated shop to an A/B test, lets days pass with a real server, and measures them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from infra.errors import GateError
from infra.lake import arm_key, run_key
from infra.ledger.batches import decide, read_batches, stopped_batches
from infra.ledger.live_pointer import live
from infra.ledger.run_records import RunRecords
from infra.loading import load_named
from infra.records.ab_tests import AbTest
from infra.records.gates import BatchDecision
from infra.shop_home import home_folder
from infra.storage import Storage
from models.ab_tests.plan_ab_test import plan_ab_test
from models.ab_tests.prepare_treatment import prepare_treatment
from models.ab_tests.start_ab_test import start_ab_test
from models.ab_tests.wish import Wish
from models.benches.loop_served import Life, Lived, MovedServer
from models.benches.loop_shop import RUN, Programs, Size, build_lists

SIZE = Size(events=100_000, days=28)
ENDS = datetime(2026, 10, 20, tzinfo=UTC)  # of what is simulated; the test starts then
DAY = timedelta(days=1)
NAME, ARM, AFTER = "loop", arm_key("loop"), run_key("after")


def start(storage: Storage, programs: Programs, days: int, watched: int) -> AbTest:
    """Test the best candidate that is not live against the one that is."""
    wish = Wish(
        name=NAME,
        hypothesis="Another candidate of the same training sells more.",
        placements=("home",),
        unit="user",
        candidate=_treatment(storage),
        traffic=1.0,
        treatment_share=0.5,
        primary="conversion",
        days=days,
        mature_days=watched,
        least_effect=0.5,
        units_a_day=300,
        mean=0.05,
        reason="It shows the way, and the shop is small.",
    )
    plan_ab_test(storage, ARM, wish)
    prepare_treatment(storage, ARM)
    build_lists(storage, programs, ARM)
    return start_ab_test(storage, ARM, storage.settings.approvers[0], ENDS)


def over(test: AbTest) -> datetime:
    """Return when all of a test is known; customers come until then."""
    return ENDS + (test.days + test.mature_days + 1) * DAY


def serve(storage: Storage, programs: Programs, test: AbTest, kills: int) -> Lived:
    """Let days pass until the test is over, with a server that is killed so often a day."""
    world = load_named(programs.world)(SIZE.events, SIZE.days, "shoppers", 1)
    server = MovedServer(storage, home_folder())
    server.set(ENDS)
    server.start()
    days = (over(test) - ENDS).days
    life = Life(world, server, storage.settings.most_events_per_day, kills)
    try:
        life.wait_for_arms(ENDS)
        for number in range(days):
            life.day(number, ENDS + number * DAY)
            print(f"day {number + 1} of {days}: {len(life.lived.answers):,} answers", flush=True)
        life.finish(ENDS + days * DAY)
    finally:
        server.stop()
    return life.lived


def measure(storage: Storage, programs: Programs, as_of: datetime) -> None:
    """Ingest what landed and build the marts."""
    load_named(programs.ingest)(["--run", AFTER])
    try:
        load_named(programs.gate_events)(storage, AFTER, as_of)
    except GateError as error:  # a feed that begins is unlike any before, and nobody is there
        print(f"accepted all the same: {error.fact}", flush=True)
        for batch in stopped_batches(read_batches(storage)):
            decide(storage, batch, BatchDecision(decision="accepted", by="bench", why="it is new"))
    load_named(programs.ingest_served)(["--run", AFTER])
    load_named(programs.build_marts)(["--run", AFTER, "--as-of", as_of.isoformat()])
    load_named(programs.gate_marts)(storage, AFTER)


def _treatment(storage: Storage) -> str:
    verdict, pointer = RunRecords(storage, RUN).load_verdict(), live(storage)
    assert verdict is not None
    assert pointer is not None
    names = (each.name for each in verdict.candidates if each.outcome != "reject")
    return next(name for name in names if name != pointer.candidate)
