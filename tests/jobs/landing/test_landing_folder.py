"""What stands in the landing folder is read, known as an upload that goes on, or an error."""

from __future__ import annotations

import pytest

from infra.errors import InputError
from infra.spark.submit import run_here
from infra.storage import Storage
from jobs import ingest_events
from tests.jobs.shop_files import RUN, event, files_read, ingest, land


@pytest.mark.parametrize("name", ["day.jsonl", ".day.jsonl"])
def test_a_folder_where_a_file_is_expected_is_an_error(
    spark: object, shop: Storage, name: str
) -> None:
    land(shop, [event()])
    land(shop, [event(event_id="half")], f"{name}/part")  # Spark would read it, hidden or not
    with pytest.raises(InputError, match=rf"/{name} is a folder where a file is expected"):
        ingest(shop)


def test_a_name_that_is_a_pattern_is_an_error_before_it_reads_its_neighbours_twice(
    spark: object, shop: Storage
) -> None:
    land(shop, [event()], "day.jsonl")
    for name in ("day[1].jsonl", "da?.jsonl", "d*.jsonl", "{day}.jsonl", "d\\y.jsonl"):
        file = land(shop, [event(event_id="e2")], name)
        with pytest.raises(InputError, match="has one of the signs"):
            ingest(shop)
        file.unlink()
    assert shop.lake.partitions("events") == []


def test_a_name_that_reads_as_the_end_of_a_name_is_an_error(spark: object, shop: Storage) -> None:
    land(shop, [event()], "day; isDirectory=false; length=1; .jsonl")
    with pytest.raises(InputError, match="has '; isDirectory=' in its name"):
        ingest(shop)


def test_a_name_of_parquets_own_is_an_error_before_spark_reads_nothing_of_it(
    spark: object, shop: Storage
) -> None:
    land(shop, [event()], "_metadata.jsonl")
    with pytest.raises(
        InputError, match=r"/_metadata\.jsonl begins like the names of Parquet's own"
    ):
        ingest(shop)


def test_odd_names_are_names_and_a_hidden_one_is_an_upload_that_goes_on(
    spark: object, shop: Storage
) -> None:
    land(shop, [event(event_id="half")], ".two.jsonl.Xy12Za")
    land(shop, [event(event_id="half")], "three.jsonl._COPYING_")
    land(shop, [event(event_id="half")], "_four.jsonl")
    land(shop, [event(event_id="half")], "_a=b.jsonl._COPYING_")
    names = ("a b", "gr\u00f6\u00dfe", "100%", "%41", "#1", "x;y&z=1", "'\"", "_a=b", "_metadata=")
    landed = {
        f"events/shop/{land(shop, [event(event_id=f'e{number}')], f'{name}.jsonl').name}"
        for number, name in enumerate(names)
    }
    land(shop, [], "_empty=.jsonl")
    record = ingest(shop)
    assert (record["read"], record["clean"], record["files"]) == (9, 9, 10)
    assert files_read(shop).keys() > landed
    assert ingest(shop, "run=second")["read"] == 0


def test_a_name_with_a_colon_is_one_line(spark: object, shop: Storage) -> None:
    land(shop, [event()], "10:00:00.jsonl")
    with pytest.raises(InputError, match=r"10:00:00[.]jsonl .* colon"):
        run_here(ingest_events, ["--run", RUN])
