"""Rolling back: by a person with a reason, and for good until a person says otherwise."""

from __future__ import annotations

import os
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from infra import live_pointer as pointer
from infra.errors import BundleError, InputError, PublishError
from infra.live_pointer import history, live, live_at
from infra.release_records import PublishRecord
from infra.storage import Storage
from infra.stores.object_store import AlreadyExistsError
from models.build_bundle import build_bundle
from models.evaluate import evaluate
from models.publish import publish, version_key
from models.refit import refit
from models.release import decide
from models.retention import retire
from models.roll_back import roll_back
from models.train import train
from tests.models.conftest import (
    AS_OF,
    RUN,
    WINNER,
    WriteRun,
    prepare_bundle,
    save_gate,
    save_serving,
    tastes,
    write_lists,
)
from tests.models.prepared import once

OTHER, THIRD = "run=other", "run=third"
WHY = "the front page shows nothing but socks"


@pytest.fixture
def two(shop: Storage, write_run: WriteRun) -> tuple[PublishRecord, PublishRecord]:
    """Publish two versions, one after the other."""
    return once(shop, ("two",), partial(_publish_two, shop, write_run))


def _publish_two(shop: Storage, write_run: WriteRun) -> tuple[PublishRecord, PublishRecord]:
    prepare_bundle(shop, write_run())
    return publish(RUN, shop), publish_another(shop, write_run, OTHER, 4)


Two = tuple[PublishRecord, PublishRecord]


def test_the_pointer_goes_back_and_says_who_and_why(shop: Storage, two: Two) -> None:
    first, second = two
    record = roll_back("previous", "anna", f"  {WHY} ", "run=back", shop)
    assert record == live(shop)
    assert (record.number, record.version, record.previous) == (3, first.version, second.version)
    assert (record.action, record.run, record.asked_in) == ("roll_back", first.run, "run=back")
    assert record.decided is not None and (record.decided.by, record.decided.why) == ("anna", WHY)
    assert record.data == first.data and record.manifest_sha256 == first.manifest_sha256
    assert [one.number for one in history(shop)] == [3, 2, 1]
    assert first.at < second.at < record.at
    assert live_at(shop, second.at) == second and live_at(shop, first.at - timedelta(1)) is None


def test_a_retry_of_the_same_request_moves_nothing(shop: Storage, two: Two) -> None:
    record = roll_back("previous", "anna", WHY, "run=back", shop)
    assert roll_back("previous", "anna", WHY, "run=back", shop) == record == live(shop)


def test_an_old_request_that_runs_again_moves_nothing(
    shop: Storage, two: Two, write_run: WriteRun
) -> None:
    """Also after others rolled back and something new was released."""
    _, second = two
    old = roll_back("previous", "anna", WHY, "run=back", shop)
    roll_back(second.version, "ben", "it was the shop", "run=forth", shop)
    publish_another(shop, write_run, THIRD, 5)
    now = live(shop)
    assert roll_back("previous", "anna", WHY, "run=back", shop) == old
    assert live(shop) == now and now is not None and now.run == THIRD


def test_two_in_a_row_go_back_two_versions(shop: Storage, two: Two, write_run: WriteRun) -> None:
    first, second = two
    publish_another(shop, write_run, THIRD, 5)
    assert roll_back("previous", "anna", WHY, "run=back1", shop).version == second.version
    now = roll_back("previous", "anna", WHY, "run=back2", shop)
    assert now.version == first.version, "not what was withdrawn a moment ago"
    with pytest.raises(InputError, match=f"Nothing was live before {first.version} but what was"):
        roll_back("previous", "anna", WHY, "run=back3", shop)
    assert live(shop) == now


def publish_another(shop: Storage, write_run: WriteRun, run: str, seed: int) -> PublishRecord:
    """Release the next model; the hours of its data follow from the seed."""
    pairs, items = tastes(seed=seed)
    as_of = AS_OF + timedelta(hours=6 * (seed - 3))
    prepare_bundle(shop, write_run(pairs, items, run=run, as_of=as_of))
    return publish(run, shop)


def test_what_was_rolled_back_comes_back_by_a_person_alone(shop: Storage, two: Two) -> None:
    first, second = two
    roll_back(first.version, "anna", WHY, "run=back", shop)
    with pytest.raises(PublishError, match="was rolled back"):
        publish(OTHER, shop)
    again = roll_back(second.version, "ben", "it was the shop, not the model", "run=forth", shop)
    assert again.version == second.version
    assert [one.version for one in again.withdrawn] == [first.version]
    assert publish(OTHER, shop) == again, "it is live: nothing to do"


def test_the_same_model_under_another_name_stays_out(
    shop: Storage, two: Two, write_run: WriteRun
) -> None:
    first, second = two
    roll_back(first.version, "anna", WHY, "run=back", shop)
    train(WINNER, OTHER, shop)
    evaluate(OTHER, shop)
    decide(OTHER, shop)
    refit(OTHER, shop)
    write_lists(shop, OTHER, WINNER)
    save_gate(shop, OTHER)
    assert build_bundle(OTHER, shop)["version"] != second.version, "it was trained anew"
    save_serving(shop, OTHER)
    with pytest.raises(PublishError, match=f"the model of {second.version}, which was rolled back"):
        publish(OTHER, shop)
    assert live(shop) is not None


def test_the_next_model_is_released_as_ever(shop: Storage, two: Two, write_run: WriteRun) -> None:
    first, second = two
    roll_back(first.version, "anna", WHY, "run=back", shop)
    third = publish_another(shop, write_run, THIRD, 5)
    assert (third.number, third.previous) == (4, first.version)
    assert [one.version for one in third.withdrawn] == [second.version], "and not forgotten"


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
        roll_back(wanted, "anna", why, "run=back", shop)
    assert live(shop) == two[1]


def test_nothing_to_go_back_to(shop: Storage, write_run: WriteRun) -> None:
    with pytest.raises(PublishError, match="Nothing is live"):
        roll_back("previous", "anna", WHY, "run=back", shop)
    prepare_bundle(shop, write_run())
    publish(RUN, shop)
    with pytest.raises(InputError, match="Nothing was live before"):
        roll_back("previous", "anna", WHY, "run=back", shop)


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
        roll_back(first.version, "anna", WHY, "run=back", shop)
    assert live(shop) == second


def test_somebody_else_was_first(shop: Storage, two: Two) -> None:
    late = Storage(shop.settings)
    create = late.published.create

    def after_another(key: str, content: bytes) -> None:
        roll_back("previous", "ben", WHY, "run=ben", shop)
        create(key, content)

    late.published.create = after_another  # type: ignore[method-assign]
    with pytest.raises(PublishError, match="was first with pointer 3") as caught:
        roll_back("previous", "anna", WHY, "run=anna", late)
    assert isinstance(caught.value.__cause__, AlreadyExistsError)


def test_the_same_request_twice_at_once(shop: Storage, two: Two) -> None:
    late = Storage(shop.settings)
    create = late.published.create

    def after_itself(key: str, content: bytes) -> None:
        roll_back("previous", "anna", WHY, "run=back", shop)
        create(key, content)

    late.published.create = after_itself  # type: ignore[method-assign]
    assert roll_back("previous", "anna", WHY, "run=back", late) == live(shop)
    assert [one.number for one in history(shop)] == [3, 2, 1]


def point_many(shop: Storage, first: PublishRecord, amount: int) -> list[str]:
    """Copy a version under many names, each live for an hour, the last one since AS_OF."""
    names = [f"v{number:02d}" for number in range(amount)]
    source = Path(shop.published.address, version_key(first.version))
    shop.published.delete_folder("live")
    for place, name in enumerate(names):
        shop.published.put_folder(source, version_key(name))
        record = first.model_copy(
            update={
                "number": place + 1,
                "version": name,
                "previous": names[place - 1] if place else None,
                "at": AS_OF - timedelta(hours=amount - 1 - place),
            }
        )
        shop.published.create(f"live/{place + 1:010d}.json", record.model_dump_json().encode())
    shop.published.delete_folder(version_key(first.version))
    return names


def standing(shop: Storage) -> list[str]:
    return sorted({key.split("/")[1] for key in shop.published.list("versions")})


def settings(shop: Storage, keep: int, hours: float) -> Storage:
    change = {"keep_versions": keep, "keep_version_hours": hours}
    return Storage(shop.settings.model_copy(update=change))


def grow_old(shop: Storage) -> None:
    """Let everything that was published have been written long ago."""
    long_ago = (AS_OF - timedelta(days=100)).timestamp()
    for path in [*Path(shop.published.address).rglob("*")]:
        os.utime(path, (long_ago, long_ago))


def test_retention_keeps_what_is_needed_and_what_may_be_read(
    shop: Storage, write_run: WriteRun
) -> None:
    prepare_bundle(shop, write_run())
    names = point_many(shop, publish(RUN, shop), 16)
    place = Path(shop.published.address, "versions")
    for name in ("never_live", ".v99.0a1b2c3d"):
        (place / name).mkdir()
        (place / name / "card.json").write_text("{}")
    assert retire(settings(shop, 3, 8.0)) == [], "all of it was written just now"
    assert (place / ".v99.0a1b2c3d").exists() and (place / "never_live").exists()
    grow_old(shop)
    assert retire(settings(shop, 3, 8.0), AS_OF) == ["never_live", *names[:6]]
    assert not (place / ".v99.0a1b2c3d").exists()
    assert retire(settings(shop, 5, 0.5), AS_OF) == names[6:11]
    assert retire(settings(shop, 2, 0.5), AS_OF) == names[11:14]
    assert retire(settings(shop, 2, 0.5), AS_OF) == []
    assert standing(shop) == names[14:], "champion and previous"


def test_a_version_that_goes_live_during_a_deletion_stays(
    shop: Storage, write_run: WriteRun
) -> None:
    prepare_bundle(shop, write_run())
    names = point_many(shop, publish(RUN, shop), 6)
    grow_old(shop)
    keeping = settings(shop, 2, 0.5)
    delete_folder = keeping.published.delete_folder

    def while_the_pointer_moves(key: str) -> None:
        delete_folder(key)
        if key == version_key(names[0]):
            now = live(shop)
            assert now is not None
            change = {"number": 7, "version": names[2], "previous": now.version}
            pointer.point(shop, now.model_copy(update=change))

    keeping.published.delete_folder = while_the_pointer_moves  # type: ignore[method-assign]
    assert retire(keeping, AS_OF) == [names[0], names[1], names[3]]
    assert standing(shop) == [names[2], names[4], names[5]]


def test_nobody_goes_back_to_what_may_be_deleted(shop: Storage, write_run: WriteRun) -> None:
    prepare_bundle(shop, write_run())
    names = point_many(shop, publish(RUN, shop), 4)
    before = live(shop)
    with pytest.raises(BundleError, match=f"Version {names[1]} is kept no longer"):
        roll_back(names[1], "anna", WHY, "run=back", settings(shop, 2, 0.5))
    assert live(shop) == before


def test_what_previous_means_stays_however_far_back(shop: Storage, write_run: WriteRun) -> None:
    """Also where all that was live since was rolled back from."""
    prepare_bundle(shop, write_run())
    names = point_many(shop, publish(RUN, shop), 4)
    roll_back("previous", "anna", WHY, "run=1", shop)
    grow_old(shop)
    assert retire(settings(shop, 2, 0.001), AS_OF + timedelta(days=36500)) == names[:1]
    assert standing(shop) == names[1:], "live is v02, v03 was, and v01 is what previous means"
    back = roll_back("previous", "anna", WHY, "run=2", settings(shop, 2, 0.001))
    assert back.version == names[1]


def test_retention_after_a_roll_back_keeps_both(shop: Storage, two: Two) -> None:
    first, second = two
    roll_back("previous", "anna", WHY, "run=back", shop)
    grow_old(shop)
    assert retire(settings(shop, 2, 0.001), AS_OF + timedelta(days=36500)) == []
    assert standing(shop) == sorted([first.version, second.version])


def test_a_deletion_that_died_goes_on(shop: Storage, write_run: WriteRun) -> None:
    prepare_bundle(shop, write_run())
    names = point_many(shop, publish(RUN, shop), 4)
    grow_old(shop)
    (Path(shop.published.address, version_key(names[0])) / "_manifest.json").unlink()
    with pytest.raises(BundleError, match="not what was published"):
        roll_back(names[0], "anna", WHY, "run=back", shop)
    assert names[0] in retire(settings(shop, 2, 0.5), AS_OF)
