"""The routes of a worker: each takes bytes and gives bytes, on the event loop.

The route for recommendations is the hot path: no dependencies, no threads, no models of pydantic.
"""

from __future__ import annotations

import asyncio
import uuid
from http import HTTPStatus
from time import perf_counter
from typing import Generic, TypeVar

import msgspec
from starlette.requests import Request

from infra.errors import InputError, StorageError
from infra.ids import IdForm, clean_id, clean_ids, person_id
from infra.person_keys import PersonKeys
from models.serving.answering import answer
from models.serving.api import wire
from models.serving.api.answers import Bytes
from models.serving.api.guard import BODY, TOKEN
from models.serving.api.problems import ProblemError, too_many, unreadable
from models.serving.clock import Clock, utc_now
from models.serving.following.state import State
from models.serving.logs.event_files import event_lines
from models.serving.logs.group_commit import FullError, GroupCommit
from models.serving.logs.served_log import ServedLine, ServedLog
from models.serving.metrics import Metrics
from models.serving.question import Answer, Question
from models.serving.version import Version

COMMIT_SECONDS = 10.0
# A source says what its ids are, and a question does not name one: an unknown id matches nothing.
_ANY: IdForm = "text"
StockItem = tuple[str, dict[str, bool]]  # whose token, and what it says
_encode = msgspec.json.Encoder().encode
_NO_VERSION = ProblemError(
    HTTPStatus.SERVICE_UNAVAILABLE,
    "No version answers here yet.",
    "Publish one; /health/ready says when it answers.",
    {b"retry-after": b"5"},
)
_NO_RULES = ProblemError(
    HTTPStatus.SERVICE_UNAVAILABLE,
    "It is not known here yet what is blocked and what is sold out.",
    "Try again; the log of the server says why it cannot read that.",
    {b"retry-after": b"5"},
)
_NO_PLACEMENT = ProblemError(
    HTTPStatus.NOT_FOUND,
    "There is no placement of this name.",
    "GET /v1/placements lists those there are.",
)
_NO_ITEM = ProblemError(
    HTTPStatus.UNPROCESSABLE_ENTITY,
    "This placement is about an item, and the question names none.",
    "Send `item_ids` with the item of the page.",
)


_T = TypeVar("_T")
Shape = TypeVar("Shape", bound=msgspec.Struct)


class Reader(Generic[Shape]):
    """Reads bodies of one shape."""

    def __init__(self, shape: type[Shape]) -> None:
        self._decode = msgspec.json.Decoder(shape).decode
        self._known = ", ".join(field.name for field in msgspec.structs.fields(shape))

    def read(self, request: Request) -> Shape:
        """Return what the body says; raise `ProblemError` if it is not of the shape."""
        try:
            return self._decode(request.scope[BODY])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise unreadable(error, self._known) from None


_ASK, _EVENTS, _STOCK = Reader(wire.Ask), Reader(wire.Events), Reader(wire.StockNews)


class Routes:
    """The routes of one worker.

    Parameters
    ----------
    state : State
        What is followed; replaced part by part between two requests.
    keys : PersonKeys
    served : ServedLog
    events : GroupCommit of bytes
        Takes the lines of events.
    stock : GroupCommit of StockItem
        Takes what a token says of the stock.
    event_secret : bytes
        For the ids of events that bring none.
    metrics : Metrics
    now : Clock
    """

    def __init__(
        self,
        state: State,
        keys: PersonKeys,
        served: ServedLog,
        events: GroupCommit[bytes],
        stock: GroupCommit[StockItem],
        event_secret: bytes,
        metrics: Metrics,
        now: Clock = utc_now,
    ) -> None:
        self._now = now
        self._state, self._keys, self._served, self._metrics = state, keys, served, metrics
        self._events, self._stock, self._event_secret = events, stock, event_secret

    async def recommend(self, request: Request) -> Bytes:
        """Answer what to show in a placement, and note what was answered."""
        began, live, rules = perf_counter(), _answering(self._state), self._state.rules
        if rules is None:
            raise _NO_RULES
        ask = _ASK.read(request)
        question = self._question(request.path_params["placement"], ask)
        chosen = self._state.choose(
            live, question.placement, question.user_key, question.visitor_key
        )
        place = chosen.version.placements.placements.get(question.placement)
        if place is None:
            raise _NO_PLACEMENT
        if place.answers == "similar" and not ask.item_ids:
            raise _NO_ITEM
        now = self._now()
        try:
            given = answer(chosen.version, rules, question, now)
        except InputError as error:
            raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, error.fact, error.cure) from None
        asked, items = question.k or place.length, _items(given)
        self._metrics.answered(question.placement, given.sources, asked)
        line = ServedLine(
            request_id=str(uuid.uuid4()),
            at=now,
            process=self._served.process,
            sequence=self._served.next_number(),
            placement=question.placement,
            version=given.version,
            ms=round(1000 * (perf_counter() - began), 3),
            items=items,
            applied_rules=given.applied_rules,
            user_key=question.user_key,
            visitor_key=question.visitor_key,
            market=question.market,
            category=question.category,
            asked=asked,
            test=chosen.test,
            phase=chosen.phase,
            arm=chosen.arm,
        )
        self._served.note(line)
        return Bytes(_encode(_shown(line, given)))

    def _question(self, placement: str, ask: wire.Ask) -> Question:
        return Question(
            placement=placement,
            user_key=self._keys.of_user(person_id(ask.user_id, _ANY)),
            visitor_key=self._keys.of_visitor(person_id(ask.visitor_id, _ANY)),
            item_ids=clean_ids(ask.item_ids, _ANY),
            session_items=clean_ids(ask.session_items, _ANY),
            market=ask.market,
            category=ask.category,
            k=0 if ask.k is msgspec.UNSET else ask.k,
            exclude=clean_ids(ask.exclude, _ANY),
            explain=ask.explain,
        )

    async def take_events(self, request: Request) -> Bytes:
        """Write events to the disk, then say which are accepted."""
        events = _EVENTS.read(request)
        lines, refused = event_lines(events, self._event_secret, self._now())
        accepted = len(events.events) - len(refused)
        if lines:
            await _committed(self._events, lines, "The events could not be written.")
        self._metrics.events.labels("accepted").inc(accepted)
        self._metrics.events.labels("refused").inc(len(refused))
        return Bytes(_encode(wire.Accepted(accepted, refused)), status=HTTPStatus.ACCEPTED)

    async def change_stock(self, request: Request) -> Bytes:
        """Write what is in stock where all servers read it."""
        items = _STOCK.read(request).items
        news = {id_: item.in_stock for item in items if (id_ := clean_id(item.item_id, _ANY))}
        name = request.scope[TOKEN].name
        await _committed(self._stock, (name, news), "The stock could not be written.")
        return Bytes(_encode(wire.StockTaken(len(news))))

    async def live(self, request: Request) -> Bytes:
        """Tell which version answers, since when it is live, and its card."""
        version, pointer = _answering(self._state), self._state.pointer
        since = pointer.at if pointer else version.as_of
        card = msgspec.Raw(_encode(version.card))
        return Bytes(_encode(wire.Live(version.name, since, card)))

    async def placements(self, request: Request) -> Bytes:
        """List the placements of the version that answers."""
        placements = _answering(self._state).placements.placements
        told = [
            wire.PlacementFacts(name, place.answers, place.length, place.within == "category")
            for name, place in placements.items()
        ]
        return Bytes(_encode(wire.PlacementList(told)))

    async def is_alive(self, request: Request) -> Bytes:
        """Tell that the process answers."""
        return self._health(HTTPStatus.OK)

    async def is_ready(self, request: Request) -> Bytes:
        """Tell whether questions are answered."""
        ready = self._state.is_ready
        return self._health(HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE)

    def _health(self, status: HTTPStatus) -> Bytes:
        state = self._state
        health = wire.Health(
            status="ok" if state.is_ready else "not ready",
            version=state.version.name if state.version else "",
            behind_s=round(state.behind, 1),
            refused=state.refused,
        )
        return Bytes(_encode(health), status=status)

    async def show_metrics(self, request: Request) -> Bytes:
        """Give Prometheus what it reads; files of all workers are read in a thread."""
        self._metrics.add_up()
        content = await asyncio.get_running_loop().run_in_executor(None, self._metrics.page)
        return Bytes(content, b"text/plain; version=0.0.4; charset=utf-8")


def _answering(state: State) -> Version:
    if state.version is None:
        raise _NO_VERSION
    return state.version


def _items(given: Answer) -> list[wire.ShownItem]:
    rows = zip(given.item_ids, given.scores, given.sources, strict=True)
    return [
        wire.ShownItem(item_id, position, score, source)  # type: ignore[arg-type] # the engine's words
        for position, (item_id, score, source) in enumerate(rows, 1)
    ]


def _shown(line: ServedLine, given: Answer) -> wire.Shown:
    """Return the answer that a line of the served log tells of."""
    return wire.Shown(
        line.request_id,
        line.placement,
        line.version,
        line.applied_rules,
        line.items if given.reasons is None else _with_reasons(line.items, given),
        line.test,
        line.arm,
    )


def _with_reasons(items: list[wire.ShownItem], given: Answer) -> list[wire.ShownItem]:
    return [
        msgspec.structs.replace(
            item, reason=wire.ItemReason(reason.words, reason.item_id, reason.event)
        )
        for item, reason in zip(items, given.reasons or (), strict=True)
    ]


async def _committed(commit: GroupCommit[_T], item: _T, fact: str) -> None:
    """Return when an item is written; raise `ProblemError` if it is not."""
    try:
        async with asyncio.timeout(COMMIT_SECONDS):
            await commit.add(item)
    except FullError:
        raise too_many("More is to be written than can wait.") from None
    except (OSError, StorageError, TimeoutError):
        cure = "Send it again; /metrics and the log say why."
        raise ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, fact, cure) from None
