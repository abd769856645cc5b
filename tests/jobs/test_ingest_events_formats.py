"""Every format and packing that a source may have gives the same rows."""

from __future__ import annotations

import bz2
import gzip
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from infra.storage import Storage
from jobs.landing.sources import FILE, load_sources
from tests.jobs.shop_files import GOOD, event, ingest, rows

COUNT = 3_000  # several blocks of a packed file
FORMATS = ("jsonl", "csv", "parquet")


def zstd(content: bytes) -> bytes:
    packed: bytes = pa.compress(content, codec="zstd", asbytes=True)
    return packed


def in_two(content: bytes) -> bytes:
    """Pack two halves and join them, as `cat` does with the files of two hours."""
    middle = content.index(b"\n", len(content) // 2) + 1
    return gzip.compress(content[:middle]) + gzip.compress(content[middle:])


PACKINGS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.compress,
    ".zst": zstd,
    ".bz2": bz2.compress,
    ".joined.gz": in_two,
}
CODECS = ("none", "snappy", "gzip", "zstd", "lz4")


def facts(number: int, packing: str) -> dict[str, str]:
    return {**GOOD, "event_id": f"{packing}-{number}", "item_id": f"Gr\u00f6\u00dfe {number}"}


@pytest.fixture
def source(shop: Storage, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Let the source deliver another format; return it."""
    wanted: str = request.param
    text = FILE.read_text(encoding="utf-8").replace("*.jsonl*", f"*.{wanted}*")
    file = shop.settings.home / "sources.yaml"
    file.write_text(text.replace("format: jsonl", f"format: {wanted}"), encoding="utf-8")
    monkeypatch.setenv("CATWALK_SOURCES_FILE", str(file))
    return wanted


def deliver(shop: Storage, wanted: str) -> tuple[str, ...]:
    """Land the same rows once in each packing; return the packings."""
    folder = Path(shop.landing) / "events/shop"
    folder.mkdir(parents=True)
    fields = load_sources(("shop",))["shop"].events.fields
    if wanted == "parquet":
        for codec in CODECS:
            each = [facts(number, codec) for number in range(COUNT)]
            columns = {
                name: pa.array([row.get(name) for row in each], pa.string()) for name in fields
            }
            pq.write_table(pa.table(columns), folder / f"{codec}.parquet", compression=codec)
        return CODECS
    for packing, pack in PACKINGS.items():
        each = [facts(number, packing) for number in range(COUNT)]
        if wanted == "jsonl":
            lines = [event(**row) for row in each]
        else:
            lines = [",".join(fields), *(",".join(row.get(f, "") for f in fields) for row in each)]
        content = "".join(f"{line}\n" for line in lines).encode()
        (folder / f"day.{wanted}{packing}").write_bytes(pack(content))
    return tuple(PACKINGS)


@pytest.mark.parametrize("source", FORMATS, indirect=True)
def test_every_packing_gives_the_same_rows(spark: object, shop: Storage, source: str) -> None:
    packings = deliver(shop, source)
    record = ingest(shop)
    assert record["read"] == record["clean"] == COUNT * len(packings)
    found = {(row["event_id"], row["item_id"]) for row in rows(shop, "events")}
    each = [facts(number, packing) for packing in packings for number in range(COUNT)]
    assert found == {(row["event_id"], row["item_id"]) for row in each}
