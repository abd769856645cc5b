"""Answers for the page What customers see: as the server does, from any published version.

The page names this by `CATWALK_SHOW_LISTS_BY`. A version is unpacked by a process of its own, as
for the server, and lies in the same place; its arrays are mapped, so few bytes are read of it.
"""

from __future__ import annotations

from collections import OrderedDict
from datetime import UTC, datetime
from threading import Lock

from infra.errors import InputError
from infra.ledger.ended_records import Known
from infra.ledger.overrides import read_overrides, standing
from infra.ledger.stock import NOTHING, read_stock
from infra.records.serving import Override
from infra.records.shown_lists import ItemOnShow, ListOnShow, ListQuestion
from infra.storage import Storage
from models.merchandising.shop_rules import ShopRules
from models.recommender import NONE
from models.serving.answering import answer
from models.serving.following.opening import unpack
from models.serving.home import unpacked
from models.serving.own_keys import require_own_keys
from models.serving.question import Answer, Question, Reason
from models.serving.version import Version

MOST_OPEN = 4  # versions: what is live, the one before, two arms


class ListsOnShow:
    """Opens versions when they are asked for, and remembers the last few; for many threads."""

    def __init__(self, storage: Storage) -> None:
        self._storage, self._lock = storage, Lock()
        self._open: OrderedDict[str, Version] = OrderedDict()
        self._overrides: Known[Override] | None = None
        self._stock = NOTHING

    def placements(self, version: str) -> tuple[str, ...]:
        """Return the placements of a version.

        Raises
        ------
        CatwalkError
            It is not published, was changed, or has the keys of another secret.
        """
        with self._lock:
            return tuple(self._opened(version).placements.placements)

    def show(self, version: str, question: ListQuestion) -> ListOnShow:
        """Answer from a version, by the overrides and the stock that count now.

        Raises
        ------
        CatwalkError
            As `placements`, or the rules of the shop cannot be read.
        """
        asked = Question(**question.model_dump(), explain=True)
        with self._lock:
            opened, now = self._opened(version), datetime.now(UTC)
            knows = any(
                opened.lists.row(key) != NONE for key in (asked.user_key, asked.visitor_key) if key
            )
            try:
                given = answer(opened, self._rules(now), asked, now)
            except InputError as error:
                return ListOnShow(version=version, knows_person=knows, refused=error.fact)
        return ListOnShow(
            version=version,
            items=tuple(_items(opened, given)),
            applied_rules=tuple(given.applied_rules),
            knows_person=knows,
        )

    def _opened(self, version: str) -> Version:
        if version not in self._open:
            unpack(self._storage, version)
            folder = unpacked(self._storage.settings, version)
            require_own_keys(folder, self._storage.settings)
            self._open[version] = Version.open(folder)
        self._open.move_to_end(version)
        while len(self._open) > MOST_OPEN:
            self._open.popitem(last=False)
        return self._open[version]

    def _rules(self, now: datetime) -> ShopRules:
        self._overrides = read_overrides(self._storage, self._overrides)
        self._stock = read_stock(self._storage, self._stock)
        return ShopRules(standing(self._overrides, now), self._stock.in_stock)


def _items(version: Version, given: Answer) -> list[ItemOnShow]:
    items = version.items
    reasons = given.reasons or [Reason()] * len(given.item_ids)
    rows = version.assortment.known(given.item_ids)
    return [
        ItemOnShow(
            item_id=item_id,
            position=position,
            title=str(items.titles[row]),
            url=str(items.urls[row]),
            picture_url=str(items.picture_urls[row]),
            source=source,
            reason=reason.words,
        )
        for position, (item_id, row, source, reason) in enumerate(
            zip(given.item_ids, rows, given.sources, reasons, strict=True), 1
        )
    ]
