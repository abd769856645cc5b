"""Tables as folders; what others do with them is tested where it is done."""

from __future__ import annotations

import os
from pathlib import Path

from infra.schemas import EVENTS, QUARANTINE
from infra.storage import Storage


def test_what_holds_ids_is_the_owner_s_alone_from_the_first_moment(shop: Storage) -> None:
    before = os.umask(0)
    try:
        for table in (QUARANTINE.name, EVENTS.name):
            folder = Path(shop.lake.begin(table, "batch=shop-000000"))
            folder.mkdir(parents=True)
            assert folder.parent.stat().st_mode & 0o777 == (0o777 if table == "events" else 0o700)
            (folder / "part.parquet").write_bytes(b"x")
            shop.lake.commit(table, folder.name, {})
    finally:
        os.umask(before)
    modes = {
        name: Path(shop.lake.address(name, folder.name, "part.parquet")).stat().st_mode & 0o777
        for name in (QUARANTINE.name, EVENTS.name)
    }
    assert modes == {"quarantine": 0o600, "events": 0o666}
