"""What is answered about batches is what reading every file answers, whatever the index holds."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from infra.errors import StorageError
from infra.ledger.batches import (
    BatchReader,
    accepted_batches,
    decide,
    decided_since,
    kept_batches,
    read_batches,
    stopped_batches,
    undecided_batches,
)
from infra.records.gates import GATE, BatchDecision
from infra.storage import Storage
from infra.stores import object_store
from tests.counting_store import count_requests

TICK = 0.03  # seconds, more than the tick of a file system's clock
NOW = datetime(2026, 11, 24, tzinfo=UTC)
NAMES = [f"batch=shop-{number:06d}" for number in range(6)]
RUNS = ["run=1", "run=2"]


def commit(shop: Storage, batch: str, hour: int = 0) -> None:
    shop.lake.commit("events", batch, {"rows": 1, "written_at": NOW + timedelta(hours=hour)})


def by(who: str, word: str, hour: int | None = 0, run: str | None = None) -> BatchDecision:
    bound = None if hour is None else NOW + timedelta(hours=hour)
    facts = {"decision": word, "by": who, "run": run, "at": NOW, "written_at": bound}
    return BatchDecision.model_validate(facts)


class Oracle:
    """Answers as the storage did before there was an index: one file after the other."""

    def __init__(self, shop: Storage) -> None:
        self._lake = shop.lake
        self._root = Path(shop.lake.address())

    def _decision(self, batch: str) -> BatchDecision | None:
        written = datetime.fromisoformat(self._lake.manifest("events", batch)["written_at"])
        for folder in ("events", "events_by_gate"):
            file = self._root / "decisions" / folder / f"{batch}.json"
            if file.is_file():
                decision = BatchDecision.model_validate_json(file.read_bytes())
                if decision.written_at in (None, written):
                    return decision
        return None

    def answers(self) -> dict[str, tuple[str, ...]]:
        """Return what every question about the batches is answered with."""
        decided = {batch: self._decision(batch) for batch in self._lake.partitions("events")}
        words = {batch: made.decision if made else None for batch, made in decided.items()}
        own = {b for b, made in decided.items() if made and (made.by, made.run) == (GATE, RUNS[0])}
        return {
            "accepted": tuple(b for b, word in words.items() if word == "accepted"),
            "stopped": tuple(b for b, word in words.items() if word == "stopped"),
            "kept": tuple(b for b, word in words.items() if word != "discarded"),
            "undecided": tuple(
                b for b, word in words.items() if word in (None, "stopped") or b in own
            ),
        }


def answers(shop: Storage) -> dict[str, tuple[str, ...]]:
    batches = read_batches(shop)
    return {
        "accepted": accepted_batches(batches),
        "stopped": stopped_batches(batches),
        "kept": kept_batches(batches),
        "undecided": undecided_batches(batches, RUNS[0]),
    }


class Shop:
    """Everything that may happen to batches, decisions and the index, at random."""

    def __init__(self, shop: Storage, seed: int) -> None:
        self.shop = shop
        self.dice = random.Random(seed)
        self.root = Path(shop.lake.address())
        self.old: list[dict[str, bytes]] = []  # indexes of earlier states

    def step(self) -> None:
        """Let one thing happen."""
        acts: list[Callable[[str], None]] = [
            self._write_batch,
            self._delete_batch,
            self._decide,
            self._decide,
            self._decide_by_hand,
            self._take_back,
            self._lose_index,
            self._harm_index,
            self._restore_old_index,
        ]
        self.dice.choice(acts)(self.dice.choice(NAMES))

    def _write_batch(self, batch: str) -> None:
        commit(self.shop, batch, self.dice.randrange(3))

    def _delete_batch(self, batch: str) -> None:
        if self.dice.random() < 0.3:
            self.shop.lake.store.delete_folder(f"events/{batch}")

    def _decide(self, batch: str) -> None:
        who, hour = self.dice.choice([GATE, "anna"]), self.dice.choice([0, 1, 2, None])
        word = self.dice.choice(["accepted", "stopped", "discarded"])
        decide(self.shop, batch, by(who, word, hour, self.dice.choice(RUNS)))

    def _decide_by_hand(self, batch: str) -> None:
        """Write into the file itself; texts of equal length."""
        file = self.root / "decisions/events" / f"{batch}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        word = self.dice.choice(['"accepted" ', '"stopped"  ', '"discarded"'])
        file.write_text(f'{{"decision": {word}, "by": "ben"}}')

    def _take_back(self, batch: str) -> None:
        (self.root / "decisions/events" / f"{batch}.json").unlink(missing_ok=True)

    def index(self) -> list[Path]:
        """Return the files of the index."""
        return sorted((self.root / "index").glob("*.json"))

    def _lose_index(self, _: str) -> None:
        for file in self.index():
            file.unlink()

    def _harm_index(self, _: str) -> None:
        for file in self.index():
            content = bytearray(file.read_bytes())
            content[self.dice.randrange(len(content))] ^= 1 << self.dice.randrange(8)
            file.write_bytes(content)

    def _restore_old_index(self, _: str) -> None:
        self.old.append({file.name: file.read_bytes() for file in self.index()})
        for name, content in self.dice.choice(self.old).items():
            (self.root / "index" / name).write_bytes(content)


@pytest.mark.faults  # random histories, a soak
@pytest.mark.parametrize("seed", range(6))
def test_no_index_ever_changes_an_answer(
    shop: Storage, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr(object_store, "_SETTLED", timedelta(seconds=TICK))
    world = Shop(shop, seed)
    reader = BatchReader(shop)
    for _ in range(80):
        for _ in range(world.dice.randrange(1, 4)):
            world.step()
        if world.dice.random() < 0.7:
            time.sleep(2 * TICK)  # now the index may copy everything
        expected = Oracle(shop).answers()
        assert answers(shop) == expected
        assert accepted_batches(reader.read()) == expected["accepted"], "of one task too"
    assert world.index()


def test_an_index_of_another_lake_is_of_no_use(
    shop: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An index says accepted, of a decision file that has another one's content here."""
    monkeypatch.setattr(object_store, "_SETTLED", timedelta(seconds=TICK))
    commit(shop, NAMES[0])
    decide(shop, NAMES[0], by(GATE, "accepted"))
    time.sleep(2 * TICK)
    assert accepted_batches(read_batches(shop)) == (NAMES[0],)
    index = shop.lake.store.read("index/decisions.json")
    decide(shop, NAMES[0], by(GATE, "stopped"))
    shop.lake.store.write("index/decisions.json", index)
    assert accepted_batches(read_batches(shop)) == ()


def test_a_person_s_decision_wins_at_once(shop: Storage) -> None:
    commit(shop, NAMES[0])
    decide(shop, NAMES[0], by(GATE, "accepted"))
    time.sleep(2.1)
    assert accepted_batches(read_batches(shop)) == (NAMES[0],)
    shop.lake.store.write(
        f"decisions/events/{NAMES[0]}.json", b'{"decision": "discarded", "by": "anna"}'
    )
    assert kept_batches(read_batches(shop)) == ()


def test_a_decision_without_a_time_has_that_of_its_file(shop: Storage) -> None:
    commit(shop, NAMES[0])
    text = b'{"decision": "accepted", "by": "anna"}'
    begun = datetime.now(UTC) - timedelta(seconds=1)
    shop.lake.store.write(f"decisions/events/{NAMES[0]}.json", text)
    (made,) = decided_since(read_batches(shop), RUNS[0]).values()
    assert made.at is not None and begun < made.at < datetime.now(UTC)


def test_a_decision_that_cannot_be_read_harms_only_who_asks_for_it(shop: Storage) -> None:
    for batch in NAMES[:2]:
        commit(shop, batch)
    decide(shop, NAMES[1], by(GATE, "accepted"))
    shop.lake.store.write(f"decisions/events/{NAMES[0]}.json", b"{")
    batches = read_batches(shop)
    assert batches[NAMES[1]].word == "accepted"
    with pytest.raises(StorageError, match=r"decisions/events/batch=shop-000000\.json cannot be"):
        accepted_batches(batches)


def test_what_is_unfinished_is_told_from_a_store_that_cannot_be_used(shop: Storage) -> None:
    commit(shop, NAMES[1])
    with pytest.raises(StorageError, match="is not finished"):
        shop.lake.manifest("events", NAMES[0])
    with pytest.raises(StorageError, match="Cannot read"):
        shop.lake.manifest("events", 300 * "x")


def test_a_second_reading_of_a_task_asks_for_nothing_that_is_old(shop: Storage) -> None:
    for batch in NAMES:
        commit(shop, batch)
        decide(shop, batch, by(GATE, "accepted"))
    time.sleep(2.1)
    reader = BatchReader(shop)
    batches = reader.read()
    decide(shop, NAMES[2], by("anna", "discarded"))
    store = count_requests(shop)
    reader._decisions._store = store  # type: ignore[assignment]
    again = reader.decided({name: batch.manifest for name, batch in batches.items()})
    assert [name for name, batch in again.items() if batch.word == "discarded"] == [NAMES[2]]
    place = f"decisions/events/{NAMES[2]}.json"
    assert store.requests == [("stamps", "decisions"), ("read", place)]
