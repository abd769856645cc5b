"""Tables in a bucket are measured as those on a disk are."""

from __future__ import annotations

import uuid

import pytest

from expectations import interactions
from expectations.checking.suite import Profile
from expectations.checking.tables import open_reader
from expectations.event_measures import BATCH
from infra.schemas import EVENTS
from infra.storage import Storage
from tests.expectations import lake
from tests.s3_server import BUCKET, S3Server

RUN = "run=one"


def profile(shop: Storage) -> Profile:
    with (
        open_reader(shop) as reader,
        reader.open(dict.fromkeys(interactions.GATE.tables, RUN)) as opened,
    ):
        return interactions.GATE.profile(opened, shop, RUN)


def copied(shop: Storage, scheme: str, endpoint: str) -> Storage:
    """Return a shop whose lake is a bucket with the same files."""
    place = {"lake": f"{scheme}://{BUCKET}/{uuid.uuid4().hex}", "s3_endpoint": endpoint}
    there = Storage(shop.settings.model_copy(update=place))
    for key in shop.lake.store.list(""):
        there.lake.store.write(key, shop.lake.store.read(key))
    return there


@pytest.mark.parametrize("scheme", ["s3", "s3a"])
@pytest.mark.parametrize("endpoint", ["endpoint", "tls_endpoint"])
def test_a_gate_measures_tables_in_the_bucket_of_the_settings(
    shop: Storage, s3: S3Server, scheme: str, endpoint: str
) -> None:
    lake.put_interactions(shop, RUN, [*lake.pairs(range(10), range(10)), lake.held_out(1, 50)])
    lake.put_items(shop, RUN, lake.items(20))
    there = copied(shop, scheme, getattr(s3, endpoint))
    found = profile(there)
    assert found.values["holdout_rows"] == 1
    assert found == profile(shop)


def test_columns_that_came_later_are_null_in_an_old_batch(shop: Storage, s3: S3Server) -> None:
    lake.put_batch(
        shop, "batch=shop-000000", lake.events(3), drop="visitor_key market order_id position"
    )
    for place in (shop, copied(shop, "s3", s3.endpoint)):
        with open_reader(place) as reader, reader.open({"events": "batch=shop-000000"}) as opened:
            assert opened.wrong_columns({"events": EVENTS}) == []
            values = opened.measure({name: BATCH[name] for name in ("users", "stranger_share")})
        assert values == {"users": 3, "stranger_share": 0}
