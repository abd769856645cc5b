"""Defines the columns of every table, once, as DDL text that Spark and people can read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

_COLUMN = re.compile(r"(\w+) (\S+?)( NOT NULL)?(?: COMMENT '(.*)')?,?")


@dataclass(frozen=True)
class Column:
    """One column: its name, its Spark type, whether it may be null, its unit and meaning."""

    name: str
    kind: str
    nullable: bool
    about: str


KEYS = ("user_key", "visitor_key")  # of a person; an event has at least one
ADDRESSES = ("url", "picture_url")  # of the shop's own pages


@dataclass(frozen=True)
class Table:
    """One table of the lake.

    Attributes
    ----------
    name : str
        The name its job, its gate and its tests share.
    ddl : str
        Spark DDL; Parquet forgets NOT NULL, so `required` is checked by readers.
    grain : str
        What one row is, in words.
    partition : str
        How its folders in the lake are called: by the batch that was ingested, or by the run.
    added : tuple of str
        Columns that came later: files of earlier versions lack them, and they read as null there.
    """

    name: str
    ddl: str
    grain: str = ""
    partition: str = "run=R"
    added: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """Names in order."""
        return tuple(line.split()[0] for line in self._lines())

    @property
    def required(self) -> tuple[str, ...]:
        """Names of the columns that are never null."""
        return tuple(line.split()[0] for line in self._lines() if "NOT NULL" in line)

    @property
    def kinds(self) -> dict[str, str]:
        """Type of each column, by name."""
        pairs = (line.split()[:2] for line in self._lines())
        return {words[0]: words[1] for words in pairs}

    @property
    def texts(self) -> tuple[str, ...]:
        """Names of the text columns that may be null: words to read, no ids, keys or addresses."""
        texts = (name for name, kind in self.kinds.items() if kind == "STRING")
        return tuple(name for name in texts if name not in (*self.required, *KEYS, *ADDRESSES))

    @property
    def described(self) -> tuple[Column, ...]:
        """Every column in order, with what its comment says."""
        matches = (_COLUMN.fullmatch(line) for line in self._lines())
        return tuple(
            Column(match[1], match[2], nullable=not match[3], about=match[4] or "")
            for match in matches
            if match
        )

    def _lines(self) -> list[str]:
        return [line.strip() for line in self.ddl.strip().splitlines()]


EVENT_TYPES = (
    "impression",
    "view",
    "click",
    "scroll",
    "wishlist",
    "cart",
    "purchase",
    "return",
    "rating",
)

EVENTS = Table(
    "events",
    """
    event_id STRING NOT NULL COMMENT 'unique within its source, for at least seven days',
    event_time TIMESTAMP NOT NULL COMMENT 'UTC',
    event_type STRING NOT NULL COMMENT 'one of the fixed words below',
    user_key STRING COMMENT 'HMAC-SHA256 of the shop user id, first 128 bits in hex',
    visitor_key STRING COMMENT 'as user_key, of the visitor id; one of the two is never null',
    item_id STRING NOT NULL COMMENT 'the shop item number',
    session_id STRING COMMENT 'one visit',
    request_id STRING COMMENT 'one answer of the recommender, several impressions',
    placement STRING COMMENT 'where on the page',
    quantity INT COMMENT 'pieces',
    unit_price DOUBLE COMMENT 'in currency, one piece',
    currency STRING COMMENT 'ISO 4217',
    rating INT COMMENT '1 to 5',
    market STRING COMMENT 'country or branch of the shop, in its own words',
    order_id STRING COMMENT 'of a purchase: what was bought at once, a number of the shop',
    position INT COMMENT 'of the item in the list it was shown in, from 1'
    """,
    "One row per event that the shop delivered, however often it came",
    "batch=SOURCE-N",
    added=("visitor_key", "market", "order_id", "position"),
)

QUARANTINE = Table(
    "quarantine",
    """
    reason STRING NOT NULL COMMENT 'why the row is not an event, one of the fixed words below',
    raw BINARY NOT NULL COMMENT 'the row as it came, also where it is no UTF-8',
    file STRING NOT NULL COMMENT 'the landing file it came from',
    source STRING NOT NULL COMMENT 'the source of jobs/sources.yaml'
    """,
    "One row per delivered row that is not an event",
    "batch=SOURCE-N",
)


class Reason(StrEnum):
    """Why a row is quarantined. Each reason has a limit of its own in expectations/events.yaml."""

    NOT_UTF8 = "not_utf8"
    TOO_LONG = "too_long"
    MALFORMED_JSON = "malformed_json"
    MALFORMED_CSV = "malformed_csv"
    MISSING_FIELD = "missing_field"
    WRONG_TYPE = "wrong_type"
    UNKNOWN_TYPE = "unknown_type"
    FUTURE_TIME = "future_time"
    TOO_OLD = "too_old"
    NEGATIVE_QUANTITY = "negative_quantity"


QUARANTINE_REASONS = tuple(reason.value for reason in Reason)

ITEMS = Table(
    "items",
    """
    item_id STRING NOT NULL COMMENT 'the shop item number',
    title STRING COMMENT 'as customers read it',
    brand STRING COMMENT 'maker',
    category STRING COMMENT 'department',
    colour STRING COMMENT 'main colour',
    price DOUBLE COMMENT 'in the shop currency, one piece',
    has_picture BOOLEAN NOT NULL COMMENT 'without one it is never recommended',
    in_stock BOOLEAN NOT NULL COMMENT 'out of stock it is never recommended',
    updated_at TIMESTAMP NOT NULL COMMENT 'UTC, when these values became known',
    markets STRING COMMENT 'where it is sold, separated by commas; null: everywhere',
    url STRING COMMENT 'its page in the shop, also relative',
    picture_url STRING COMMENT 'its picture, also relative'
    """,
    "One row per item, with its attributes as known at the cut: what models learn from",
    added=("markets", *ADDRESSES),
)

CATALOGUE = Table(
    "catalogue",
    ITEMS.ddl,
    "One row per item, with its attributes as known at the end of the window: what is shown",
    added=ITEMS.added,
)

INTERACTIONS = Table(
    "interactions",
    """
    user_key STRING NOT NULL COMMENT 'see events',
    item_id STRING NOT NULL COMMENT 'see events',
    part STRING NOT NULL COMMENT 'train or holdout: before or after the cut',
    weight FLOAT NOT NULL COMMENT 'sum of event weights, halved every half life; 0: all sent back',
    events INT NOT NULL COMMENT 'events behind the row, each type once a day',
    successes INT NOT NULL COMMENT 'those of them that count as a success',
    purchases INT NOT NULL COMMENT 'days on which it was bought, also if sent back',
    last_time TIMESTAMP NOT NULL COMMENT 'UTC, of the last of the events',
    bought_time TIMESTAMP COMMENT 'UTC, of the last purchase, also if sent back'
    """,
    "One row per user, item and part of the window",
)

HISTORY = Table(
    "history",
    INTERACTIONS.ddl,
    "One row per user and item over the whole window, which is its `train` part",
)

STEPS = Table(
    "steps",
    """
    person_key STRING NOT NULL COMMENT 'the user_key of interactions',
    session STRING NOT NULL COMMENT 'one visit of this person: its session_id, or a name made here',
    position INT NOT NULL COMMENT 'place in the visit, from 0, in order of time',
    item_id STRING NOT NULL COMMENT 'see events',
    event_type STRING NOT NULL COMMENT 'see events',
    event_time TIMESTAMP NOT NULL COMMENT 'UTC',
    part STRING NOT NULL COMMENT 'train or holdout: before or after the cut',
    quantity INT COMMENT 'pieces',
    unit_price DOUBLE COMMENT 'in currency, one piece'
    """,
    "One row per event of the window, in the order of a person's visits",
)

RECOMMENDATIONS = Table(
    "recommendations",
    """
    placement STRING NOT NULL COMMENT 'where it is shown: a name of models/placements.yaml',
    user_key STRING NOT NULL COMMENT 'see events',
    item_ids ARRAY<STRING> NOT NULL COMMENT 'best first',
    scores ARRAY<FLOAT> NOT NULL COMMENT 'descending; only their order means anything'
    """,
    "One row per user and placement",
)

SERVED = Table(
    "served",
    """
    request_id STRING NOT NULL COMMENT 'of the answer; events bring it back',
    served_at TIMESTAMP NOT NULL COMMENT 'UTC',
    process STRING NOT NULL COMMENT 'the worker that answered',
    sequence BIGINT NOT NULL COMMENT 'its answers are numbered from 1: a missing number is a gap',
    placement STRING NOT NULL COMMENT 'where on the page',
    version STRING NOT NULL COMMENT 'the published version that answered',
    item_ids ARRAY<STRING> NOT NULL COMMENT 'as answered, best first',
    sources ARRAY<STRING> NOT NULL COMMENT 'where each item came from',
    asked INT NOT NULL COMMENT 'items that were wanted; 0: not known',
    user_key STRING COMMENT 'see events',
    visitor_key STRING COMMENT 'see events',
    market STRING COMMENT 'that was asked for',
    category STRING COMMENT 'that was asked for',
    test STRING COMMENT 'the name of the A/B test that the answer is part of',
    phase INT COMMENT 'of the test, from 1',
    arm STRING COMMENT 'control or treatment'
    """,
    "One row per answer of the server, however often its line landed",
    "batch=served_log-N",
)

TEST_UNITS = Table(
    "test_units",
    """
    unit_key STRING NOT NULL COMMENT 'the user_key or visitor_key, as the test says',
    arm STRING NOT NULL COMMENT 'control or treatment: of the first answer',
    arms INT NOT NULL COMMENT 'arms it was answered by; more than one is a fault',
    first_exposed TIMESTAMP NOT NULL COMMENT 'UTC, of its first answer in this phase',
    is_mature BOOLEAN NOT NULL COMMENT 'all days it is watched for are over and complete',
    requests BIGINT NOT NULL COMMENT 'answers in the placements of the test, while it is watched',
    impressions BIGINT NOT NULL COMMENT 'items of these answers that were seen',
    clicks BIGINT NOT NULL COMMENT 'those of them that were clicked',
    orders BIGINT NOT NULL COMMENT 'all its orders while it is watched, recommended or not',
    units BIGINT NOT NULL COMMENT 'pieces bought',
    gross_revenue DOUBLE NOT NULL COMMENT 'of these pieces, in the currency of the shop',
    returned_revenue DOUBLE NOT NULL COMMENT 'of the pieces sent back',
    orders_before BIGINT NOT NULL COMMENT 'the same of the 28 days before its first exposure',
    units_before BIGINT NOT NULL COMMENT 'see orders_before',
    gross_revenue_before DOUBLE NOT NULL COMMENT 'see orders_before',
    returned_revenue_before DOUBLE NOT NULL COMMENT 'see orders_before'
    """,
    "One row per exposed unit of a phase of an A/B test, zeros included",
    "test=NUMBER-PHASE",
)

TABLES = (
    EVENTS,
    QUARANTINE,
    ITEMS,
    CATALOGUE,
    INTERACTIONS,
    HISTORY,
    STEPS,
    RECOMMENDATIONS,
    SERVED,
)
