"""What curators and the stock say now, as one snapshot that nobody changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from infra.records.serving import Override


@dataclass(frozen=True)
class ShopRules:
    """The rules of the shop; a change makes another snapshot.

    Attributes
    ----------
    overrides : tuple of Override
        Those in force and those to come, in the order of their numbers.
    in_stock : mapping of str to bool
        By item; of an item that is not named, the version says whether it is in stock.
    """

    overrides: tuple[Override, ...] = ()
    in_stock: Mapping[str, bool] = field(default_factory=dict)

    def in_force(self, now: datetime) -> tuple[Override, ...]:
        """Return the overrides that count at a time."""
        return tuple(override for override in self.overrides if override.in_force(now))

    def next_change(self, now: datetime) -> datetime:
        """Return when an override begins or ends next; the end of time if none does."""
        times = [time for rule in self.overrides for time in (rule.since, rule.until)]
        return min(
            (time for time in times if time > now), default=datetime.max.replace(tzinfo=now.tzinfo)
        )


NO_RULES = ShopRules()
