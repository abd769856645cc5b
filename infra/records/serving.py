"""Records that steer what is served: overrides of curators, changes of the stock, tokens.

All lie in the published folder, numbered and written once, so that every server reads the same.
A number of 0 means not written yet: the ledger gives the number.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, Field, model_validator

from infra.rules import Strict

Action = Literal["pin", "boost", "block"]
Role = Literal["recommend", "events", "stock", "admin"]
MOST_ITEMS = 100  # of one override
Number = Annotated[int, Field(ge=0)]
ItemId = Annotated[str, Field(min_length=1, max_length=200)]
Scope = Annotated[str, Field(max_length=200)]
Words = Annotated[str, Field(min_length=1, max_length=1000)]
Name = Annotated[str, Field(min_length=1, max_length=255)]


class Override(Strict):
    """What a curator wants to be shown, or not, in a scope and for a time.

    Attributes
    ----------
    by : str
        The author.
    run : str
        The run of the form that wrote it, which writes it once however often it runs.
    placement, market, category : str
        The scope: the questions that it is about; empty means all. See `concerns`.
    item_ids : tuple of str
        Pinned and boosted in this order.
    place : int or None
        Of a pin: the place of the first item, from 1; the others follow it.
    since, until : datetime
        In force from `since` on, and no longer at `until`.
    """

    number: Number = 0
    at: AwareDatetime
    by: Name
    run: str = ""
    action: Action
    placement: Scope = ""
    market: Scope = ""
    category: Scope = ""
    item_ids: tuple[ItemId, ...] = Field(min_length=1, max_length=MOST_ITEMS)
    place: int | None = Field(None, ge=1, le=1000)
    since: AwareDatetime
    until: AwareDatetime
    reason: Words

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if (self.action == "pin") != (self.place is not None):
            raise ValueError("a pin needs a 'place', such as 1, and nothing else has one")
        if len(set(self.item_ids)) != len(self.item_ids):
            raise ValueError("an item is named twice")
        if self.until <= self.since:
            raise ValueError("'until' must be later than 'since'")
        return self

    def concerns(self, placement: str, market: str = "", category: str = "") -> bool:
        """Tell whether a question of this placement, market and category obeys it."""
        mine, asked = (self.placement, self.market, self.category), (placement, market, category)
        return all(own in ("", word) for own, word in zip(mine, asked, strict=True))

    def is_over(self, now: datetime) -> bool:
        """Tell whether it has ended for good."""
        return self.until <= now

    def in_force(self, now: datetime) -> bool:
        """Tell whether it counts at a time."""
        return self.since <= now < self.until


class Ending(Strict):
    """An override or a token that a person ends early, by its number in the same folder."""

    number: Number = 0
    at: AwareDatetime
    by: Name
    run: str = ""
    ends: int = Field(ge=1)
    reason: Words


class StockChange(Strict):
    """Which items came into stock, and which are sold out.

    Attributes
    ----------
    by : str
        The name of the token, or of the file that said so.
    in_stock : dict of str to bool
        By item; items that are not named stay as they are.
    whole : bool
        It says all that is known, so nobody needs the records before it.
    """

    number: Number = 0
    at: AwareDatetime
    by: Name
    in_stock: dict[str, bool]
    whole: bool = False


class Token(Strict):
    """A token by its hash: who may ask the server what.

    Attributes
    ----------
    name : str
        Whose it is; people choose it, and logs may hold it.
    sha256 : str
        Of the token itself, in hex. A token is random and long, so no salt is needed.
    """

    number: Number = 0
    at: AwareDatetime
    by: Name
    name: str = Field(pattern=r"^[a-z][a-z0-9_-]{0,39}$")
    roles: tuple[Role, ...] = Field(min_length=1)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
