"""A random walk of people and tasks: nothing goes live but by a release or a person's approval."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from infra.asking import Answer
from infra.errors import CatwalkError, ReleaseError
from infra.ledger.live_pointer import history, live
from infra.ledger.run_records import RunRecords
from infra.ledger.who_was_live import who_was_live
from infra.records.release import PublishRecord
from infra.storage import Storage
from models.bundle.build_bundle import build_bundle
from models.publishing.publish import publish
from models.publishing.roll_back_release import roll_back_release
from models.release.approve_release import ask, record_answer
from tests.models.conftest import (
    AS_OF,
    RUN,
    WriteRun,
    prepare_bundle,
    save_gate,
    save_serving,
    tastes,
    write_lists,
)
from tests.models.interrupted import is_whole

RUNS = [RUN, "run=other", "run=third"]
STEPS = 250
ROLL_BACKS = 2  # each starts a process


@dataclass
class Book:
    """What the test itself knows of a run."""

    judged: str = "release"
    ever_asked: bool = False
    waiting: str = ""  # digest that a person is asked about
    approved: str = ""  # digest that a person approved since the last verdict
    built: int = 0

    def may_go_live(self, digest: str) -> bool:
        """Say by the words of the how-to page whether these bytes may go live."""
        if self.judged == "reject":
            return False
        if self.judged == "release" and not self.ever_asked:
            return True
        return self.approved == digest


class Walk:
    """A shop with a few runs, of which each step changes one."""

    def __init__(self, shop: Storage, seed: int) -> None:
        self.shop, self.random, self.run = shop, random.Random(seed), RUN
        self.books = {run: Book() for run in RUNS}
        self.went_live: list[PublishRecord] = []
        self.seen: Counter[str] = Counter()

    def step(self) -> None:
        """Do anything, and look whether all is as it must be."""
        if self.random.random() < 0.3:  # else go on with the same run
            self.run = self.random.choice(RUNS)
        often: dict[Callable[[str], None], float] = {
            self.judge: 2,
            self.ask: 4,
            self.answer: 4,
            self.build: 0.2,
            self.publish: 4,
        }
        if self.seen["rolled back"] < ROLL_BACKS and len(self.went_live) > 1:
            often[self.roll_back] = 0.5
        [do] = self.random.choices(list(often), list(often.values()))
        do(self.run)
        assert live(self.shop) == (self.went_live[-1] if self.went_live else None)
        for place, record in enumerate(self.went_live[-3:], max(len(self.went_live) - 3, 0)):
            told = dict(who_was_live(self.shop, record.at, datetime.now(UTC)))
            assert told["Live"] == f"{record.version} (pointer {place + 1})"

    def judge(self, run: str) -> None:
        """Judge again, most often against what is live."""
        now, book = live(self.shop), self.books[run]
        book.judged = self.random.choice(["release", "review", "review", "review", "reject"])
        book.approved = ""
        before = RunRecords(self.shop, run).load_verdict()
        assert before is not None
        judgement = before.judgements[0].model_copy(update={"outcome": book.judged})
        change = {
            "at": datetime.now(UTC),
            "outcome": book.judged,
            "judgements": (judgement,),
            "champion": now.version if now and self.random.random() < 0.9 else None,
        }
        RunRecords(self.shop, run).save_verdict(before.model_copy(update=change))

    def ask(self, run: str) -> None:
        """Ask a person, if anybody need be asked."""
        with suppress(ReleaseError):
            question = ask(self.shop, run)
            if question is not None:
                book = self.books[run]
                book.ever_asked, book.waiting, book.approved = True, question.digest, ""

    def answer(self, run: str) -> None:
        """Answer what is asked: well, badly, or not in time."""
        book, draw = self.books[run], self.random.random
        if not book.waiting:
            return
        good = draw() < 0.6
        answer = Answer(
            approved=good or draw() < 0.7,
            by="pm" if good else self.random.choice(["pm", "eve", None]),
            at=datetime.now(UTC),
            why="better" if good else self.random.choice(["", "worse"]),
            digest=book.waiting if good or draw() < 0.5 else "0" * 64,
        )
        right = (
            answer.approved and answer.by == "pm" and answer.why and book.waiting == answer.digest
        )
        if right:
            record_answer(self.shop, run, answer)
            judged, asked = (
                getattr(RunRecords(self.shop, run), f"load_{name}")()
                for name in ("verdict", "approval")
            )
            book.approved = book.waiting if asked.asked_at >= judged.at else ""
        else:
            with pytest.raises(ReleaseError):
                record_answer(self.shop, run, answer)
        self.seen["right" if right else "rejected"] += 1
        book.waiting = ""

    def build(self, run: str) -> None:
        """Make other lists and the bundle of them, which is most often seen to answer."""
        book = self.books[run]
        book.built += 1
        verdict = RunRecords(self.shop, run).load_verdict()
        assert verdict is not None
        written_at = AS_OF + timedelta(minutes=book.built)
        write_lists(self.shop, run, verdict.candidate, written_at=written_at)
        save_gate(self.shop, run, at=written_at)
        with suppress(ReleaseError):  # it was rejected
            build_bundle(self.shop, run)
            if self.random.random() < 0.8:
                save_serving(self.shop, run)

    def publish(self, run: str) -> None:
        """Publish; whatever goes live by that must be allowed to."""
        number, book = len(self.went_live), self.books[run]
        try:
            record = publish(self.shop, run)
        except CatwalkError as error:
            self.seen["refused"] += 1
            self.seen["no approval"] += "needs an approval" in error.fact
            return
        if record.number == number:  # it was live already
            return
        assert record.number == number + 1 and record.run == run
        assert book.may_go_live(record.manifest_sha256)
        assert is_whole(self.shop, record)
        self.seen["approved" if book.ever_asked else "released"] += 1
        self.went_live.append(record)

    def roll_back(self, run: str) -> None:
        """Go to any version there was, by a name or by `previous`."""
        wanted = self.random.choice(["previous", *(pointer.version for pointer in self.went_live)])
        with suppress(CatwalkError):
            record = roll_back_release(
                self.shop, wanted, "anna", "socks", f"run=back{len(self.went_live)}"
            )
            assert record.version in {pointer.version for pointer in self.went_live}
            self.seen["rolled back"] += 1
            self.went_live.append(record)


@pytest.mark.faults  # hundreds of releases
@pytest.mark.parametrize("seed", [3])
def test_nothing_goes_live_but_by_a_release_or_an_approval(
    shop: Storage, write_run: WriteRun, seed: int
) -> None:
    for place, run in enumerate(RUNS):
        pairs, items = tastes(seed=3 + place)
        as_of = AS_OF + timedelta(hours=6 * place)
        prepare_bundle(shop, write_run(pairs, items, run=run, as_of=as_of))
    walk = Walk(shop, seed)
    for _ in range(STEPS):
        walk.step()
    assert [pointer.number for pointer in history(shop)] == [
        pointer.number for pointer in walk.went_live
    ][::-1]
    happened = {"released", "approved", "rejected", "refused", "no approval", "rolled back"}
    assert all(walk.seen[what] for what in happened), walk.seen
