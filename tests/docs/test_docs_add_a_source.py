"""The page on adding a source is true, as it is printed: files, rules, commands and tables."""

from __future__ import annotations

import json
import os
import re
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from infra.errors import SettingsError
from infra.ledger.batches import BatchReader
from infra.rules import load_rules, parse_yaml
from infra.schemas import EVENTS, ITEMS, KEYS, PERSON_IDS
from infra.settings import Settings, load_settings
from infra.shop.historic_shops import DataSettings
from infra.storage import Storage
from infra.table import Table
from jobs import try_source
from jobs.batches import books
from jobs.catalogue import read_feeds
from jobs.landing.mapping_check import require_mapping
from jobs.landing.sources import item_feeds, load_sources
from tests.conftest import REPOSITORY
from tests.docs.clone import typed
from tests.docs.commands import SHELL, blocks, fences
from tests.jobs.shop_files import ingest, rows

NAME = "add_a_source.md"
PAGE = (REPOSITORY / "docs/how-to" / NAME).read_text(encoding="utf-8")
RULES = {
    re.split(r"[:\s]", text, maxsplit=1)[0]: text
    for text in blocks(NAME)
    if re.match(r"\w+:", text)
}
SETTINGS = "as_of"  # the first key of the block that is a settings.yaml
FILES = [text for text in blocks(NAME) if text not in RULES.values()]
# The printed files in their order, and where the page says that they are.
PLACES = (
    "events/webshop/2026-11-24.csv",
    "items/webshop/2026-11-24.csv",
    "events/clicks/2015-06.csv",
    "events/till/2026-11.csv",
    "items/till/products.csv",
    "orders.csv",
    "lines.csv",
    "events/ga4/2026-11-24.jsonl",
    "events/segment/2026-11-24.jsonl",
    "events/kiosk/2026-11-24.csv",
)
THEN = datetime(2026, 11, 24, 12, tzinfo=UTC).timestamp()  # rows are judged by when files arrived
TRAP = {"id": "1", "word": "no", "at": "2026-11-24T10:00:00Z", "mail": "anna", "sku": "A-1"}
CLEAN = {
    "webshop": 3,
    "clicks": 4,
    "till": 2,
    "orders": 2,
    "traps": 1,
    "ga4": 2,
    "segment": 2,
    "kiosk": 2,
}
TYPES = {
    "text": "STRING",
    "number": "DOUBLE",
    "whole number": "INT",
    "time": "TIMESTAMP",
    "true or false": "BOOLEAN",
}


@pytest.fixture
def shop(shop: Storage, monkeypatch: pytest.MonkeyPatch) -> Storage:
    """Return a shop whose landing folder and sources are what the page prints."""
    landing = Path(shop.landing)
    for place, text in zip(PLACES, FILES, strict=True):
        (landing / place).parent.mkdir(parents=True, exist_ok=True)
        (landing / place).write_text(text, encoding="utf-8")
    (landing / "events/traps").mkdir()
    trap = TRAP | {"size.eu": "XL", "brand": "Acme"}
    (landing / "events/traps/day.jsonl").write_text(json.dumps(trap))
    for file in landing.rglob("*.*"):
        os.utime(file, (THEN, THEN))
    sources = shop.settings.home / "sources.yaml"
    sources.write_text("".join(RULES[name] for name in CLEAN), encoding="utf-8")
    monkeypatch.setenv("CATWALK_SOURCES", ",".join(CLEAN))
    monkeypatch.setenv("CATWALK_SOURCES_FILE", str(sources))
    return shop


def test_every_block_of_the_page_is_tried() -> None:
    assert RULES.keys() == {*CLEAN, SETTINGS}
    for place in PLACES:
        assert f"{place}`" in PAGE, "the page says where each file is"


@pytest.mark.faults  # eight sources, each planned anew: 30 s
def test_what_the_page_prints_is_read_without_a_loss(spark: SparkSession, shop: Storage) -> None:
    landing = Path(shop.landing)
    (landing / ".venv").symlink_to(REPOSITORY / ".venv")
    [join] = [
        fence.text for fence in fences() if fence.language == SHELL and "read_csv" in fence.text
    ]
    done = typed(join, landing)
    assert done.returncode == 0, done.stderr
    (landing / ".venv").unlink()
    record = ingest(shop)
    assert record["quarantined"] == {}
    assert record["not_events"] == {"no_item": 1, "test_order": 1}
    clean = {name: books.manifests(BatchReader(shop), name) for name in CLEAN}
    found = {name: sum(row["clean"] for row in each.values()) for name, each in clean.items()}
    assert found == CLEAN
    events = rows(shop, "events")
    [bought] = [row for row in events if row["unit_price"] == 1049.5]
    assert (bought["item_id"], str(bought["event_time"])) == ("A-1", "2026-11-24 09:03:00+00:00")
    [trap] = [row for row in events if row["market"] == "XL"]
    assert (trap["placement"], trap["event_type"]) == ("Acme: A-1 #1", "view")
    _require_items(spark, shop)


def _require_items(spark: SparkSession, shop: Storage) -> None:
    """Read the catalogues of the page; the shawl has neither picture nor stock."""
    settings = load_settings()
    feeds = item_feeds(load_sources(settings.sources, settings.sources_file))
    items = read_feeds(spark, feeds, shop, "scratch/items")
    found = {row["item_id"]: row for row in items.orderBy("item_id").collect()}
    assert {row["reason"] for row in found.values()} == {None}
    assert found.keys() == {"355908", "248676", "318965", "4711", "4712", "A-1", "A-2"}
    on_sale = {name: (row["has_picture"], row["in_stock"]) for name, row in found.items()}
    assert (on_sale["A-1"], on_sale["A-2"]) == ((True, True), (False, False))
    assert items.filter(F.col("title") == "Milk").count() == 1


@pytest.mark.faults  # its first rules and batch are planned anew: 20 s for what others show too
def test_the_source_of_the_page_passes_the_rules_of_the_gate(
    spark: SparkSession,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for place, text in zip(PLACES[:2], FILES, strict=False):
        (tmp_path / "webshop" / place).parent.mkdir(parents=True)
        (tmp_path / "webshop" / place).write_text(text, encoding="utf-8")
        os.utime(tmp_path / "webshop" / place, (THEN, THEN))
    (tmp_path / "webshop/sources.yaml").write_text(RULES["webshop"], encoding="utf-8")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    asked = ["--data", str(tmp_path / "webshop"), "--source", "webshop"]
    assert try_source.main([*asked, "--gate", "expectations.events:gate_events"]) == 0
    assert "4 rows read, 3 clean, 0 quarantined" in capsys.readouterr().out


def test_the_settings_of_the_page_are_those_that_a_folder_may_have(tmp_path: Path) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text(RULES[SETTINGS], encoding="utf-8")
    own = load_rules(file, DataSettings)
    assert own.model_fields_set == set(DataSettings.model_fields)
    for name, default in re.findall(r"^(\w+):.*: (\d+)$", RULES[SETTINGS], re.MULTILINE):
        assert Settings.model_fields[name].default == float(default)


@pytest.mark.parametrize(
    ("table", "others"), [(EVENTS, PERSON_IDS), (ITEMS, ())], ids=["events", "items"]
)
def test_the_tables_of_columns_are_true(table: Table, others: tuple[str, ...]) -> None:
    title = f"| of an {table.name.removesuffix('s')} | type | needed |"
    _, _, *lines = PAGE[PAGE.index(title) :].split("\n\n")[0].splitlines()
    shown = [[cell.strip(" `") for cell in line.split("|")[1:4]] for line in lines]
    wanted = {name: str(table.kinds[name]) for name in table.columns if name not in KEYS}
    assert {name: TYPES[kind] for name, kind, _ in shown} == wanted | dict.fromkeys(
        others, "STRING"
    )
    assert [name for name, _, needed in shown if needed == "yes"] == [
        name for name in table.columns if name in table.required
    ]


def traps() -> list[str]:
    """Return what the page says that nobody should write."""
    lines = PAGE[PAGE.index("| written |") :].split("\n\n")[0].splitlines()[2:]
    return [re.split(r"``? ?", line)[1].strip() for line in lines if "`" in line.split("|")[1]]


@pytest.mark.parametrize("written", traps())
def test_a_trap_of_yaml_is_one(spark: SparkSession, tmp_path: Path, written: str) -> None:
    key = written.partition(":")[0]
    file = tmp_path / "sources.yaml"
    rules = re.sub(r"    not_events:.*\n|      currency:.*\n", "", RULES["traps"])
    indent = "    " if key == "not_events" else "      "
    before = "    event_types:" if indent == "      " else "    columns:"
    file.write_text(rules.replace(before, f"{indent}{written}\n{before}", 1), encoding="utf-8")
    with pytest.raises(SettingsError):
        found = load_sources(("traps",), file)
        require_mapping(spark, "traps", found["traps"], file)


def test_words_stay_the_words_they_are() -> None:
    assert parse_yaml(b"no: 1:30\non: off", "x") == {"no": "1:30", "on": "off"}
