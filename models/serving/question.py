"""What a placement asks, and what it is answered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

SOURCES = ("personal", "session", "similar", "again", "bestseller", "pinned")
Event: TypeAlias = Literal["", "bought", "looked at"]


@dataclass(frozen=True, slots=True)
class Question:
    """What to show to whom; ids of people are keys already, and the caller bounds all lengths.

    Attributes
    ----------
    placement : str
        A name of the version's placements.
    user_key, visitor_key : str
        The user's is looked up first; "" for nobody.
    item_ids : tuple of str
        The item of the product page, or all that lies in the cart.
    session_items : tuple of str
        What this visit was about, for strangers.
    market, category : str
        The scope, which the answer never leaves; "" for everything.
    k : int
        How many items; 0 for the length of the placement.
    exclude : tuple of str
        Items that are not wanted.
    explain : bool
        Whether to give reasons.
    """

    placement: str
    user_key: str = ""
    visitor_key: str = ""
    item_ids: tuple[str, ...] = ()
    session_items: tuple[str, ...] = ()
    market: str = ""
    category: str = ""
    k: int = 0
    exclude: tuple[str, ...] = ()
    explain: bool = False


@dataclass(frozen=True, slots=True)
class Reason:
    """Why an item is shown: in words, and as the item and the event; all "" where nobody knows."""

    words: str = ""
    item_id: str = ""
    event: Event = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """A list, best first.

    Attributes
    ----------
    version : str
    item_ids : list of str
    scores : list of float
        As the source of the place gives them: only scores of one source can be compared.
    sources : list of str
        Where each item comes from, see `SOURCES`.
    applied_rules : list of str
        The rules of the shop that changed the list, such as `block:12`, `stock`, `scope`.
    reasons : list of Reason or None
        None unless the question asks for them.
    """

    version: str
    item_ids: list[str]
    scores: list[float]
    sources: list[str]
    applied_rules: list[str]
    reasons: list[Reason] | None = None
