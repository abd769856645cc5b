"""Tables in a bucket are measured as those on a disk are."""

from __future__ import annotations

import uuid

import pytest

from expectations import interactions
from expectations.checking.suite import Profile
from expectations.checking.tables import open_reader
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


@pytest.mark.parametrize("scheme", ["s3", "s3a"])
@pytest.mark.parametrize("endpoint", ["endpoint", "tls_endpoint"])
def test_a_gate_measures_tables_in_the_bucket_of_the_settings(
    shop: Storage, s3: S3Server, scheme: str, endpoint: str
) -> None:
    lake.put_interactions(shop, RUN, [*lake.pairs(range(10), range(10)), lake.held_out(1, 50)])
    lake.put_items(shop, RUN, lake.items(20))
    place = {
        "lake": f"{scheme}://{BUCKET}/{uuid.uuid4().hex}",
        "s3_endpoint": getattr(s3, endpoint),
    }
    there = Storage(shop.settings.model_copy(update=place))
    for key in shop.lake.store.list(""):
        there.lake.store.write(key, shop.lake.store.read(key))
    found = profile(there)
    assert found.values["holdout_rows"] == 1
    assert found == profile(shop)
