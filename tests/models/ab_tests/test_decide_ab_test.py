"""A decision is about the verdict that the form showed; shipping moves the pointer for good."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial

import pytest

from infra.airflow.choices import running_tests
from infra.errors import BundleError, CatwalkError, InputError
from infra.ledger.ab_tests import KnownTests, TestState, add_ab_record, read_ab_tests
from infra.ledger.ab_verdicts import ab_verdicts, latest_ab_verdict, verdict_decided_on
from infra.ledger.decision_log import entries
from infra.ledger.live_pointer import before_live, history, live
from infra.ledger.run_records import RunRecords
from infra.ledger.who_was_live import who_was_live
from infra.places import LIVE, version_key
from infra.records.ab_tests import AbDecision, PhaseChange
from infra.records.release import PublishRecord
from infra.storage import Storage
from infra.stores.numbered import key
from models.ab_tests import decide_ab_test as module
from models.ab_tests.decide_ab_test import decide_ab_test
from models.ab_tests.judge_ab_tests import judge_ab_tests
from models.publishing.publish import publish
from models.publishing.roll_back_release import roll_back_release
from tests.infra.ledger.test_ab_tests import ab_test, phase
from tests.models.ab_tests.test_judge_ab_tests import EARLY, OVER, both, judged
from tests.models.ab_tests.units_of_a_test import land_units
from tests.models.conftest import RUN, WriteRun, prepare_bundle
from tests.models.interrupted import OTHER
from tests.models.prepared import once
from tests.models.publishing.test_roll_back_release import publish_another

ARM = "arm=content-first"
WHY = "it sells more"
Tested = tuple[PublishRecord, PublishRecord]


@pytest.fixture
def tested(shop: Storage, write_run: WriteRun) -> Tested:
    """Return what is live, and the treatment: published by another run, and never live."""
    return once(shop, ("tested",), partial(_publish_two, shop, write_run))


def _publish_two(shop: Storage, write_run: WriteRun) -> Tested:
    prepare_bundle(shop, write_run())
    first = publish(shop, RUN)
    second = publish_another(shop, write_run, OTHER, 4)
    shop.published.delete(key(LIVE, second.number))
    RunRecords(shop, ARM).save_published(second.model_copy(update={"number": 0}))
    add_ab_record(shop, lambda _: ab_test(
        control={"version": first.version, "candidate": "also_bought"},
        treatment={"version": second.version, "candidate": second.candidate},
        learnt_from=OTHER,
        run=ARM,
    ))  # fmt: skip
    return first, second


def offer(shop: Storage, name: str = "content-first") -> str:
    """Return what the form offers of a test."""
    return next(text for text in running_tests(shop) if text.startswith(f"{name} "))


def decide(shop: Storage, decision: str, run: str = "run=form", test: str = "") -> AbDecision:
    return decide_ab_test(shop, test or offer(shop), decision, "pm", WHY, run)


def state_of(shop: Storage) -> TestState:
    return read_ab_tests(shop).named("content-first")


def test_shipping_moves_the_pointer_to_the_treatment(shop: Storage, tested: Tested) -> None:
    first, second = tested
    judged(shop, both(4_000, 0.05, 0.08))
    made = decide(shop, "ship")
    now = live(shop)
    assert now is not None and made.pointer == now.number == 2
    assert (now.version, now.previous) == (second.version, first.version)
    assert (now.action, now.ab_test, now.asked_in) == ("ship", "content-first", "run=form")
    assert now.decided is not None and (now.decided.by, now.decided.why) == ("pm", WHY)
    same = ("run", "manifest_sha256", "candidate", "arrays_sha256", "data", "recipe", "thresholds")
    assert [getattr(now, name) for name in same] == [getattr(second, name) for name in same]
    kept = latest_ab_verdict(shop, "content-first")
    assert kept is not None and made.verdict_sha256 == kept.sha256
    assert state_of(shop).ended == made
    logged = [entry for _, entry in entries(shop.reports)]
    assert [entry.outcome for entry in logged if entry.about == "content-first"] == ["ship", "ship"]
    newest = logged[0]
    assert (newest.what, newest.by, newest.why) == ("ab_test", "pm", WHY)
    assert newest.facts["verdict_sha256"] == kept.sha256
    answer = dict(who_was_live(shop, now.at, now.at + timedelta(seconds=1)))
    assert answer["Released"].endswith(f"by pm: {WHY}")


def test_a_run_of_the_form_decides_once(shop: Storage, tested: Tested) -> None:
    judged(shop, both(4_000, 0.05, 0.08))
    shown = offer(shop)
    made = decide(shop, "ship")
    assert decide(shop, "ship", test=shown) == made
    assert [pointer.number for pointer in history(shop)] == [2, 1]
    assert len(list(entries(shop.reports))) == len({number for number, _ in entries(shop.reports)})
    with pytest.raises(InputError, match="pm ended 'content-first' on .*: ship"):
        decide(shop, "keep", "run=later", shown)


def test_a_task_that_died_after_the_pointer_moved_finishes(
    shop: Storage, tested: Tested, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged(shop, both(4_000, 0.05, 0.08))

    def dies(storage: Storage, make: Callable[[KnownTests], AbDecision]) -> AbDecision:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module, "add_ab_record", dies)
        with pytest.raises(KeyboardInterrupt):
            decide(shop, "ship")
    now = live(shop)
    assert now is not None and now.action == "ship" and state_of(shop).ended is None
    made = decide(shop, "ship")
    assert made.pointer == now.number == 2
    assert live(shop) == now


def test_a_task_that_died_is_not_refused_for_a_newer_verdict(
    shop: Storage, tested: Tested, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged(shop, both(4_000, 0.05, 0.08))
    shown, kept = offer(shop), latest_ab_verdict(shop, "content-first")

    def dies(storage: Storage, make: Callable[[KnownTests], AbDecision]) -> AbDecision:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module, "add_ab_record", dies)
        with pytest.raises(KeyboardInterrupt):
            decide(shop, "ship", test=shown)
    judged(shop, both(3_999, 0.05, 0.08))
    with pytest.raises(InputError, match="is not the newest verdict"):
        decide(shop, "ship", "run=another", shown)
    made = decide(shop, "ship", test=shown)
    assert kept is not None and (made.verdict_sha256, made.pointer) == (kept.sha256, 2)


def test_the_verdict_of_an_earlier_phase_is_none(shop: Storage, tested: Tested) -> None:
    judged(shop, both(4_000, 0.05, 0.08))
    old = offer(shop)
    change = PhaseChange(at=OVER, by="eva", changes=1, phase=phase("b"), reason="more")
    add_ab_record(shop, lambda _: change)
    assert offer(shop) == "content-first -: no verdict yet."
    with pytest.raises(InputError, match="is not the newest verdict .* which is -: none yet"):
        decide(shop, "ship", test=old)
    with pytest.raises(InputError, match="has no verdict to ship by: it was never judged"):
        decide(shop, "ship")


def test_what_a_decision_was_taken_on_outlives_the_file_of_its_day(
    shop: Storage, tested: Tested
) -> None:
    judged(shop, both(4_000, 0.05, 0.08))
    kept = latest_ab_verdict(shop, "content-first")
    first, again = decide(shop, "go on"), decide(shop, "go on", "run=again")
    assert kept is not None and first.verdict_sha256 == again.verdict_sha256 == kept.sha256
    judged(shop, both(3_999, 0.05, 0.08))
    assert verdict_decided_on(shop, "content-first", kept.sha256) == kept
    assert latest_ab_verdict(shop, "content-first") != kept
    assert len(list(ab_verdicts(shop, "content-first"))) == 1, "a copy is no verdict of its own"


def test_a_newer_verdict_refuses_the_form(shop: Storage, tested: Tested) -> None:
    judged(shop, both(4_000, 0.05, 0.08))
    old = offer(shop)
    land_units(shop, state_of(shop), both(3_999, 0.05, 0.08))
    judge_ab_tests(shop, OVER)
    assert offer(shop) != old
    with pytest.raises(InputError, match="is not the newest verdict .* Ship .*Open the form again"):
        decide(shop, "ship", test=old)
    for short in ("content-first", "content-first ", offer(shop)[: len("content-first 123")]):
        with pytest.raises(InputError, match="is not the newest verdict"):
            decide(shop, "keep", test=short)
    assert state_of(shop).decisions == ()
    assert decide(shop, "ship").decision == "ship"


@pytest.mark.parametrize("facts", ["nothing", "too early", "void"])
def test_nothing_ships_without_a_verdict_at_the_horizon(
    shop: Storage, tested: Tested, facts: str
) -> None:
    if facts == "too early":
        judged(shop, both(4_000, 0.05, 0.08), EARLY)
    if facts == "void":
        judged(shop, both(4_000, 0.05, 0.08), answers_by_version={"control": {"other": 3}})
    with pytest.raises(InputError, match="has no verdict to ship by"):
        decide(shop, "ship")
    now = live(shop)
    assert now is not None and now.number == 1
    assert decide(shop, "go on", "run=go").decision == "go on"
    assert state_of(shop).ended is None
    ended = decide(shop, "keep", "run=keep")
    assert (state_of(shop).ended, ended.pointer) == (ended, 0)
    assert ended.says_nothing == (facts != "too early")
    assert running_tests(shop) == ()


def test_a_treatment_that_is_not_whole_is_not_shipped(shop: Storage, tested: Tested) -> None:
    judged(shop, both(4_000, 0.05, 0.08))
    version = tested[1].version
    files = [name for name in shop.published.list(version_key(version)) if name.endswith(".npz")]
    shop.published.delete(files[0])
    with pytest.raises(CatwalkError):
        decide(shop, "ship")
    shop.published.delete_folder(version_key(version))
    with pytest.raises(BundleError, match="was deleted"):
        decide(shop, "ship")
    RunRecords(shop, ARM).save_published(tested[0])
    with pytest.raises(BundleError, match="Nothing says how .* was made"):
        decide(shop, "ship")
    now = live(shop)
    assert now is not None and now.number == 1 and state_of(shop).ended is None


def test_what_was_shipped_can_be_rolled_back_and_shipped_again(
    shop: Storage, tested: Tested
) -> None:
    first, second = tested
    judged(shop, both(4_000, 0.05, 0.08))
    decide(shop, "ship")
    now = live(shop)
    assert now is not None
    before = before_live(shop, now)
    assert before is not None and before.version == first.version
    back = roll_back_release(shop, "previous", "anna", "socks", "run=back")
    assert (back.version, [out.version for out in back.withdrawn]) == (
        first.version,
        [second.version],
    )
    add_ab_record(shop, lambda _: state_of(shop).test.model_copy(update={"name": "once-more"}))
    judged(shop, both(4_000, 0.05, 0.08))
    decide(shop, "ship", "run=again", offer(shop, "once-more"))
    again = live(shop)
    assert again is not None and (again.version, again.withdrawn) == (second.version, ())


def test_wrong_words_are_refused(shop: Storage, tested: Tested) -> None:
    with pytest.raises(InputError, match="The form is wrong"):
        decide(shop, "perhaps")
    with pytest.raises(InputError, match="no A/B test 'nobody'"):
        decide(shop, "keep", test="nobody -")
    with pytest.raises(InputError, match="The form is wrong.*reason"):
        decide_ab_test(shop, offer(shop), "keep", "pm", " ", "run=form")
