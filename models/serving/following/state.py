"""What a worker answers by at this moment; each part is replaced as a whole, between requests."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from infra.records.release import PublishRecord
from models.merchandising.shop_rules import ShopRules
from models.serving.api.guard import TokenBook
from models.serving.version import Version


@dataclass
class State:
    """The parts; threads set them, and a request reads each once.

    Attributes
    ----------
    rules : ShopRules or None
        None before what may be shown is known; until then nothing is answered.
    version, pointer : Version or None, PublishRecord or None
        What answers, and since when it is live; None before the first.
    refused : str
        The newest version, if it was tried and does not answer; else "".
    looked : float
        When the live pointer was last read, by the monotonic clock.
    """

    tokens: TokenBook = field(default_factory=TokenBook)
    rules: ShopRules | None = None
    version: Version | None = None
    pointer: PublishRecord | None = None
    refused: str = ""
    looked: float = field(default_factory=time.monotonic)

    @property
    def is_ready(self) -> bool:
        """Whether questions are answered."""
        return self.version is not None and self.rules is not None

    @property
    def behind(self) -> float:
        """Seconds since the live pointer was last read."""
        return time.monotonic() - self.looked
