"""A wrong mapping is refused before a row is read, with the file, the source and the key."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from infra.errors import SettingsError
from infra.spark.faults import plain
from infra.spark.submit import run_here
from infra.storage import Storage
from jobs import ingest_events
from jobs.landing.mapping_check import require_mapping
from jobs.landing.sources import FILE, load_sources
from tests.jobs.shop_files import RUN, event, ingest, land

WRONG = [
    ("user_id: user_id", "user_id: customer", r"events\.columns\.user_id: .*`customer`"),
    ("item_id: item_id", "item_id: upper(item_id", r"events\.columns\.item_id: .*[Ss]yntax error"),
    ("rating: rating", "rating: max(rating)", r"events\.columns\.rating: "),
    ("rating: rating", "rating: explode(array(rating))", r"columns\.rating: .*enerator"),
    ("event_id: event_id", "event_id: uuid()", r"columns\.event_id: `uuid\(\)` gives another"),
    ("rating: rating", "rating: array(rating)", r"columns\.rating: .* gives array<string>, which"),
    ("rating: rating", "rating: no_such(rating)", r"events\.columns\.rating: .*no_such"),
    ("rating: rating", "rating: _place", r"events\.columns\.rating: .*`_place`"),
    ("in_stock: in_stock", "in_stock: stock > 0", r"items\.columns\.in_stock: .*`stock`"),
    ("fields: [event_id,", "fields: [event_id, event_id,", r"'event_id' occurs twice"),
    ("time_zone: in_text", "time_zone: Europe/Berlni", r"'Europe/Berlni' does not exist"),
    ("      event_id: event_id\n", "", r"the required column 'event_id' is not mapped"),
    (
        "max_age_days: 400",
        "not_events: {test: fakes = 1}\n    max_age_days: 400",
        r"events\.not_events\.test: .*`fakes`",
    ),
    (
        "max_age_days: 400",
        "not_events: {test: user_id}\n    max_age_days: 400",
        r"not_events\.test: it gives string, which is no condition",
    ),
]


@pytest.mark.parametrize(
    ("right", "wrong", "message"), WRONG, ids=[message for *_, message in WRONG]
)
def test_a_wrong_mapping_is_refused_before_a_row_is_read(
    right: str,
    wrong: str,
    message: str,
    spark: object,
    shop: Storage,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = tmp_path / "sources.yaml"
    file.write_text(FILE.read_text().replace(right, wrong, 1))
    monkeypatch.setenv("CATWALK_SOURCES_FILE", str(file))
    land(shop, [event()])
    with pytest.raises(SettingsError, match=rf"sources\.yaml, 'shop'.*{message}") as error:
        ingest(shop)
    assert "\n" not in str(error.value)
    assert not shop.lake.store.list("events")


@pytest.mark.parametrize(
    ("sql", "changes"),
    [
        ("current_timestamp()", True),
        ("coalesce(event_time, string(now()))", True),
        ("date_diff(current_date, event_time) > 3", True),
        ("unix_timestamp()", True),
        ("current_user()", True),
        ("CAST('now' AS TIMESTAMP)", True),
        ("event_time > TIMESTAMP 'today'", True),
        ("unix_timestamp(event_time)", False),
        ("event_time > TIMESTAMP '2020-01-01'", False),
        ("try_cast(event_time AS DATE) = to_date('today')", True),
        ("to_timestamp(event_time) < to_timestamp('now')", True),
        ("to_date(event_time) > to_date('2020-01-01')", False),
        ("date_add('today', 1) > event_time", True),  # a text becomes a moment by itself
        ("date_diff('now', event_time) > 3", True),
        ("event_type = 'today'", False),
    ],
)
def test_sql_is_refused_that_gives_another_value_when_a_batch_is_read_again(
    spark: SparkSession, sql: str, changes: bool
) -> None:
    source = load_sources(("shop",))["shop"]
    columns = {**source.events.columns, "placement": sql}
    source = source.model_copy(
        update={"events": source.events.model_copy(update={"columns": columns})}
    )
    refused = pytest.raises(SettingsError, match="placement: .* gives another value each time")
    with refused if changes else nullcontext():
        require_mapping(spark, "shop", source)


def test_sql_that_ends_at_a_value_is_named_and_the_value_is_not(
    spark: object,
    shop: Storage,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    file = tmp_path / "sources.yaml"
    file.write_text(
        FILE.read_text().replace("quantity: quantity", "quantity: cast(user_id as int)", 1)
    )
    monkeypatch.setenv("CATWALK_SOURCES_FILE", str(file))
    land(shop, [event(user_id="anna@example.org\nand more")])
    with pytest.raises(SettingsError, match=r"`cast\(user_id as int\)` .*CAST_INVALID.* try_cast"):
        run_here(ingest_events, ["--run", RUN])
    said = capfd.readouterr()
    assert "Traceback" not in said.err
    assert "anna@example.org" not in said.err + said.out + caplog.text
    assert shop.lake.partitions("events") == []


def test_no_line_of_spark_shows_a_value(spark: SparkSession) -> None:
    log4j = spark._jvm.org.apache.logging.log4j  # type: ignore[union-attr]
    layout = log4j.LogManager.getContext(False).getConfiguration().getAppender("stderr").getLayout()
    for state in ("22018", "KD000"):
        said = f"Failed: [CAST.X] 'anna\n' is bad. SQLSTATE: {state} =="
        assert "anna" not in str(plain(RuntimeError(said)))
        message = log4j.message.SimpleMessage(said)
        event = log4j.core.impl.Log4jLogEvent.newBuilder().setMessage(message)
        line = layout.toSerializable(event.setLevel(log4j.Level.ERROR).setLoggerName("a.b").build())
        assert line.endswith(f" ERROR b: Failed: [CAST.X] ... SQLSTATE: {state} ==\n")
