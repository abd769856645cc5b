"""Says why each item of an answer is there: the customer's own item that led to it."""

from __future__ import annotations

from models.merchandising.arrange import Arranged
from models.recommender import NONE
from models.recommenders.capabilities import in_words
from models.serving.engine.asked import Asked
from models.serving.question import Reason

NO_REASON = Reason()


def reasons_of(asked: Asked, found: Arranged) -> list[Reason]:
    """Return a reason for each place, an empty one where nobody knows."""
    causes = _of_model(asked, found, "personal", [])
    causes |= _of_model(asked, found, "session", asked.items_of_session)
    for item, source in zip(found.items, found.sources, strict=True):
        if source == "similar":
            causes[item] = asked.items[0]
        elif source == "again" or (source == "personal" and asked.shows_own(item)):
            causes[item] = item
    return [_reason(asked, causes.get(item, NONE)) for item in found.items]


def _of_model(asked: Asked, found: Arranged, source: str, session: list[int]) -> dict[int, int]:
    """Ask the model which item led to each one of a source."""
    chosen = [item for item, of in zip(found.items, found.sources, strict=True) if of == source]
    if not chosen:
        return {}
    causes = asked.version.scorer.causes(chosen, asked.key, session)
    return dict(zip(chosen, causes, strict=True))


def _reason(asked: Asked, cause: int) -> Reason:
    if cause == NONE:
        return NO_REASON
    items = asked.version.items
    item_id, title = str(items.ids[cause]), str(items.titles[cause])
    bought = asked.history.has_bought(cause)
    return Reason(
        in_words(title or item_id, bought=bought), item_id, "bought" if bought else "looked at"
    )
