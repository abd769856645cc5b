"""Puts a list in the order of the shop's rules: block, stock and picture, pin, boost, fill.

The server asks it for every answer, and the bundle for its published lists, so both are alike.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from models.merchandising.scope import Scope

CANDIDATES = 100  # how many of the first items a boost may move to the front
PINNED, NO_SCORE = "pinned", 0.0


@dataclass(frozen=True, slots=True)
class Ranked:
    """Some candidates of one source, best first, none twice: positions, -1 nowhere, and scores."""

    source: str
    items: list[int]
    scores: list[float]


@dataclass(slots=True)
class Arranged:
    """A list: positions, scores and sources of its places, and the rules that changed it."""

    items: list[int] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)
    rules: set[str] = field(default_factory=set)

    def put(self, place: int, item: int, score: float, source: str) -> None:
        """Put an item at a place, counted from 0, or at the end of a shorter list."""
        self.items.insert(place, item)
        self.scores.insert(place, score)
        self.sources.insert(place, source)


def arrange(
    parts: Iterable[Ranked], scope: Scope, k: int, excluded: Collection[int] = ()
) -> Arranged:
    """Return the first k items that a scope allows.

    Parameters
    ----------
    parts : iterable of Ranked
        Candidates, the best source first; the next part is asked for only while places are empty.
        Those that a scope does not allow may be among them.
    excluded : collection of int
        What is never shown here, not even pinned.
    """
    wanted = max(k, CANDIDATES) if scope.boosted else k
    found = _allowed(parts, scope, wanted, excluded)
    if scope.boosted:
        found = _boosted(found, scope.boosted)
    if scope.pins:
        _pin(found, scope, k, excluded)
    del found.items[k:], found.scores[k:], found.sources[k:]
    return found


def _allowed(
    parts: Iterable[Ranked], scope: Scope, wanted: int, excluded: Collection[int]
) -> Arranged:
    found, taken = Arranged(), set(excluded)
    for part in parts:
        room = wanted - len(found.items)
        if taken or scope.hides or not scope.open[part.items].all():
            part = _shown(part, scope, taken, room, found.rules)
        found.items += part.items[:room]
        found.scores += part.scores[:room]
        found.sources += [part.source] * len(part.items[:room])
        if len(found.items) == wanted:
            break
        taken.update(part.items)
    return found


def _shown(
    part: Ranked, scope: Scope, taken: Collection[int], most: int, rules: set[str]
) -> Ranked:
    """Return the first of a part that may be shown, and name the rules that hide others."""
    blocked, sold_out, open_ = scope.blocked or {}, scope.sold_out, scope.open
    kept = dict[int, float]()
    for item, score in zip(part.items, part.scores, strict=True):
        if item in taken or item in kept:
            continue
        if item in blocked:
            rules.add(blocked[item])
        elif item in sold_out:
            rules.add("stock")
        elif not open_[item]:
            rules.add("scope")
        else:
            kept[item] = score
            if len(kept) == most:
                break
    return Ranked(part.source, list(kept), list(kept.values()))


def _boosted(found: Arranged, boosted: Mapping[int, str]) -> Arranged:
    """Move boosted items to the front; both kinds keep their order."""
    places = range(len(found.items))
    first = [place for place in places if found.items[place] in boosted]
    order = first + [place for place in places if found.items[place] not in boosted]
    moved = [found.items[before] for place, before in enumerate(first) if place != before]
    return Arranged(
        [found.items[place] for place in order],
        [found.scores[place] for place in order],
        [found.sources[place] for place in order],
        found.rules | {boosted[item] for item in moved},
    )


def _pin(found: Arranged, scope: Scope, k: int, excluded: Collection[int]) -> None:
    """Put the pinned items at their places, the first place first."""
    placed: dict[int, tuple[int, str]] = {}
    pinned: set[int] = set()
    for pin in scope.pins:
        if pin.item in pinned or pin.item in excluded or not scope.clear[pin.item]:
            continue
        place = pin.place
        while place in placed:
            place += 1
        if place < k:
            placed[place] = (pin.item, pin.rule)
            pinned.add(pin.item)
    for item in pinned & set(found.items):
        place = found.items.index(item)
        del found.items[place], found.scores[place], found.sources[place]
    for place in sorted(placed):
        item, rule = placed[place]
        found.put(place, item, NO_SCORE, PINNED)
        found.rules.add(rule)
