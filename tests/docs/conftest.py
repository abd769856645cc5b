"""One copy of the repository for all tests of pages that type something."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from infra.private_files import write_private
from tests.conftest import SECRET, shop_at
from tests.docs.clone import (
    BAD,
    BATCH,
    copy_repository,
    fill_webshop,
    follow_pages,
    put_in_quarantine,
)
from tests.models.conftest import prepare_bundle, write_tables


@pytest.fixture(scope="session")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the repository with the shops `name`, `webshop` and `simulated`."""
    folder = tmp_path_factory.mktemp("clone") / "catwalk"
    copy_repository(folder)
    with pytest.MonkeyPatch.context() as patch:
        shop = shop_at(folder / "var/name", patch)
        put_in_quarantine(shop, BATCH, BAD)
        prepare_bundle(shop, write_tables(shop))
        fill_webshop(shop_at(folder / "var/webshop", patch), folder)
    for name in ("name", "webshop"):  # who types has the secret that the keys were made under
        write_private(folder / "var" / name / "secrets.json", {"CATWALK_USER_KEY_SECRET": SECRET})
    shutil.copytree(folder / "var/name", folder / "var/simulated")
    follow_pages(folder)
    return folder
