"""The tests of faults are found by themselves: by what they ask for, or by their names."""

from __future__ import annotations

import pytest

from tests.faults import fixtures_of, is_about_a_fault


@pytest.mark.parametrize(
    ("file", "test", "fixtures", "is_one"),
    [
        ("test_publish", "test_a_release", ["shop"], False),
        ("test_publish", "test_a_release", ["shop", "s3"], True),
        ("test_publish", "test_a_release", ["shop", "s3_server"], True),
        ("test_object_store", "test_a_full_disk", ["small_disk"], True),
        ("test_whole_run", "test_a_release", ["airflow", "airflow_server"], True),
        ("test_app", "test_an_answer", ["live_shop", "server"], True),
        ("test_docs_commands", "test_a_command", ["clone"], True),
        ("test_publish_kills", "test_a_release", [], True),
        ("test_ingest_events_faults", "test_a_release", [], True),
        ("test_publish", "test_killed_at_any_moment", [], True),
        ("test_publish", "test_a_kill_loses_nothing", [], True),
        ("test_simulate_shop", "test_faults_are_known", [], False),
        ("test_skills", "test_defaults_of_a_killer", [], False),
    ],
)
def test_a_test_of_a_fault_is_known(
    file: str, test: str, fixtures: list[str], is_one: bool
) -> None:
    assert is_about_a_fault(file, test, fixtures) is is_one


@pytest.mark.parametrize("place", ["s3", "here"])
def test_a_parameter_called_like_a_fixture_asks_for_it(
    request: pytest.FixtureRequest, place: str
) -> None:
    item = request.node
    assert {"request", "place"} <= fixtures_of(item)
    assert ("s3" in fixtures_of(item)) is (place == "s3")
    assert (item.get_closest_marker("faults") is not None) is (place == "s3")
