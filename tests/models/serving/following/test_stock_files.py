"""A file of the stock feed becomes a record once, or stays as it is with its error in the log."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from infra.errors import InputError
from infra.ledger.stock import NOTHING, read_stock
from infra.storage import Storage
from infra.stores.local_store import LocalStore
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


def test_an_unfinished_file_waits_and_is_said_once(
    shop: Storage, folder: Path, files: StockFiles, caplog: pytest.LogCaptureFixture
) -> None:
    file = folder / "1.csv"
    file.write_text("item_id,in_stock\na,false")  # what can be read so far is not all
    for _ in range(3):
        files.take(NOTHING, NOW)
    assert read_stock(shop).in_stock == {}
    assert caplog.text.count("taken for unfinished") == 1
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


def test_a_file_that_is_mended_counts_also_if_it_is_as_long_as_before(
    shop: Storage, folder: Path, files: StockFiles
) -> None:
    for word in ("fals3", "false"):
        (folder / "1.csv").write_text(f"item_id,in_stock\na,{word}\n")
        files.take(NOTHING, NOW)
    assert read_stock(shop).in_stock == {"a": False}


class TakenMeanwhile(LocalStore):
    """A landing folder of which another server takes the first file after it was listed."""

    def list(self, prefix: str) -> list[str]:
        """List, and let the other server be quicker."""
        names = super().list(prefix)
        self.delete(names[0])
        return names


def test_a_file_that_another_server_takes_is_no_failure(shop: Storage, folder: Path) -> None:
    for name in ("1", "2"):
        (folder / f"{name}.csv").write_text(f"item_id,in_stock\n{name},false\n")
    landing = TakenMeanwhile(Path(shop.landing))
    StockFiles(shop, landing, stock_lock(shop.settings)).take(NOTHING, NOW)
    assert read_stock(shop).in_stock == {"2": False}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", b"item,stock\na,true\n"),
        ("a.csv", b"item_id,in_stock\na\n"),
        ("a.csv", b"item_id,in_stock\na,true"),
        ("a.csv", b"item_id,in_stock\n,true\n"),
        ("a.csv", b"item_id,in_stock\n\xff,true\n"),
        ("a.csv", b"item_id,in_stock\n \xc2\xa0,true\n"),
        ("a.jsonl", b'{"item_id":"a\\u0000","in_stock":true}\n'),
        ("a.jsonl", b'{"item_id":"a"}\n'),
        ("a.jsonl", b'{"item_id":"a","in_stock":"yes"}\n'),
        ("a.jsonl", b'{"item_id":"a","in_stock":true,"more":1}\n'),
    ],
)
def test_what_is_no_stock_is_refused(name: str, content: bytes) -> None:
    with pytest.raises(InputError, match=f"landing/{name} .*nothing of it was taken"):
        parse_stock(name, content)


def test_ids_are_cleaned_as_everywhere_and_may_look_rounded() -> None:
    content = "item_id,in_stock\n\u00a0A-1 ,true\ncafe\u0301,false\n5863.0,true\n"
    news = parse_stock("a.csv", content.encode())
    assert news == {"A-1": True, "caf\u00e9": False, "5863.0": True}
