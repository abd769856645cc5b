"""Types between the page What customers see and whoever answers for it; and who looked."""

from __future__ import annotations

from typing import Literal, Protocol

from pydantic import AwareDatetime

from infra.records.serving import Name, Number
from infra.rules import Strict

Who = Literal["", "user", "visitor", "key"]


class ListQuestion(Strict):
    """Whose list is asked for, or beside which items; keys, never raw ids.

    Attributes
    ----------
    user_key, visitor_key : str
        "" for nobody: a stranger.
    item_ids : tuple of str
        The item of a product page, or what lies in the cart.
    market, category : str
        "" for all of them.
    """

    placement: str
    user_key: str = ""
    visitor_key: str = ""
    item_ids: tuple[str, ...] = ()
    market: str = ""
    category: str = ""


class ItemOnShow(Strict):
    """An item of a list, at its position from 1; "" is what the catalogue or the model lacks."""

    item_id: str
    position: int
    title: str = ""
    url: str = ""
    picture_url: str = ""
    source: str
    reason: str = ""


class ListOnShow(Strict):
    """What a version answers now; `refused` says why it answers nothing."""

    version: str
    items: tuple[ItemOnShow, ...] = ()
    applied_rules: tuple[str, ...] = ()
    knows_person: bool = False
    refused: str = ""


class ShowsLists(Protocol):
    """Answers as the server does, from any version that is published."""

    def placements(self, version: str) -> tuple[str, ...]:
        """Return the placements of a version; raises `CatwalkError` where it cannot be opened."""

    def show(self, version: str, question: ListQuestion) -> ListOnShow:
        """Answer from a version; raises `CatwalkError` where it cannot be opened."""


class Look(Strict):
    """Who looked at the lists of a person, written before they were shown; without the raw id.

    Attributes
    ----------
    by : str
        The user of Airflow.
    about : str
        How the person was named: by a user id, a visitor id, or a key.
    key_begins : str
        The first eight digits of the key: enough to check a suspicion.
    """

    number: Number = 0
    at: AwareDatetime
    by: Name
    about: Who
    key_begins: str
    placement: str
    versions: tuple[str, ...]
