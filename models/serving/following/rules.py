"""Follows who may ask, what curators want, and what is in stock."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime

from infra.ledger.ended_records import Known
from infra.ledger.overrides import read_overrides, standing
from infra.ledger.stock import NOTHING, Stock, read_stock
from infra.ledger.tokens import read_tokens, valid_tokens
from infra.places import OVERRIDES, STOCK, TOKENS
from infra.records.serving import Override, Token
from infra.storage import Storage
from models.merchandising.shop_rules import ShopRules
from models.serving.api.guard import TokenBook
from models.serving.following.looks import Looks, require_records
from models.serving.following.remembered import Remembered
from models.serving.following.state import State
from models.serving.following.stock_files import StockFiles
from models.serving.metrics import Metrics

EVERY_SECONDS = 1.0  # a file of the stock counts after two looks
STOCK_KEPT_SECONDS = 10.0  # it may be large


class RulesFollower:
    """Reads what is new, and lets the worker obey it from the next request on."""

    def __init__(
        self, storage: Storage, state: State, kept: Remembered, files: StockFiles, metrics: Metrics
    ) -> None:
        self._storage, self._state, self._kept, self._files = storage, state, kept, files
        self._looks = Looks(metrics)
        self._tokens: Known[Token] | None = None
        self._overrides: Known[Override] | None = None
        self._stock, self._is_kept, self._keep_again = NOTHING, True, 0.0
        self._wanted = kept.overrides()
        self._in_stock: Mapping[str, bool] | None = kept.in_stock()
        state.tokens = TokenBook(kept.tokens())
        self._obey()

    @property
    def stock(self) -> Stock:
        """What is known of the stock; raises `StorageError` where it was known and is not there."""
        require_records(self._stock.last, self._in_stock, STOCK)
        return self._stock

    def look(self) -> None:
        """Look once at all records; what fails stays as it was."""
        self._looks.take(TOKENS, self._look_at_tokens)
        self._looks.take(OVERRIDES, self._look_at_overrides)
        self._looks.take(STOCK, self._look_at_stock)

    def look_at_files(self) -> None:
        """Look once at the files of the stock feed; a thread of its own, as landing may hang."""
        self._looks.take("stock files", self._look_at_stock_files)

    def _look_at_tokens(self) -> None:
        known = read_tokens(self._storage, self._tokens)
        if known is self._tokens:
            return
        require_records(known.last, self._kept.tokens(), TOKENS)
        self._tokens, valid = known, valid_tokens(known)
        self._state.tokens = TokenBook(valid)
        self._kept.keep_tokens(valid)

    def _look_at_overrides(self) -> None:
        known = read_overrides(self._storage, self._overrides)
        if known is self._overrides:
            return
        require_records(known.last, self._kept.overrides(), OVERRIDES)
        self._overrides, self._wanted = known, standing(known, datetime.now(UTC))
        self._obey()
        self._kept.keep_overrides(self._wanted)

    def _look_at_stock_files(self) -> None:
        self._files.take(self.stock, datetime.now(UTC))

    def _look_at_stock(self) -> None:
        stock = read_stock(self._storage, self._stock)
        if stock is not self._stock or self._in_stock is None:
            self._stock, self._in_stock = stock, stock.in_stock
            self._obey()
            self._is_kept = False
        if not self._is_kept and time.monotonic() >= self._keep_again:
            self._kept.keep_stock(stock.in_stock)
            self._is_kept, self._keep_again = True, time.monotonic() + STOCK_KEPT_SECONDS

    def _obey(self) -> None:
        """Let the rules count from the next request on, which does not wait for looking them up.

        While one of them was never read nobody knows what may be shown, and nothing is answered.
        """
        if self._wanted is None or self._in_stock is None:
            return
        rules = ShopRules(self._wanted, self._in_stock)
        for version in self._state.versions():
            version.frames.prepare(rules)
        self._state.rules = rules
