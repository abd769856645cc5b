"""The served log becomes a table: each answer once, broken lines told, gaps counted."""

from __future__ import annotations

import pytest
from pyspark.sql import SparkSession

from infra.errors import StorageError
from infra.ledger.served import DayOfLog, days_of_log, served_manifests
from infra.mart_schemas import SERVED
from infra.storage import Storage
from jobs import ingest_served
from jobs.marts.served_batches import portions
from tests.jobs.marts.served_files import land_served, line
from tests.jobs.shop_files import RUN, rows

DAY, NEXT = "2026-11-24", "2026-11-25"


def answer(request: str, sequence: int, day: str = DAY, **more: object) -> bytes:
    return line(request, f"{day}T10:00:00.25+00:00", sequence, "i1 i2", **more)


def ingest() -> None:
    ingest_served.main(["--run", RUN])


def requests(shop: Storage) -> list[object]:
    return sorted(str(row["request_id"]) for row in rows(shop, SERVED.name))


def test_an_answer_is_a_row_and_a_rerun_reads_nothing_twice(spark: object, shop: Storage) -> None:
    tested = {"test": "bold-home", "phase": 2, "arm": "treatment", "asked": 10}
    land_served(shop, answer("r1", 1, user_key="u", market="PL", **tested), answer("r2", 2), b"")
    ingest()
    ingest()
    assert list(served_manifests(shop)) == ["batch=served_log-000001"]
    first, second = sorted(rows(shop, SERVED.name), key=lambda row: str(row["request_id"]))
    assert first["item_ids"] == ["i1", "i2"] and first["sources"] == ["personal", "personal"]
    assert (first["user_key"], first["visitor_key"], first["market"]) == ("u", None, "PL")
    assert [first[name] for name in ("test", "phase", "arm", "asked")] == list(tested.values())
    assert [second[name] for name in ("test", "phase", "arm", "asked")] == [None, None, None, 0]
    assert str(first["served_at"]).startswith("2026-11-24 10:00:00.25")
    assert first.keys() == {*SERVED.columns}


def test_what_lands_later_is_read_then_and_a_repeated_request_counts_once(
    spark: object, shop: Storage
) -> None:
    land_served(shop, answer("r1", 1), answer("r1", 1), answer("r2", 2))
    ingest()
    land_served(shop, answer("r2", 2), answer("r3", 3), name="20261124T100500-w1-000002")
    ingest()
    assert requests(shop) == ["r1", "r2", "r3"]
    manifests = served_manifests(shop).values()
    assert [(made["rows_read"], made["rows"], made["repeats"]) for made in manifests] == [
        (3, 2, 1),
        (2, 1, 1),
    ]


def test_broken_lines_are_quarantined_with_their_reason(spark: object, shop: Storage) -> None:
    whole = answer("r1", 1).decode()
    broken = {
        whole[:-9]: "malformed_json",
        "[1]": "malformed_json",
        whole.replace('"r1"', '" "'): "missing_field",
        whole.replace('"items"', '"things"'): "missing_field",
        whole.replace('"item_id"', '"id"'): "missing_field",
        whole.replace('"sequence":1', '"sequence":"one"'): "wrong_type",
        whole.replace("2026-11-24T10", "yesterday"): "wrong_type",
        whole.replace("2026-11-24", "2126-11-24"): "future_time",
    }
    land_served(
        shop, *(text.encode() for text in broken), b'{"request_id": "\xff"}', answer("r1", 1)
    )
    ingest()
    assert requests(shop) == ["r1"]
    told = {row["raw"]: row["reason"] for row in rows(shop, "quarantine")}
    expected = {text.encode(): reason for text, reason in broken.items()}
    assert told == {**expected, b'{"request_id": "\xff"}': "not_utf8"}
    (manifest,) = served_manifests(shop).values()
    assert sum(manifest["quarantined"].values()) == 9 and manifest["rows_read"] == 10


def test_gaps_are_counted_by_day_also_over_midnight_and_in_later_files(
    spark: object, shop: Storage
) -> None:
    land_served(shop, answer("a1", 1), answer("a4", 4), answer("b2", 2, process="w2"))
    ingest()
    land_served(shop, answer("a3", 3), answer("a7", 7, NEXT), name="20261125T100000-w1-000002")
    ingest()
    assert days_of_log(served_manifests(shop)) == {DAY: DayOfLog(4, 2), NEXT: DayOfLog(1, 2)}


def test_a_kill_before_the_manifest_loses_and_doubles_nothing(
    spark: object, shop: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    land_served(shop, answer("r1", 1), b"{")
    commit = type(shop.lake).commit

    def killed(self: object, table: str, *rest: object) -> None:
        if table == SERVED.name:
            raise StorageError("Killed.", "Run again.")
        commit(self, table, *rest)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(type(shop.lake), "commit", killed)
        with pytest.raises(StorageError):
            ingest()
    assert shop.lake.partitions(SERVED.name) == []
    ingest()
    assert requests(shop) == ["r1"]
    assert list(served_manifests(shop)) == ["batch=served_log-000001"]
    assert len(rows(shop, "quarantine")) == 1


def test_nothing_landed_is_no_error(spark: SparkSession, shop: Storage) -> None:
    ingest()
    assert served_manifests(shop) == {}


def test_a_batch_is_bounded_in_files_and_in_bytes(shop: Storage) -> None:
    bounds = {"ingest_batch_files": 2, "ingest_batch_bytes": 10}
    settings = shop.settings.model_copy(update=bounds)
    files = {"a": 4, "b": 4, "c": 4, "d": 20, "e": 1, "f": 9, "g": 1}
    cut = [list(portion) for portion in portions(files, settings)]
    assert cut == [["a", "b"], ["c"], ["d"], ["e", "f"], ["g"]]
