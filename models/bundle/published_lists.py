"""The lists that readers of files get: those of the run, as the curators wanted them when written.

Lists are asked for without a market and a category, so overrides of one do not count here. A server
with the same overrides answers the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from infra.ledger.overrides import read_overrides, standing
from infra.placements import HOME, PERSONAL, Placement, Placements
from infra.records.serving import Override
from infra.schemas import RECOMMENDATIONS
from infra.storage import Storage
from models.bundle.histories import Histories
from models.bundle.lists import Lists
from models.bundle.served_items import ServedItems
from models.merchandising.arrange import CANDIDATES, NO_SCORE, Arranged, Ranked, arrange
from models.merchandising.assortment import Assortment
from models.merchandising.scope import Scope, Stock, scope_of
from models.recommender import NONE, Recommender, UserIds
from models.recommenders.todays_model import TodaysModel

if TYPE_CHECKING:
    import pyarrow as pa

BLOCK = 10_000  # users that are scored at once


def overrides_at(storage: Storage, at: datetime) -> tuple[Override, ...]:
    """Return the overrides of all markets and categories that were known and in force at a time."""
    known = (rule for rule in standing(read_overrides(storage), at) if rule.at <= at)
    wide = (rule for rule in known if not rule.market and not rule.category)
    return tuple(rule for rule in wide if rule.in_force(at))


@dataclass(frozen=True)
class Publisher:
    """Arranges the rows of a run's lists.

    Attributes
    ----------
    model : Recommender
        It made the lists, and is asked for more where items are blocked or boosted.
    as_of : datetime
        End of the data that the lists were made of.
    overrides : tuple of Override
        As `overrides_at` gives them.
    """

    model: Recommender
    items: ServedItems
    placements: Placements
    histories: Histories
    lists: Lists
    as_of: datetime
    overrides: tuple[Override, ...]

    @property
    def concerned(self) -> list[str]:
        """The listed placements that an override changes."""
        return [
            name
            for name in self.placements.listed
            if any(rule.concerns(name) for rule in self.overrides)
        ]

    def fallback(self, bestsellers: list[int]) -> list[str]:
        """Return the list of everybody else: what sells best, by the overrides of `home`."""
        best = Ranked("bestseller", bestsellers, [NO_SCORE] * len(bestsellers))
        found = arrange([best], self._scope(HOME), self.placements.longest)
        return [str(self.items.ids[item]) for item in found.items]

    def arranged(self, rows: pa.Table) -> pa.Table:
        """Return the rows of one file, those of the concerned placements after the others."""
        import pyarrow as pa
        import pyarrow.compute as pc

        is_kept = pc.invert(pc.is_in(rows["placement"], value_set=pa.array(self.concerned)))
        parts = [rows.filter(is_kept)]
        for name in self.concerned:
            users = rows.filter(pc.equal(rows["placement"], name))["user_key"].to_pylist()
            made = [self._row(name, *pair) for pair in self._of_users(name, users)]
            parts.append(pa.Table.from_pylist(made, rows.schema))
        return pa.concat_tables(parts)

    def _row(self, placement: str, user: str, found: Arranged) -> dict[str, Any]:
        ids = self.items.ids[found.items].tolist()
        values = (placement, user, ids, _falling(found.scores))
        return dict(zip(RECOMMENDATIONS.columns, values, strict=True))

    def _of_users(self, name: str, users: list[str]) -> Iterator[tuple[str, Arranged]]:
        place, scope = self.placements.placements[name], self._scope(name)
        rank = self._personal if place.answers == PERSONAL else self._own
        for first in range(0, len(users), BLOCK):
            block = users[first : first + BLOCK]
            parts = rank(np.array(block, dtype=np.str_), place, scope)
            for user, ranked in zip(block, parts, strict=True):
                yield user, arrange(ranked, scope, place.length)

    def _personal(
        self, users: UserIds, place: Placement, scope: Scope
    ) -> Iterable[Iterable[Ranked]]:
        """Give the ready list of each user and, where that is too short, how the model goes on."""
        rule = place.rule
        rows = np.searchsorted(self.lists.users, np.char.encode(users, "utf-8"))
        ready, scores = self.lists.items[rule.name][rows], self.lists.scores[rule.name][rows]
        parts = [[_ranked(*row)] for row in zip(ready, scores, strict=True)]
        allowed = (ready != NONE) & scope.clear[ready]
        short = np.flatnonzero(bool(scope.boosted) | (allowed.sum(axis=1) < place.length))
        if short.size:
            seen = self.histories.left_out(users[short], rule, self.as_of)
            model = TodaysModel(self.model, self.items.ids, scope.clear)
            k = max(CANDIDATES, place.length)  # as a server asks
            more = model.recommend(users[short], k, exclude_seen=False, seen=seen)
            for row, user in enumerate(short):
                parts[user].append(_ranked(more.items[row], more.scores[row]))
        return parts

    def _own(self, users: UserIds, place: Placement, scope: Scope) -> Iterable[Iterable[Ranked]]:
        """Give each user's own items, without what the placement leaves out."""
        hidden = self.histories.left_out(users, place.rule, self.as_of)
        for row, user in enumerate(users):
            items, weights = self.histories.of(str(user)).own(place.answers)
            is_kept = ~np.isin(items, hidden[row].indices)
            yield [_ranked(items[is_kept], weights[is_kept])]

    def _scope(self, placement: str) -> Scope:
        return scope_of(self._assortment, Stock(), self.overrides, placement)

    @cached_property
    def _assortment(self) -> Assortment:
        items = self.items
        shown, words = (items.recommendable, items.has_picture), (items.categories, items.markets)
        return Assortment(items.ids, *shown, *words)


def _ranked(items: Any, scores: Any) -> Ranked:
    is_there = items != NONE
    return Ranked(PERSONAL, items[is_there].tolist(), scores[is_there].tolist())


def _falling(scores: list[float]) -> list[float]:
    """Give the places of an arranged list its scores in falling order: only that means anything."""
    return sorted(scores, reverse=True)


def write_published(publisher: Publisher, source: Path, target: Path) -> None:
    """Write the files of a run's lists, arranged; Spark leaves checksums and markers beside them.

    Parameters
    ----------
    source, target : Path
        Folders; the second one is made.
    """
    import pyarrow.parquet as pq

    target.mkdir()
    for number, file in enumerate(sorted(source.glob("*.parquet"))):
        to = target / f"part-{number:05d}.parquet"
        if publisher.concerned:
            rows = publisher.arranged(pq.read_table(file, partitioning=None))
            pq.write_table(rows, to, compression="zstd")
        else:
            to.write_bytes(file.read_bytes())
