"""Rolling back: by a person with a reason, and for good until a person says otherwise."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from infra.errors import BundleError, InputError, PublishError
from infra.ledger.live_pointer import before_live, history, live
from infra.ledger.run_records import RunRecords
from infra.places import version_key
from infra.records.release import PublishRecord
from infra.storage import Storage
from infra.stores.object_store import AlreadyExistsError
from models.bundle.build_bundle import build_bundle
from models.bundle.refit_winner import refit_winner
from models.evaluation.evaluate import evaluate
from models.publishing.publish import publish
from models.publishing.roll_back_release import roll_back_release
from models.release.judge_release import judge_release
from tests.models.conftest import (
    AS_OF,
    RUN,
    WINNER,
    WriteRun,
    prepare_bundle,
    save_gate,
    save_serving,
    tastes,
    train_otherwise,
    write_lists,
)
from tests.models.interrupted import OTHER, meanwhile
from tests.models.prepared import once

THIRD = "run=third"
SEEDLESS = 6  # tastes of which also_bought is the best: with another seed it is the same model
WHY = "the front page shows nothing but socks"


@pytest.fixture
def two(shop: Storage, write_run: WriteRun) -> tuple[PublishRecord, PublishRecord]:
    """Publish two versions, one after the other."""
    return once(shop, ("two",), partial(_publish_two, shop, write_run))


def _publish_two(shop: Storage, write_run: WriteRun) -> tuple[PublishRecord, PublishRecord]:
    prepare_bundle(shop, write_run())
    return publish(shop, RUN), publish_another(shop, write_run, OTHER, SEEDLESS)


Two = tuple[PublishRecord, PublishRecord]


def test_the_pointer_goes_back_and_says_who_and_why(shop: Storage, two: Two) -> None:
    first, second = two
    record = roll_back_release(shop, "previous", "anna", f"  {WHY} ", "run=back")
    assert record == live(shop)
    assert (record.number, record.version, record.previous) == (3, first.version, second.version)
    assert (record.action, record.run, record.asked_in) == ("roll_back", first.run, "run=back")
    assert record.decided is not None and (record.decided.by, record.decided.why) == ("anna", WHY)
    assert record.data == first.data and record.manifest_sha256 == first.manifest_sha256
    assert [pointer.number for pointer in history(shop)] == [3, 2, 1]
    assert first.at < second.at < record.at


def test_a_retry_of_the_same_request_moves_nothing(shop: Storage, two: Two) -> None:
    record = roll_back_release(shop, "previous", "anna", WHY, "run=back")
    assert roll_back_release(shop, "previous", "anna", WHY, "run=back") == record == live(shop)


def test_an_old_request_that_runs_again_moves_nothing(
    shop: Storage, two: Two, write_run: WriteRun
) -> None:
    """Also after others rolled back and something new was released."""
    _, second = two
    old = roll_back_release(shop, "previous", "anna", WHY, "run=back")
    roll_back_release(shop, second.version, "ben", "it was the shop", "run=forth")
    publish_another(shop, write_run, THIRD, 7)
    now = live(shop)
    assert roll_back_release(shop, "previous", "anna", WHY, "run=back") == old
    assert live(shop) == now and now is not None and now.run == THIRD


def test_two_in_a_row_go_back_two_versions(shop: Storage, two: Two, write_run: WriteRun) -> None:
    first, second = two
    publish_another(shop, write_run, THIRD, 7)
    assert roll_back_release(shop, "previous", "anna", WHY, "run=back1").version == second.version
    now = roll_back_release(shop, "previous", "anna", WHY, "run=back2")
    assert now.version == first.version, "not what was withdrawn a moment ago"
    with pytest.raises(InputError, match=f"Nothing was live before {first.version} but what was"):
        roll_back_release(shop, "previous", "anna", WHY, "run=back3")
    assert live(shop) == now


def publish_another(shop: Storage, write_run: WriteRun, run: str, seed: int) -> PublishRecord:
    """Release the next model; the hours of its data follow from the seed."""
    pairs, items = tastes(seed=seed)
    as_of = AS_OF + timedelta(hours=6 * (seed - 3))
    prepare_bundle(shop, write_run(pairs, items, run=run, as_of=as_of))
    return publish(shop, run)


def test_what_was_rolled_back_comes_back_by_a_person_alone(shop: Storage, two: Two) -> None:
    first, second = two
    roll_back_release(shop, first.version, "anna", WHY, "run=back")
    with pytest.raises(PublishError, match="was rolled back"):
        publish(shop, OTHER)
    again = roll_back_release(shop, second.version, "ben", "it was the shop", "run=forth")
    assert again.version == second.version
    assert again.withdrawn == (), "all is as it was before"
    assert publish(shop, OTHER) == again, "it is live: nothing to do"
    assert RunRecords(shop, OTHER).load_published() == second, "the release, not the roll-back"
    assert roll_back_release(shop, "previous", "anna", WHY, "run=back2").version == first.version


def test_who_goes_on_leaves_out_what_was_released_since(
    shop: Storage, two: Two, write_run: WriteRun
) -> None:
    first, second = two
    roll_back_release(shop, first.version, "anna", WHY, "run=back")
    third = publish_another(shop, write_run, THIRD, 7)
    now = roll_back_release(shop, second.version, "ben", "it was the shop", "run=forth")
    assert [version.version for version in now.withdrawn] == [third.version]
    before = before_live(shop, now)
    assert before is not None and before.version == first.version
    again = roll_back_release(shop, third.version, "anna", "as bad as it was", "run=again")
    assert again.withdrawn == third.withdrawn and third.withdrawn, "all is as it was before"
    before = before_live(shop, again)
    assert before is not None and before.version == first.version, "not what was withdrawn"


def test_the_same_model_under_another_name_stays_out(
    shop: Storage, two: Two, write_run: WriteRun
) -> None:
    first, second = two
    roll_back_release(shop, first.version, "anna", WHY, "run=back")
    train_otherwise(shop, OTHER, WINNER)
    evaluate(shop, OTHER)
    judge_release(shop, OTHER)
    refit_winner(shop, OTHER)
    write_lists(shop, OTHER, WINNER)
    save_gate(shop, OTHER)
    assert build_bundle(shop, OTHER)["version"] != second.version, "it was trained anew"
    save_serving(shop, OTHER)
    with pytest.raises(PublishError, match=f"the model of {second.version}, which was rolled back"):
        publish(shop, OTHER)
    assert live(shop) is not None


@pytest.mark.parametrize("published_before", [False, True])
def test_a_publisher_that_died_before_its_record_writes_it_after_a_roll_back(
    shop: Storage, two: Two, published_before: bool
) -> None:
    """Also where the run had published another version before, whose record stands there."""
    first, second = two
    Path(shop.reports.address, OTHER, "published.json").unlink()
    if published_before:
        RunRecords(shop, OTHER).save_published(first.model_copy(update={"run": OTHER}))
    back = roll_back_release(shop, first.version, "anna", WHY, "run=back")
    assert publish(shop, OTHER) == second == RunRecords(shop, OTHER).load_published()
    assert live(shop) == back


def test_the_next_model_is_released_as_ever(shop: Storage, two: Two, write_run: WriteRun) -> None:
    first, second = two
    roll_back_release(shop, first.version, "anna", WHY, "run=back")
    third = publish_another(shop, write_run, THIRD, 7)
    assert (third.number, third.previous) == (4, first.version)
    assert [version.version for version in third.withdrawn] == [second.version], "and not forgotten"


@pytest.mark.parametrize(
    ("version", "why", "error", "said"),
    [
        ("previous", "  ", InputError, "needs a reason"),
        ("20200101T000000Z-000000000000", WHY, InputError, "was never live"),
        ("../../lake", WHY, InputError, "was never live"),
        ("live now", WHY, PublishError, "is live already"),
    ],
)
def test_refusals(
    shop: Storage, two: Two, version: str, why: str, error: type[Exception], said: str
) -> None:
    wanted = two[1].version if version == "live now" else version
    with pytest.raises(error, match=said):
        roll_back_release(shop, wanted, "anna", why, "run=back")
    assert live(shop) == two[1]


def test_nothing_to_go_back_to(shop: Storage, write_run: WriteRun) -> None:
    with pytest.raises(PublishError, match="Nothing is live"):
        roll_back_release(shop, "previous", "anna", WHY, "run=back")
    prepare_bundle(shop, write_run())
    publish(shop, RUN)
    with pytest.raises(InputError, match="Nothing was live before"):
        roll_back_release(shop, "previous", "anna", WHY, "run=back")


@pytest.mark.parametrize("harm", ["changed", "swapped", "gone"])
def test_a_damaged_version_is_not_put_live(shop: Storage, two: Two, harm: str) -> None:
    first, second = two
    folder = Path(shop.published.address, version_key(first.version))
    if harm == "changed":
        (folder / "card.json").write_bytes((folder / "card.json").read_bytes() + b" ")
    if harm == "swapped":
        shop.published.put_folder(
            Path(shop.published.address, version_key(second.version)), version_key(first.version)
        )
    if harm == "gone":
        shop.published.delete_folder(version_key(first.version))
    with pytest.raises(BundleError):
        roll_back_release(shop, first.version, "anna", WHY, "run=back")
    assert live(shop) == second


def test_somebody_else_was_first(shop: Storage, two: Two) -> None:
    late = meanwhile(shop, partial(roll_back_release, shop, "previous", "ben", WHY, "run=ben"))
    with pytest.raises(PublishError, match="was first with pointer 3") as caught:
        roll_back_release(late, "previous", "anna", WHY, "run=anna")
    assert isinstance(caught.value.__cause__, AlreadyExistsError)


def test_the_same_request_twice_at_once(shop: Storage, two: Two) -> None:
    late = meanwhile(shop, partial(roll_back_release, shop, "previous", "anna", WHY, "run=back"))
    assert roll_back_release(late, "previous", "anna", WHY, "run=back") == live(shop)
    assert [pointer.number for pointer in history(shop)] == [3, 2, 1]
