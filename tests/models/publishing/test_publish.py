"""Whatever dies at any moment: afterwards exactly one complete version is live."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from infra.errors import PublishError
from infra.ledger.live_pointer import live
from infra.ledger.run_records import RunRecords
from infra.places import version_key
from infra.storage import Storage
from infra.stores.object_store import MANIFEST
from models.publishing.publish import publish
from tests.models.conftest import (
    AS_OF,
    RUN,
    WriteRun,
    prepare_bundle,
)
from tests.models.interrupted import (
    OTHER,
    KilledError,
    dying,
    is_whole,
    meanwhile,
    one_of_two_is_first,
)


def test_killed_before_anything_is_live(shop: Storage, write_run: WriteRun) -> None:
    prepare_bundle(shop, write_run())
    moment, alive = 0, False
    while not alive:
        for key in ("live", "versions"):
            shop.published.delete_folder(key)
        Path(shop.reports.address, RUN, "published.json").unlink(missing_ok=True)
        try:
            publish(dying(shop, moment), RUN)
            alive = True
        except KilledError:
            now = live(shop)
            assert now is None or is_whole(shop, now), "what is live is never half"
        record = publish(shop, RUN)
        assert live(shop) == record == RunRecords(shop, RUN).load_published()
        assert is_whole(shop, record)
        assert shop.published.list("live") == ["live/0000000001.json"]
        assert [path.name for path in Path(shop.published.address, "versions").iterdir()] == [
            record.version
        ]
        moment += 1  # at each of them: there are fewer since a record is read once
    assert moment > 40


def test_a_second_publishing_changes_nothing(shop: Storage, write_run: WriteRun) -> None:
    prepare_bundle(shop, write_run())
    record = publish(shop, RUN)
    assert publish(shop, RUN) == record
    verdict = RunRecords(shop, RUN).load_verdict()
    assert verdict is not None
    assert record.thresholds == verdict.thresholds, "who changed the rules, also on the pointer"
    assert record.thresholds.sha256 == verdict.thresholds_sha256


def test_half_a_version_is_completed(shop: Storage, write_run: WriteRun) -> None:
    version = prepare_bundle(shop, write_run())
    Path(shop.published.address, version_key(version)).mkdir(parents=True)
    Path(shop.published.address, version_key(version), "card.json").write_text("{}")
    assert is_whole(shop, publish(shop, RUN))


def test_a_copy_that_arrived_changed_never_goes_live(shop: Storage, write_run: WriteRun) -> None:
    version = prepare_bundle(shop, write_run())
    fill_folder = shop.published.fill_folder

    def with_a_flipped_bit(source: Path, key: str) -> None:
        fill_folder(source, key)
        card = Path(shop.published.address, key, "card.json")
        card.write_bytes(card.read_bytes().replace(b"a", b"b", 1))

    shop.published.fill_folder = with_a_flipped_bit  # type: ignore[method-assign]
    with pytest.raises(PublishError, match=f"{version} differs"):
        publish(shop, RUN)
    assert live(shop) is None


def test_a_pointer_is_of_the_moment_it_moved(shop: Storage, write_run: WriteRun) -> None:
    """Copying may take minutes, in which the version before it is still live."""
    prepare_bundle(shop, write_run())
    copied: list[datetime] = []
    fill_folder = shop.published.fill_folder

    def noted(source: Path, key: str) -> None:
        fill_folder(source, key)
        copied.append(datetime.now(UTC))

    shop.published.fill_folder = noted  # type: ignore[method-assign]
    record = publish(shop, RUN)
    assert record.at > copied[0] and record == live(shop)


def two_prepared(shop: Storage, write_run: WriteRun) -> None:
    for run, hours in ((RUN, 0), (OTHER, 6)):
        prepare_bundle(shop, write_run(run=run, as_of=AS_OF + timedelta(hours=hours)))


def test_two_publishers_at_once(shop: Storage, write_run: WriteRun) -> None:
    two_prepared(shop, write_run)
    one_of_two_is_first(shop)


def test_the_same_run_published_twice_at_once(shop: Storage, write_run: WriteRun) -> None:
    prepare_bundle(shop, write_run())
    late = meanwhile(shop, partial(publish, shop, RUN))
    assert publish(late, RUN) == live(shop)


@pytest.mark.parametrize("harm", ["gone", "no manifest", "changed", "link", "extra"])
def test_a_live_copy_that_was_harmed_is_restored(
    shop: Storage, write_run: WriteRun, harm: str
) -> None:
    version = prepare_bundle(shop, write_run())
    record = publish(shop, RUN)
    folder = Path(shop.published.address, version_key(version))
    if harm == "gone":
        shop.published.delete_folder(version_key(version))
    if harm == "no manifest":
        (folder / MANIFEST).unlink()
    if harm == "changed":
        (folder / "card.json").write_text("{}")
    if harm == "link":
        shutil.move(folder / "model", shop.published.address)
        (folder / "model").symlink_to(Path(shop.published.address, "model"))
    if harm == "extra":
        (folder / "model/.x").write_text("x")
    assert publish(shop, RUN) == record == live(shop)
    assert is_whole(shop, record)


def test_the_other_publisher_of_the_same_run_finishes_after_the_check(
    shop: Storage, write_run: WriteRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And this one dies at its first change of what is live by then."""
    prepare_bundle(shop, write_run())
    late = Storage(shop.settings)
    fill_folder = late.published.fill_folder

    def after_the_other(source: Path, key: str) -> None:
        record = publish(shop, RUN)
        assert live(shop) == record
        for name in ("replace", "unlink", "rename"):
            monkeypatch.setattr(Path, name, dying_after(getattr(Path, name), monkeypatch))
        fill_folder(source, key)

    late.published.fill_folder = after_the_other  # type: ignore[method-assign]
    with pytest.raises(KilledError):
        publish(late, RUN)
    now = live(shop)
    assert now is not None and is_whole(shop, now)


def dying_after(step: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    def call(*arguments: Any, **more: Any) -> None:
        step(*arguments, **more)
        monkeypatch.undo()
        raise KilledError(step.__name__)

    return call


def test_what_went_live_since_the_verdict_is_not_overrun(
    shop: Storage, write_run: WriteRun
) -> None:
    two_prepared(shop, write_run)
    publish(shop, RUN)
    with pytest.raises(PublishError, match=r"is live, but run=other was judged against nothing"):
        publish(shop, OTHER)


def test_pointers_grow_and_name_the_one_before(shop: Storage, write_run: WriteRun) -> None:
    prepare_bundle(shop, write_run())
    first = publish(shop, RUN)
    prepare_bundle(shop, write_run(run=OTHER, as_of=AS_OF + timedelta(hours=6)))
    second = publish(shop, OTHER)
    assert (second.number, second.previous) == (2, first.version)
    assert live(shop) == second
    with pytest.raises(PublishError, match="is live, but"):
        publish(shop, RUN)


def test_a_broken_pointer_is_never_overrun(shop: Storage, write_run: WriteRun) -> None:
    prepare_bundle(shop, write_run())
    shop.published.write("live/0000000001.json", b"{")
    with pytest.raises(PublishError, match="cannot be read"):
        publish(shop, RUN)


def test_a_pointer_under_another_number(shop: Storage, write_run: WriteRun) -> None:
    prepare_bundle(shop, write_run())
    publish(shop, RUN)
    shop.published.write("live/0000000002.json", shop.published.read("live/0000000001.json"))
    with pytest.raises(PublishError, match=r"0000000002\.json says it is number 1"):
        live(shop)


def test_other_objects_are_no_pointers(shop: Storage) -> None:
    shop.published.write("live/readme.json", b"{")
    assert live(shop) is None
