"""A server answers each arm of an A/B test by its version, says so, and notes it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from infra.ledger.ab_tests import KnownTests, add_ab_record, read_ab_tests
from infra.person_keys import PersonKeys
from infra.storage import Storage
from tests.infra.ledger.test_ab_tests import decision
from tests.models.serving.following.test_ab_tests import start, two_versions
from tests.models.serving.running import eventually, running


@pytest.mark.faults  # a server of its own
def test_an_arm_is_told_and_noted_over_http(shop: Storage, tmp_path: Path) -> None:
    live, other = two_versions(shop)
    secret = shop.settings.user_key_secret.get_secret_value()
    users = [f"u{number}" for number in range(40)]
    with running(shop, tmp_path / "serve.log") as server:
        assert "arm" not in server.ask(user_id="u1"), "absent where there is no test"
        test = start(shop, live.version, other.version)
        eventually(lambda: "arm" in server.ask(user_id="u1"))
        state = read_ab_tests(shop, KnownTests()).tests[test.number]
        arms = {"control": live.version, "treatment": other.version}
        told = {user: server.ask(user_id=user, k=3) for user in users}
        for user, answer in told.items():
            arm = state.arm_of(PersonKeys(secret).of_user(user), "")
            assert arm
            assert (answer["test"], answer["arm"]) == (test.name, arm)
            assert answer["version"] == arms[arm]
        assert {answer["arm"] for answer in told.values()} == {*arms}
        assert "arm" not in server.ask(visitor_id="v1"), "the unit is the user"
        add_ab_record(shop, lambda _: decision(test.number))
        eventually(lambda: "arm" not in server.ask(user_id="u1"))
    lines = {line["request_id"]: line for line in map(json.loads, server.landed("served"))}
    for answer in told.values():
        line = lines[answer["request_id"]]
        noted = [line[name] for name in ("test", "phase", "arm", "version", "asked")]
        assert noted == [answer["test"], 1, answer["arm"], answer["version"], 3]
