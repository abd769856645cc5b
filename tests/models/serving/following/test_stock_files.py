"""A file of the stock feed becomes a record once, or stays as it is with its error in the log."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from infra.errors import InputError
from infra.ledger.stock import NOTHING, read_stock
from infra.storage import Storage
from infra.stores.opening import open_store
from models.serving.following.stock_files import StockFiles, parse_stock
from models.serving.home import stock_lock

NOW = datetime.now(UTC)


@pytest.fixture
def folder(shop: Storage) -> Path:
    folder = Path(shop.landing) / "stock"
    folder.mkdir()
    return folder


@pytest.fixture
def files(shop: Storage) -> StockFiles:
    landing = open_store(shop.landing, shop.settings)
    return StockFiles(shop, landing, stock_lock(shop.settings))


def test_files_are_taken_in_the_order_of_their_names(
    shop: Storage, folder: Path, files: StockFiles
) -> None:
    (folder / "1.jsonl").write_text('{"item_id":"a","in_stock":true}\n\n')
    (folder / "2.csv").write_text("\ufeffitem_id,in_stock\na,FALSE\nb,1\n")
    (folder / "notes.txt").write_text("a,false\n")
    files.take(NOTHING, NOW)
    assert read_stock(shop).in_stock == {"a": False, "b": True}
    assert [file.name for file in folder.iterdir()] == ["notes.txt"]


def test_an_unfinished_file_waits(shop: Storage, folder: Path, files: StockFiles) -> None:
    file = folder / "1.csv"
    file.write_text("item_id,in_stock\na,false")  # what can be read so far is not all
    files.take(NOTHING, NOW)
    assert read_stock(shop).in_stock == {}
    file.write_text("item_id,in_stock\na,false\nb,false\n")
    files.take(NOTHING, NOW)
    assert read_stock(shop).in_stock == {"a": False, "b": False}


def test_a_file_with_an_error_is_left_and_said_once(
    shop: Storage, folder: Path, files: StockFiles, caplog: pytest.LogCaptureFixture
) -> None:
    file = folder / "1.csv"
    file.write_text("item_id,in_stock\na,false\nsecret,perhaps\n")
    (folder / "2.csv").write_text("item_id,in_stock\nb,false\n")
    for _ in range(3):
        files.take(NOTHING, NOW)
    assert read_stock(shop).in_stock == {"b": False}
    assert file.exists()
    assert caplog.text.count("cannot be read after 1 items") == 1
    assert "secret" not in caplog.text


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", b"item,stock\na,true\n"),
        ("a.csv", b"item_id,in_stock\na\n"),
        ("a.csv", b"item_id,in_stock\n,true\n"),
        ("a.csv", b"item_id,in_stock\n\xff,true\n"),
        ("a.jsonl", b'{"item_id":"a"}\n'),
        ("a.jsonl", b'{"item_id":"a","in_stock":"yes"}\n'),
        ("a.jsonl", b'{"item_id":"a","in_stock":true,"more":1}\n'),
    ],
)
def test_what_is_no_stock_is_refused(name: str, content: bytes) -> None:
    with pytest.raises(InputError, match="nothing of it was taken"):
        parse_stock(name, content)
