"""Defines the columns of every table, once, as DDL text that Spark and people can read.

Those of the served log and of the marts are in `infra/mart_schemas.py`.
"""

from __future__ import annotations

from enum import StrEnum

from infra.mart_schemas import MARTS, SERVED
from infra.mart_schemas import TEST_UNITS as TEST_UNITS
from infra.table import ADDRESSES
from infra.table import KEYS as KEYS
from infra.table import Column as Column
from infra.table import Table as Table

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

# The ids of an event: those of persons become keys, and each event needs the required ones.
PERSON_IDS = ("user_id", "visitor_id")
EVENT_IDS = ("event_id", *PERSON_IDS, "item_id", "session_id", "request_id", "order_id")

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
    WRONG_ID = "wrong_id"
    NO_USER = "no_user"
    CONFLICTING_ID = "conflicting_id"
    TOO_MANY_ELEMENTS = "too_many_elements"


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
    *MARTS,
)
