"""Defines the columns of the served log and of the marts; what numbers mean: `kpis.md`."""

from __future__ import annotations

from infra.table import Table

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

EXPOSURES = Table(
    "exposures",
    """
    day DATE NOT NULL COMMENT 'UTC, of the answer',
    request_id STRING NOT NULL COMMENT 'of the answer',
    item_id STRING NOT NULL COMMENT 'the shop item number',
    position INT NOT NULL COMMENT 'in the list, from 1',
    source STRING NOT NULL COMMENT 'where the server took the item from',
    served_at TIMESTAMP NOT NULL COMMENT 'UTC',
    placement STRING NOT NULL COMMENT 'where on the page',
    version STRING NOT NULL COMMENT 'that answered',
    test STRING COMMENT 'the name of the A/B test',
    phase INT COMMENT 'of the test, from 1',
    arm STRING COMMENT 'control or treatment',
    market STRING COMMENT 'that was asked for',
    user_key STRING COMMENT 'see events',
    visitor_key STRING COMMENT 'see events',
    was_seen BOOLEAN NOT NULL COMMENT 'an impression names it within 24 h of the answer',
    was_clicked BOOLEAN NOT NULL COMMENT 'a click names it within 24 h of the answer',
    was_carted BOOLEAN NOT NULL COMMENT 'put into the cart in time after the click',
    order_keys ARRAY<STRING> NOT NULL COMMENT 'its orders in time after the click',
    quantity BIGINT NOT NULL COMMENT 'pieces of it in these orders',
    revenue DOUBLE NOT NULL COMMENT 'of these pieces, in currency',
    currency STRING COMMENT 'of the first of these purchases; others add no revenue'
    """,
    "One row per answer and item",
    "build=B/of=DAY",
)

KPI_DAILY = Table(
    "kpi_daily",
    """
    day DATE NOT NULL COMMENT 'UTC',
    placement STRING NOT NULL COMMENT 'where on the page',
    version STRING NOT NULL COMMENT 'that answered',
    test STRING COMMENT 'the name of the A/B test',
    phase INT COMMENT 'of the test, from 1',
    arm STRING COMMENT 'control or treatment',
    market STRING COMMENT 'that was asked for',
    requests BIGINT NOT NULL COMMENT 'answers',
    people BIGINT NOT NULL COMMENT 'different users, and visitors where no user is known',
    short_lists BIGINT NOT NULL COMMENT 'answers with fewer items than were asked for',
    items_shown BIGINT NOT NULL COMMENT 'items in all answers',
    impressions BIGINT NOT NULL COMMENT 'of these items, those that were seen',
    clicks BIGINT NOT NULL COMMENT 'of these items, those that were clicked',
    carts BIGINT NOT NULL COMMENT 'of these items, those put into the cart after the click',
    orders BIGINT NOT NULL COMMENT 'orders with an item that was bought after its click',
    units BIGINT NOT NULL COMMENT 'pieces of these items',
    gross_revenue MAP<STRING,DOUBLE> NOT NULL COMMENT 'of these pieces, by currency',
    returned_revenue MAP<STRING,DOUBLE> NOT NULL COMMENT 'of such pieces sent back, by currency',
    items_by_source MAP<STRING,BIGINT> NOT NULL COMMENT 'items shown, by where they came from'
    """,
    "One row per day, placement, version, phase and arm of a test, and market",
    "build=B/of=DAY",
)

SALES = Table(
    "sales",
    """
    day DATE NOT NULL COMMENT 'UTC',
    event_id STRING NOT NULL COMMENT 'see events',
    event_time TIMESTAMP NOT NULL COMMENT 'UTC',
    event_type STRING NOT NULL COMMENT 'purchase or return',
    user_key STRING COMMENT 'see events',
    visitor_key STRING COMMENT 'see events',
    item_id STRING NOT NULL COMMENT 'the shop item number',
    order_key STRING NOT NULL COMMENT 'person and order; else session, else day',
    quantity BIGINT NOT NULL COMMENT 'pieces; 1 where the shop does not say',
    revenue DOUBLE NOT NULL COMMENT 'of these pieces, in currency; 0 where there is no price',
    currency STRING COMMENT 'ISO 4217'
    """,
    "One row per purchase or return of somebody who is no crawler",
    "build=B/of=DAY",
)

PERSON_DAYS = Table(
    "person_days",
    """
    day DATE NOT NULL COMMENT 'UTC',
    kind STRING NOT NULL COMMENT 'user or visitor',
    person_key STRING NOT NULL COMMENT 'the user_key or the visitor_key',
    own_events BIGINT NOT NULL COMMENT 'events that are no impressions',
    purchases BIGINT NOT NULL COMMENT 'events that are purchases',
    is_stranger BOOLEAN NOT NULL COMMENT 'a visitor of whom no event of the day names a user',
    is_crawler BOOLEAN NOT NULL COMMENT 'more own events than a person has; left out of all others'
    """,
    "One row per day and user, and per day and visitor",
    "build=B/of=DAY",
)

CUSTOMERS_DAILY = Table(
    "customers_daily",
    """
    day DATE NOT NULL COMMENT 'UTC',
    people BIGINT NOT NULL COMMENT 'users, and visitors without a user, with an event on this day',
    new_people BIGINT NOT NULL COMMENT 'of these, whom nobody saw in the 90 days before',
    returning_people BIGINT NOT NULL COMMENT 'the others of them',
    buyers BIGINT NOT NULL COMMENT 'of these people, those who bought on this day',
    strangers BIGINT NOT NULL COMMENT 'visitors without a user on this day',
    strangers_who_bought BIGINT NOT NULL COMMENT 'once strangers, first purchase in 90 days today',
    days_to_next_visit DOUBLE COMMENT 'restricted mean at 14 days of the visits of 28 days',
    return_rate_7d DOUBLE COMMENT 'of the people of 7 days ago, those who came again since',
    crawlers BIGINT NOT NULL COMMENT 'keys of users and visitors that were left out on this day'
    """,
    "One row per day",
    "build=B/of=DAY",
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
    "build=B/of=NUMBER-PHASE",
)

MARTS = (EXPOSURES, KPI_DAILY, SALES, PERSON_DAYS, CUSTOMERS_DAILY, TEST_UNITS)
