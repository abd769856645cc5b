"""A/B tests are followed; one that cannot be served whole gets what is live, and says so."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from infra.ledger.ab_tests import add_ab_record
from infra.ledger.live_pointer import point
from infra.records.ab_tests import AbTest, PhaseChange
from infra.records.release import PublishRecord, Withdrawn
from infra.storage import Storage
from models.publishing.retire import kept
from models.serving.following.ab_tests import TestsFollower
from models.serving.following.live import LiveFollower
from models.serving.following.remembered import Remembered
from models.serving.following.state import State
from models.serving.home import known, unpacked
from models.serving.metrics import Metrics
from models.serving.unpack import unpack
from tests.infra.ledger.test_ab_tests import NOON, ab_test, decision, phase
from tests.models.serving.conftest import publish_first
from tests.models.serving.running import point_back, publish_another

USERS = [f"{number:032x}" for number in range(400)]


def two_versions(shop: Storage, broken: bool = False) -> tuple[PublishRecord, PublishRecord]:
    """Return what is live, and a version that is published and is not."""
    first = publish_first(shop)
    second = publish_another(shop, "second", broken=broken)
    point_back(shop, first)
    return first, second


def start(shop: Storage, control: str, treatment: str, **fields: Any) -> AbTest:
    arms = {
        name: {"version": version, "candidate": name}
        for name, version in (("control", control), ("treatment", treatment))
    }
    return add_ab_record(shop, lambda _: ab_test(**arms, **fields))


def follow(shop: Storage) -> tuple[TestsFollower, State]:
    state = State()
    remembered = Remembered(known(shop.settings))
    LiveFollower(shop, state, remembered, Metrics()).look()
    follower = TestsFollower(shop, state, remembered, Metrics())
    follower.start()
    return follower, state


def arms_of(state: State, placement: str = "home") -> Counter[tuple[str, str]]:
    """Return how many users get which version in which arm."""
    assert state.version
    chosen = [state.choose(state.version, placement, user, "") for user in USERS]
    return Counter((each.version.name, each.arm) for each in chosen)


def test_each_user_is_answered_by_the_version_of_her_arm(shop: Storage) -> None:
    live, other = two_versions(shop)
    test = start(shop, live.version, other.version)
    follower, state = follow(shop)
    follower.look()
    found = arms_of(state)
    assert set(found) == {(live.version, "control"), (other.version, "treatment")}
    assert min(found.values()) > 150
    assert set(arms_of(state, "newsletter")) == {(live.version, "")}, "not a placement of the test"
    assert state.version
    assert state.choose(state.version, "home", "", "a visitor").arm == "", "the unit is the user"
    change = PhaseChange(at=NOON, by="eva", changes=test.number, phase=phase("b"), reason="more")
    add_ab_record(shop, lambda _: change)
    before = [state.choose(state.version, "home", user, "").arm for user in USERS]
    follower.look()
    after = [state.choose(state.version, "home", user, "") for user in USERS]
    assert {each.phase for each in after} == {2}
    moved = sum(old != new.arm for old, new in zip(before, after, strict=True))
    assert moved == pytest.approx(200, abs=50), "another salt divides them anew"
    add_ab_record(shop, lambda _: decision(test.number))
    follower.look()
    assert set(arms_of(state)) == {(live.version, "")}


def test_a_test_with_a_version_that_does_not_answer_gets_what_is_live_and_says_so(
    shop: Storage, caplog: pytest.LogCaptureFixture
) -> None:
    live, other = two_versions(shop, broken=True)
    start(shop, live.version, other.version)
    follower, state = follow(shop)
    for _ in range(3):
        follower.look()
    assert set(arms_of(state)) == {(live.version, "control"), (live.version, "treatment")}
    said = [line for line in caplog.messages if "no test of it is served" in line]
    assert len(said) == 1
    assert other.version in said[0]


def test_a_test_of_a_placement_that_a_version_lacks_gets_what_is_live(shop: Storage) -> None:
    live, other = two_versions(shop)
    start(shop, live.version, other.version, placements=("home", "cellar"))
    follower, state = follow(shop)
    follower.look()
    assert {version for version, _ in arms_of(state)} == {live.version}


def test_what_is_rolled_back_from_answers_in_no_arm(shop: Storage) -> None:
    live, other = two_versions(shop)
    start(shop, live.version, other.version)
    follower, state = follow(shop)
    follower.look()
    assert len(arms_of(state)) == 2
    out = (Withdrawn(version=other.version, arrays_sha256=""),)
    point(shop, live.model_copy(update={"number": 4, "withdrawn": out}))
    follower.look()
    assert set(arms_of(state)) == {(live.version, "control"), (live.version, "treatment")}
    LiveFollower(shop, state, Remembered(known(shop.settings)), Metrics()).look()
    assert {version for version, _ in arms_of(follow(shop)[1])} == {live.version}, "nor restarted"
    point(shop, live.model_copy(update={"number": 5}))
    follower.look()
    assert len({version for version, _ in arms_of(state)}) == 2, "the roll-back was undone"


def test_a_server_goes_on_with_its_tests_while_the_storage_is_away(shop: Storage) -> None:
    live, other = two_versions(shop)
    start(shop, live.version, other.version)
    follower, state = follow(shop)
    follower.look()
    found = arms_of(state)
    again, restarted = follow(shop)
    assert arms_of(restarted) == found
    shop.published.delete_folder("ab_tests")
    again.look()
    assert arms_of(restarted) == found, "a folder that is empty is one that is not mounted"


def test_versions_under_test_are_kept(shop: Storage) -> None:
    """Also where other versions were live since, on this disk and in the published folder."""
    live, other = two_versions(shop)
    test = start(shop, live.version, other.version)
    unpack(shop, other.version)
    later = [
        publish_another(shop, f"later {number}")
        for number in range(2 + shop.settings.keep_versions)
    ]
    unpack(shop, later[-1].version)
    assert unpacked(shop.settings, other.version).is_dir()
    next_year = later[-1].at + timedelta(days=365)
    assert {live.version, other.version} <= kept(shop, next_year)
    add_ab_record(shop, lambda _: decision(test.number))
    unpack(shop, later[-1].version)
    assert not unpacked(shop.settings, other.version).is_dir()
    assert not {live.version, other.version} & kept(shop, next_year)
