"""What a file is follows its first bytes: it is unpacked, or named with its cure."""

from __future__ import annotations

import bz2
import gzip
import io
from pathlib import Path
from random import Random
from zipfile import ZipFile

import pyarrow as pa
import pytest

from infra.errors import InputError
from infra.storage import Storage
from jobs.landing.contents import require_content
from jobs.landing.sources import load_sources
from jobs.landing.unpacking import START
from tests.jobs.shop_files import GOOD, event, files_read, ingest, land, rows

EVENT = event().encode()
ARRAY = b'[{"event_id": "e1"},\n {"event_id": "e2"}]'


def zipped(**members: bytes) -> bytes:
    content = io.BytesIO()
    with ZipFile(content, "w") as archive:
        for name, member in members.items():
            archive.writestr(name, member)
    return content.getvalue()


def zstd(content: bytes) -> bytes:
    packed: bytes = pa.compress(content, codec="zstd", asbytes=True)
    return packed


STRANGE = {
    "UTF-16; convert|is UTF-16": EVENT.decode().encode("utf-16"),
    "is UTF-16": EVENT.decode().encode("utf-16-be"),
    "is UTF-32": EVENT.decode().encode("utf-32"),
    "NULs alone": bytes(5_000),
    "a page of HTML or XML": b"\n<!DOCTYPE html><html>503</html>",
    "HTML or XML|page": b'<?xml version="1.0"?><Error><Code>SlowDown</Code></Error>',
    "is one JSON array": ARRAY,
    "JSON array": b'[{"event_id": "e1"}]',
    "one JSON array": b'[{"event_id": "e1"},\n{"event_id": "e2"}]',
    "a line|array": b'[\n{"event_id": "e1"},\n{"event_id": "e2"}\n]\n',
    "array|nested": b"[" * 100_000,
    "array": b"[\n  {\n" + b'    "event_id": "e1"\n' * 9_000,
    "is Parquet": b"PAR1....",
    "an xz file": b"\xfd7zXZ\0....",
    "an Avro file": b"Obj\x01....",
    "gzip within a packed file": gzip.compress(gzip.compress(EVENT)),
    "is UTF-16, packed|is UTF-16": gzip.compress(EVENT.decode().encode("utf-16")),
    "an empty archive": zipped(),
    "a[.]html, is a page": zipped(**{"a.html": b"<html>"}),
    "unpacks to more than": zstd(bytes(10**8)),
    "unpacks to more than 67": gzip.compress(bytes(10**8), 9),
    "cannot be read": zipped(**{"a.jsonl": EVENT})[:-30],
}


@pytest.mark.parametrize("said", STRANGE)
def test_what_is_no_lines_of_text_is_named(shop: Storage, said: str) -> None:
    feed = load_sources(("shop",))["shop"].events
    file = land(shop, [], "day.jsonl")
    file.write_bytes(STRANGE[said])
    with pytest.raises(InputError, match=rf"day[.]jsonl.*({said})"):
        require_content([str(file)], feed, shop.settings)


def test_a_packed_file_begins_with_more_than_its_first_bytes_tell(shop: Storage) -> None:
    feed = load_sources(("shop",))["shop"].events
    file = land(shop, [], "day.jsonl.bz2")
    random = Random(1)
    lines = [event(debug=random.randbytes(100).hex()).encode() for _ in range(4_000)]
    file.write_bytes(bz2.compress(b"\n".join(lines)))  # no whole block among the first bytes
    assert file.stat().st_size > START
    require_content([str(file)], feed, shop.settings)


def test_a_line_that_is_odd_is_a_row_and_no_odd_file(shop: Storage) -> None:
    feed = load_sources(("shop",))["shop"].events
    for start in (b"[1]\n" + EVENT, b"<b>\n" + EVENT, b"\0" + EVENT, b"BZh " + EVENT, b"", b"PK\n"):
        file = land(shop, [], "day.jsonl")
        file.write_bytes(start)
        require_content([str(file)], feed, shop.settings)


def lines(start: str, count: int = 2) -> bytes:
    return "".join(event(event_id=f"{start}-{n}") + "\n" for n in range(count)).encode()


def test_files_are_unpacked_by_what_they_are_whatever_their_names(
    spark: object, shop: Storage
) -> None:
    mark = b"\xef\xbb\xbf"
    contents = {
        "gzip.jsonl": gzip.compress(lines("gzip")),
        "plain.jsonl.gz": lines("plain"),
        "zstd of Größe.jsonl": zstd(lines("zstd")),
        "bzip2.jsonl.gz": bz2.compress(lines("bzip2")),
        "name.jsonl.gzip": gzip.compress(lines("name")),
        "two.jsonl.zip": zipped(
            **{
                "a/one": lines("zip").rstrip(),
                "two": lines("zap"),
                "__MACOSX/two": b"\0",
                "no": b"",
            }
        ),
        "nothing.jsonl.gz": gzip.compress(b""),
        "marks.jsonl": mark + lines("mark") + mark + lines("mark again"),
        "long.jsonl.gz": gzip.compress(lines("long", 2 * START // len(EVENT))),
        "bad.jsonl": gzip.compress(b"no json\n"),
    }
    sizes = {}
    for name, content in contents.items():
        land(shop, [], name).write_bytes(content)
        sizes[f"events/shop/{name}"] = len(content)
    record = ingest(shop)
    long = 2 * START // len(EVENT)
    assert (record["clean"], record["quarantined"]) == (18 + long, {"malformed_json": 1})
    assert files_read(shop) == sizes
    [batch] = shop.lake.partitions("events")
    counts = {file["file"]: file["rows"] for file in shop.lake.manifest("events", batch)["files"]}
    assert counts["events/shop/two.jsonl.zip"] == 4 == counts["events/shop/marks.jsonl"]
    assert counts["events/shop/nothing.jsonl.gz"] == 0
    [bad] = rows(shop, "quarantine")
    assert (bad["file"], bad["raw"]) == ("events/shop/bad.jsonl", b"no json")
    assert not list((Path(shop.settings.lake) / "scratch").rglob("*"))
    assert ingest(shop, "run=second")["read"] == 0
    assert GOOD["event_id"] not in {row["event_id"] for row in rows(shop, "events")}
