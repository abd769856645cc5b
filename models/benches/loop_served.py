"""Lets customers of a simulated world use a real server for some days, and remembers it all.

They get their lists over HTTP and send what they do, some of it twice, some of it a day late, some
from two devices. One of them is a program that clicks on everything. The server is killed now and
then.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil

from infra.errors import InputError
from infra.ledger.tokens import new_token
from infra.places import REPOSITORY
from infra.storage import Storage
from models.benches.loop_worlds import K, World
from models.benches.serving_processes import free_port
from models.serving.clock import BENCH_CLOCK

TWICE, LATE, TWO_DEVICES = 0.02, 0.01, 0.1
ROBOT = "a-program"
MORE_THAN_A_PERSON = 100  # events above the limit of a day
CLICKED, BOUGHT = timedelta(seconds=30), timedelta(seconds=90)  # after the answer
Event = dict[str, Any]


@dataclass(frozen=True)
class Answered:
    """An answer that a customer got."""

    request_id: str
    at: datetime
    user_id: str
    version: str
    arm: str
    items: tuple[str, ...]


@dataclass
class Lived:
    """All that happened: answers, and the events that the server has accepted, each once."""

    answers: list[Answered] = field(default_factory=list)
    events: dict[str, Event] = field(default_factory=dict)
    kills: int = 0


class MovedServer:
    """A server whose clock the bench moves, started again whenever it was killed."""

    def __init__(self, storage: Storage, home: Path) -> None:
        self._clock = home / "clock"
        self.set(datetime.now(UTC))
        self._home, self._port = home, free_port()
        self.token = new_token(storage, "loop", ("recommend", "events"), "the bench")

    def set(self, moment: datetime) -> None:
        """Let it be a moment for the server, from the next request on."""
        seconds = (moment - datetime.now(UTC)).total_seconds()
        aside = self._clock.with_suffix(".new")
        aside.write_text(str(seconds), encoding="utf-8")
        aside.replace(self._clock)

    def start(self) -> None:
        """Start it, and return when it answers."""
        own = {"CATWALK_HOME": str(self._home), "CATWALK_SERVING_PORT": str(self._port)}
        own |= {BENCH_CLOCK: str(self._clock), "CATWALK_SERVING_LAND_SECONDS": "1"}
        command = [sys.executable, "-m", "models.serving.serve"]
        self.process = subprocess.Popen(command, env={**os.environ, **own}, cwd=REPOSITORY)
        headers = {"Authorization": f"Bearer {self.token}"}
        address = f"http://127.0.0.1:{self._port}"
        self.client = httpx.Client(base_url=address, headers=headers, timeout=30, trust_env=False)
        while not self._answers():
            time.sleep(0.05)

    def kill(self) -> None:
        """Kill all of it, as a machine that loses its power does, and start it again."""
        children = psutil.Process(self.process.pid).children(recursive=True)
        for pid in (*(child.pid for child in children), self.process.pid):
            os.kill(pid, signal.SIGKILL)
        self.process.wait()
        self.start()

    def stop(self) -> None:
        """Stop it in peace: what waits is landed."""
        self.process.terminate()
        self.process.wait(60)

    def _answers(self) -> bool:
        try:
            return self.client.get("/health/ready").is_success
        except httpx.TransportError:
            return False


class Life:
    """Some days of a world with a server."""

    def __init__(self, world: World, server: MovedServer, most_events: int, kills: int) -> None:
        self._world, self._server, self._most, self._kills = world, server, most_events, kills
        self._random = np.random.default_rng(1)
        self._late: list[Event] = []
        self.lived = Lived()

    def wait_for_arms(self, begins: datetime) -> None:
        """Ask for one customer until the server answers the arms of the test; it counts too."""
        while not self._ask(0, begins).arm:
            time.sleep(0.05)

    def day(self, number: int, begins: datetime) -> None:
        """Let everybody who comes on a day ask, look, click and buy."""
        users = self._random.permutation(self._world.visitors(number))
        kills = {int(place) for place in self._random.integers(1, len(users), self._kills)}
        lists = np.full((len(users), K), -1, dtype=np.int64)
        answers = []
        for row, user in enumerate(users):
            if row in kills:
                self._server.kill()
                self.lived.kills += 1
            answers.append(
                self._ask(int(user), begins + timedelta(hours=8 + 12 * row / len(users)))
            )
            shown = [int(item[1:]) for item in answers[-1].items]
            lists[row, : len(shown)] = shown
        done = self._world.react(number, users, lists)
        events = [
            event
            for row, answer in enumerate(answers)
            for event in self._events_of(answer, done, row, begins)
        ]
        self._send([*events, *self._late, *self._robot(begins)], begins)

    def _ask(self, user: int, moment: datetime) -> Answered:
        self._server.set(moment)
        user_id = f"u{user:07d}"
        device = f"{user_id}-{int(self._random.random() < TWO_DEVICES)}"
        body = {"user_id": user_id, "visitor_id": device, "k": K}
        answer = self._server.client.post("/v1/recommendations/home", json=body)
        answer.raise_for_status()
        said = answer.json()
        items = tuple(item["item_id"] for item in said["items"])
        arm = said.get("arm", "")
        made = Answered(said["request_id"], moment, user_id, said["version"], arm, items)
        self.lived.answers.append(made)
        return made

    def _events_of(
        self, answer: Answered, done: Any, row: int, begins: datetime
    ) -> Iterator[Event]:
        own = {"user_id": answer.user_id, "request_id": answer.request_id, "placement": "home"}
        order = {"order_id": f"{answer.user_id}-{begins:%m%d}", "quantity": 1, "currency": "EUR"}
        for place, item in enumerate(answer.items):
            about = {"item_id": item, "position": place + 1}
            if done.seen[row, place]:
                yield _event("impression", answer.at, own | about)
            if done.clicked[row, place]:
                yield _event("click", answer.at + CLICKED, own | about)
            if done.bought[row, place]:
                price = {"unit_price": self._price(int(item[1:]))}
                sold = {"user_id": answer.user_id, "item_id": item} | order | price
                yield _event("purchase", answer.at + BOUGHT, sold)
                if done.returned[row, place]:
                    yield _event("return", answer.at + timedelta(minutes=30), sold)
        alone = int(done.unaided[row])
        if alone >= 0:
            found = {"item_id": f"i{alone:06d}", "unit_price": self._price(alone)}
            sold = {"user_id": answer.user_id} | order | found
            yield _event("purchase", answer.at + BOUGHT, sold)

    def _robot(self, begins: datetime) -> Iterator[Event]:
        """Give the clicks of a program, more than a person makes in a day."""
        for number in range(self._most + MORE_THAN_A_PERSON):
            moment = begins + timedelta(hours=9, seconds=number)
            yield _event("click", moment, {"user_id": ROBOT, "item_id": f"i{number % 50:06d}"})

    def _price(self, item: int) -> float:
        return int(self._world.cents[item]) / 100

    def _send(self, events: list[Event], begins: datetime) -> None:
        """Send the events of a day at its end; a few are sent twice, a few a day later."""
        was_late = {event["event_id"] for event in self._late}
        held = {
            event["event_id"]
            for event in events
            if self._random.random() < LATE and event["event_id"] not in was_late
        }
        now = [event for event in events if event["event_id"] not in held]
        twice = [event for event in now if self._random.random() < TWICE]
        self._late = [event for event in events if event["event_id"] in held]
        self._server.set(begins + timedelta(hours=23, minutes=50))
        self._post([*now, *twice])

    def finish(self, begins: datetime) -> None:
        """Send what is late."""
        self._server.set(begins)
        self._post(self._late)
        self._late = []

    def _post(self, events: list[Event]) -> None:
        for start in range(0, len(events), 100):
            part = events[start : start + 100]
            answer = self._server.client.post("/v1/events", json={"events": part})
            answer.raise_for_status()
            if answer.json()["accepted"] != len(part):
                raise InputError("The server refused an event.", "Read its answer.")
            self.lived.events |= {event["event_id"]: event for event in part}


def _event(kind: str, moment: datetime, facts: Event) -> Event:
    return {
        "event_id": uuid.uuid4().hex,
        "event_type": kind,
        "event_time": moment.isoformat(),
        **facts,
    }
