"""Answers a question from a version: who gets what, and what fills a list that is too short.

| placement answers | first | then |
|---|---|---|
| personal | the customer's ready list, then the model; strangers: their session | |
| similar | what is like the item | personal |
| together | what is like all that lies in the cart | personal |
| again, looked_at | the customer's own history | personal |

In the end every list is filled by the session, and by what sells best in the scope.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

from models.merchandising.arrange import NO_SCORE, Ranked, arrange
from models.merchandising.assortment import Flags
from models.merchandising.shop_rules import ShopRules
from models.serving.engine.asked import Asked, understood
from models.serving.engine.reasons import reasons_of
from models.serving.question import Answer, Question
from models.serving.version import Version


def answer(version: Version, rules: ShopRules, question: Question, now: datetime) -> Answer:
    """Answer a question.

    Raises
    ------
    InputError
        The version has no such placement, or the placement needs a category.
    """
    asked = understood(version, rules, question, now)
    found = arrange(_parts(asked), asked.frame.scope, asked.k, asked.excluded)
    ids = version.items.ids
    return Answer(
        version=version.name,
        item_ids=ids[found.items].tolist(),
        scores=found.scores,
        sources=found.sources,
        applied_rules=sorted(found.rules),
        reasons=reasons_of(asked, found) if question.explain else None,
    )


def _parts(asked: Asked) -> Iterator[Ranked]:
    """Give candidates, the best source first; a part is made only while places are empty."""
    yield from _FIRST[asked.place.answers](asked)
    if asked.key and asked.place.answers != "personal":
        yield from _personal(asked)
    yield from _alike(asked, "session", asked.visit, asked.left_out)
    yield from _bestsellers(asked)


def _personal(asked: Asked) -> Iterator[Ranked]:
    """Give the ready list, which is what was judged, and then what the model answers now."""
    if not asked.key:
        return
    ready = asked.version.lists.of(asked.row, asked.place.rule)
    if ready and not asked.place.within:
        items, scores = ready
        own = asked.version.scorer.own_places(asked.key, scores)
        yield Ranked("personal", items[:own], scores[:own])
        yield Ranked("bestseller", items[own:], scores[own:])
    for mask in _masks(asked):
        without = [*asked.left_out, *asked.excluded]
        live = asked.version.scorer.of_user(asked.key, asked.candidates, mask, without)
        if live:
            yield live


def _similar(asked: Asked) -> Iterator[Ranked]:
    yield from _alike(asked, "similar", asked.items[:1], [])


def _together(asked: Asked) -> Iterator[Ranked]:
    yield from _alike(asked, "session", asked.items, [])


def _again(asked: Asked) -> Iterator[Ranked]:
    yield _own(asked, "again")


def _looked_at(asked: Asked) -> Iterator[Ranked]:
    yield _own(asked, "personal")


_FIRST: dict[str, Callable[[Asked], Iterator[Ranked]]] = {
    "personal": _personal,
    "similar": _similar,
    "together": _together,
    "again": _again,
    "looked_at": _looked_at,
}


def _own(asked: Asked, source: str) -> Ranked:
    """Return what the customer bought, or only looked at, without what is left out."""
    own = asked.history.own(asked.place.answers)
    items, scores = own[0].tolist(), own[1].tolist()
    left_out = set(asked.left_out)
    kept = [place for place, item in enumerate(items) if item not in left_out]
    return Ranked(source, [items[place] for place in kept], [scores[place] for place in kept])


def _alike(asked: Asked, source: str, items: list[int], without: list[int]) -> Iterator[Ranked]:
    """Give what is like some items, without them and without others."""
    for mask in _masks(asked) if items else ():
        hidden = [*without, *asked.excluded]
        live = asked.version.scorer.of_items(source, items, asked.candidates, mask, hidden)
        if live:
            yield live


def _masks(asked: Asked) -> Iterator[Flags]:
    """Give what may be a candidate, and if too few of those may be shown, what may be shown."""
    yield asked.frame.open
    if not asked.frame.is_clear:
        yield asked.frame.clear


def _bestsellers(asked: Asked) -> Iterator[Ranked]:
    left_out = set(asked.left_out)
    for items in asked.frame.bestsellers:
        kept = [item for item in items if item not in left_out] if left_out else items
        yield Ranked("bestseller", kept, [NO_SCORE] * len(kept))
