"""Who decided what, and which model was live when: nothing is rewritten, nothing is guessed."""

from __future__ import annotations

import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from infra.errors import InputError, StorageError
from infra.ledger import decision_log
from infra.ledger.batches import decide
from infra.ledger.decision_log import Decision, entries
from infra.ledger.run_records import RunRecords
from infra.ledger.who_was_live import parse_moment, who_was_live
from infra.records.gates import BatchDecision
from infra.records.release import (
    Approval,
    ApprovalRecord,
    Judgement,
    LearntFrom,
    PublishRecord,
    ThresholdsFile,
    VerdictRecord,
)
from infra.storage import Storage
from infra.stores.numbered import key, missing, numbers
from tests.conftest import REPOSITORY

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
RUN = "run=one"


def verdict(outcome: str, hour: int = 0) -> VerdictRecord:
    return VerdictRecord.model_validate(
        {
            "run": RUN,
            "at": NOON + timedelta(hours=hour),
            "outcome": outcome,
            "candidate": "also_bought",
            "thresholds_sha256": "t" * 64,
            "batches": ["batch=shop-000001"],
            "judgements": [],
        }
    )


def test_a_rejection_stays_after_a_second_verdict(shop: Storage) -> None:
    records = RunRecords(shop, RUN)
    records.save_verdict(verdict("reject"))
    records.save_verdict(verdict("release", hour=1))
    records.save_verdict(verdict("release", hour=1))
    found = [(number, one.what, one.outcome) for number, one in entries(shop.reports)]
    assert found == [(2, "verdict", "release"), (1, "verdict", "reject")]


def test_people_are_named(shop: Storage) -> None:
    facts = {"run": RUN, "candidate": "m", "manifest_sha256": "b" * 64, "asked": ["pm"]}
    asked = ApprovalRecord.model_validate({**facts, "asked_at": NOON})
    records = RunRecords(shop, RUN)
    records.save_approval(asked)
    assert list(entries(shop.reports)) == [], "nobody has answered"
    answer = {"answer": "rejected", "by": "pm", "at": NOON, "why": "too few brands"}
    records.save_approval(asked.model_copy(update=answer))
    by_gate = BatchDecision(decision="accepted", by="gate", at=NOON)
    decide(shop, "batch=shop-000001", by_gate)
    decide(shop, "batch=shop-000002", by_gate.model_copy(update={"by": "anna", "why": "a sale"}))
    found = [(one.what, one.outcome, one.by, one.why) for _, one in entries(shop.reports)]
    assert found == [
        ("batch", "accepted", "anna", "a sale"),
        ("approval", "rejected", "pm", "too few brands"),
    ]


def test_many_writers_lose_nothing(shop: Storage) -> None:
    def write(number: int) -> None:
        facts = {"at": NOON, "what": "batch", "about": str(number), "outcome": "x", "by": "y"}
        decision_log.append(shop.reports, Decision.model_validate({**facts, "why": ""}))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(one.about for _, one in entries(shop.reports)) == list("01234567")
    write(0)
    assert len(list(entries(shop.reports))) == 8, "a step that runs again decides nothing new"


def test_what_was_deleted_or_damaged_is_seen(shop: Storage) -> None:
    for hour in range(3):
        RunRecords(shop, RUN).save_verdict(verdict("reject", hour))
    place = f"{shop.reports.address}/decisions"
    Path(place, "0000000002.json").unlink()
    assert missing(numbers(shop.reports, "decisions")) == [2]
    shop.reports.write("decisions/0000000003.json", b"{")
    with pytest.raises(StorageError, match=r"0000000003\.json of the decision log cannot be read"):
        list(entries(shop.reports))


def point(shop: Storage, number: int, hour: float, **change: object) -> None:
    record = {
        "run": f"run={number}",
        "at": NOON + timedelta(hours=hour),
        "number": number,
        "version": f"v{number}",
        "manifest_sha256": "a" * 64,
        "candidate": "also_bought",
        "previous": f"v{number - 1}",
        "data": LearntFrom(start="s", cut="c", as_of="e", batches=("batch=shop-000001",)),
        **change,
    }
    content = PublishRecord.model_validate(record).model_dump_json()
    shop.published.create(key("live", number), content.encode())


@pytest.fixture
def three(shop: Storage) -> Storage:
    """Return a shop: v1 at noon, v2 approved at 13:00, back to v1 at 14:00."""
    point(shop, 1, 0)
    point(shop, 2, 1, decided=Approval(by="pm", at=NOON, why="good enough"))
    anna = Approval(by="anna", at=NOON, why="socks")
    back = {"version": "v1", "run": "run=1", "previous": "v2", "action": "roll_back"}
    point(shop, 3, 2, **back, decided=anna)
    return shop


def answer(shop: Storage, hour: float) -> dict[str, str]:
    return dict(who_was_live(shop, NOON + timedelta(hours=hour), NOON + timedelta(hours=9)))


def test_who_was_live(three: Storage) -> None:
    assert answer(three, -1)["Live"].startswith("nothing yet; the first went live 2026-11-24 12:00")
    first = answer(three, 0.5)
    assert first["Live"] == "v1 (pointer 1)"
    assert first["Batches"] == "1: batch=shop-000001" and "v2 by pm" in first["Until"]
    assert answer(three, 1)["Live"].startswith("v2"), "from the very moment on"
    second = answer(three, 1.5)
    assert "by pm: good enough" in second["Released"] and "rolled back" in second["Until"]
    third = answer(three, 9)
    assert third["Live"] == "v1 (pointer 3)" and "anna: socks" in third["Rolled back"]
    assert "12:00:00" in third["Released"] and third["Until"] == "now: it is live"


def test_a_deleted_pointer_is_not_papered_over(three: Storage) -> None:
    """With one gone, what came before it may not have been live."""
    Path(three.published.address, "live/0000000002.json").unlink()
    told = answer(three, 1.5)
    assert told["Live"] == "unknown: pointer 2 was deleted"
    assert told["Known before"].startswith("v1 (pointer 1)") and "socks" in told["Known after"]
    assert "Model" not in told and "Bundle" not in told
    assert answer(three, 9)["Live"] == "v1 (pointer 3)", "what is known is said"
    Path(three.published.address, "live/0000000001.json").unlink()
    assert answer(three, 0.5)["Live"] == "unknown: pointers 1, 2 were deleted"
    assert answer(three, 9)["Released"] == "unknown: the pointer of that release was deleted"


def test_a_pointer_from_the_future_is_not_taken_for_one_that_is_not_live_yet(
    three: Storage,
) -> None:
    """A clock that was ahead wrote it: it is live already, and nobody knows since when."""
    point(three, 4, 24)
    told = answer(three, 9)
    assert told["Live"].startswith("unknown: pointer 4 dates from the future")
    assert told["Known before"].startswith("v1 (pointer 3)") and "pointer 4" in told["Known after"]
    assert "Model" not in told and "Until" not in told
    assert answer(three, 1.5)["Live"].startswith("v2"), "what came before is known"


def test_the_thresholds_are_in_every_decision(shop: Storage) -> None:
    by = {"thresholds_sha256": "t" * 64}
    judged = verdict("review").model_copy(update=by)
    asked = {"run": RUN, "candidate": "m", "manifest_sha256": "b" * 64, "asked": ["pm"]}
    answered = {"answer": "approved", "by": "pm", "at": NOON, "why": "fine", "asked_at": NOON}
    records = RunRecords(shop, RUN)
    records.save_verdict(judged)
    records.save_approval(
        ApprovalRecord.model_validate({**asked, **answered, "thresholds": judged.thresholds})
    )
    for _, one in entries(shop.reports):
        assert by.items() <= one.facts.items(), one.what
    point(shop, 1, 0, thresholds=judged.thresholds)
    assert answer(shop, 1)["Thresholds"] == f"sha256 {'t' * 64}"


def test_records_that_name_a_commit_and_an_author_still_load() -> None:
    """An earlier Catwalk asked git who last changed the thresholds."""
    of_git = {"commit": "c0ffee", "author": "Ada"}
    assert ThresholdsFile.model_validate({"sha256": "t", **of_git}) == ThresholdsFile(sha256="t")
    judged = verdict("release")
    earlier = {**judged.model_dump(), "thresholds_commit": "c0ffee", "thresholds_author": "Ada"}
    assert VerdictRecord.model_validate(earlier) == judged


def judgement(result: str, reason: str) -> Judgement:
    said = {"metric": "m", "value": 1.0, "limit": "l", "why": "w", "reason": reason}
    return Judgement.model_validate({**said, "result": result, "outcome": "release"})


def test_a_release_says_what_nobody_could_tell(shop: Storage) -> None:
    found = (judgement("met", "m is fine."), judgement("cannot tell", "chance may decide."))
    RunRecords(shop, RUN).save_verdict(verdict("release").model_copy(update={"judgements": found}))
    said = next(entries(shop.reports))[1].why
    assert said == "No threshold was missed. chance may decide."
    point(shop, 1, 0)
    assert answer(shop, 1)["Released"].endswith("by models/release.yaml: No threshold was missed")


def test_nothing_was_ever_live(shop: Storage) -> None:
    assert answer(shop, 0)["Live"] == "nothing yet"


@pytest.mark.parametrize(
    ("text", "hour"),
    [
        ("2026-11-24 14:05", 14),
        ("2026-11-24T14:05Z", 14),
        (" 2026-11-24 14:05+01:00 ", 13),
        ("2026-11-24 09:05-05:00", 14),
    ],
)
def test_a_time_is_utc_unless_it_says_otherwise(text: str, hour: int) -> None:
    now = NOON + timedelta(days=1)
    assert parse_moment(text, now) == datetime(2026, 11, 24, hour, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is no time"),
        ("last Tuesday", "is no time"),
        ("2026-13-01 00:00", "is no time"),
        ("0001-01-01 00:00+14:00", "is no time"),
        ("2026-11-24 12:01", "lies in the future"),
    ],
)
def test_no_such_moment(text: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        parse_moment(text, NOON)


def test_the_program_answers_or_says_why_not(three: Storage) -> None:
    def ask(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "infra.ledger.who_was_live", *words]
        return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)

    done = ask("2001-01-01 00:00")
    assert done.returncode == 0 and "nothing yet" in done.stdout
    done = ask("soon")
    assert done.returncode == 1 and done.stderr.count("\n") == 2 and "is no time" in done.stderr
