"""Whatever lands, every row is accounted for, and no run ends in anything but a Catwalk error."""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from infra.errors import CatwalkError
from infra.ids import clean_id
from infra.storage import Storage
from tests.jobs.shop_files import GOOD, ago, ingest, rows

IDS = ("event_id", "item_id", "session_id", "request_id", "order_id")
FIELDS = (*GOOD, "visitor_id", "session_id", "order_id", "quantity", "unit_price", "rating", "x")
VALUES: tuple[object, ...] = (
    *(None, "", " ", 0, -1, 1.0, 5863.0, 1e300, -0.0, 10**40, True, [], {}, [1], {"a": None}),
    *("NaN", "undefined", "A\0", "é", "e\u0301", "\ud83d", "\u00a0i1\u2003", "x" * 300, "4,0E+12"),
    *(
        "2026-11-30",
        "1764500000",
        "a@b.example",
        "+49 170 1234567",
        "10.0.0.1",
        '"',
        "\\",
        "\u2028",
    ),
    *("Infinity", "1e5", "0x10", "100d", "[1]", "{}", ago(2), ago(900), "purchase", "anna", "i1"),
)
Maker = Callable[[random.Random], bytes]


def good(dice: random.Random) -> bytes:
    row = {**GOOD, "event_id": f"e{dice.randrange(60)}", "item_id": f"i{dice.randrange(3)}"}
    return json.dumps(row).encode()


def random_bytes(dice: random.Random) -> bytes:
    return dice.randbytes(dice.randrange(1, 80))


def random_json(dice: random.Random) -> bytes:
    def value(depth: int) -> object:
        if depth and dice.random() < 0.3:
            return [value(depth - 1) for _ in range(dice.randrange(4))]
        if depth and dice.random() < 0.3:
            return {dice.choice(FIELDS): value(depth - 1) for _ in range(dice.randrange(4))}
        return dice.choice(VALUES)

    row = {dice.choice(FIELDS): value(2) for _ in range(dice.randrange(9))}
    return json.dumps(row, ensure_ascii=dice.random() < 0.7).encode("utf-8", "surrogatepass")


def spoiled_values(dice: random.Random) -> bytes:
    row: dict[str, object] = {**GOOD, "event_id": f"s{dice.randrange(10**6)}"}
    for name in dice.sample(FIELDS, dice.randrange(1, 4)):
        row[name] = dice.choice(VALUES)
    return json.dumps(row).encode()


def spoiled_bytes(dice: random.Random) -> bytes:
    line = bytearray(good(dice))
    for _ in range(dice.randrange(1, 4)):
        place = dice.randrange(len(line))
        line[place : place + dice.randrange(3)] = dice.randbytes(dice.randrange(3))
    return bytes(line)


MAKERS: tuple[Maker, ...] = (good, random_bytes, random_json, spoiled_values, spoiled_bytes)


def lines_of(content: bytes) -> list[bytes]:
    """Return the lines of a file as Hadoop reads them."""
    lines = re.split(rb"\r\n|\r|\n", content)
    return lines[:-1] if lines[-1] == b"" else lines


def land_bytes(shop: Storage, name: str, content: bytes) -> None:
    file = Path(shop.landing) / "events/shop" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)


def require_accounted(shop: Storage, record: dict[str, object], lines: list[bytes]) -> None:
    quarantined, ignored = record["quarantined"], record["not_events"]
    assert isinstance(quarantined, dict) and isinstance(ignored, dict)
    events, kept = rows(shop, "events"), [row["raw"] for row in rows(shop, "quarantine")]
    assert record["read"] == len(lines)
    assert len(events) == record["clean"] and len(kept) == sum(quarantined.values())
    left_out = len(lines) - len(events) - len(kept)
    assert left_out == record["duplicates"] + sum(ignored.values())  # type: ignore[operator]
    marked = Counter(line.removeprefix(b"\xef\xbb\xbf") for line in lines)
    assert Counter(map(bytes, kept)) <= marked, "a quarantined row keeps its bytes"
    ids = [str(row[name]) for row in events for name in IDS if row[name] is not None]
    assert [id_ for id_ in ids if clean_id(id_, "text") != id_] == []
    assert len({row["event_id"] for row in events}) == len(events)


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.faults)])
def test_rows_of_any_kind_are_accounted_for(spark: object, shop: Storage, seed: int) -> None:
    dice = random.Random(seed)
    made = [dice.choice(MAKERS)(dice) for _ in range(800)]
    content = b"\n".join([good(dice), *made])  # without an end, as an upload may be
    land_bytes(shop, "any.jsonl", content)
    record = ingest(shop)
    assert record["clean"], "the good rows are not lost among the others"
    require_accounted(shop, record, lines_of(content))


@pytest.mark.faults  # a soak: each file is a run of its own
@pytest.mark.parametrize("seed", range(6))
def test_files_of_random_bytes_are_read_or_refused_by_name(
    spark: object, shop: Storage, seed: int
) -> None:
    dice = random.Random(seed)
    content = dice.randbytes(dice.choice([1, 7, 600, 70_000]))
    land_bytes(shop, "any.jsonl", content)
    try:
        record = ingest(shop)
    except CatwalkError as error:
        assert "any.jsonl" in str(error)
    else:
        require_accounted(shop, record, lines_of(content))
