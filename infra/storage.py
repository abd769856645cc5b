"""Opens the places of one shop: lake, published folder, reports, landing folder and scratch."""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from infra.lake import Lake
from infra.places import REPLAYS, SCRATCH
from infra.settings import Settings
from infra.stores.opening import open_store


class Storage:
    """All places of one shop, opened from the settings; `patient` as in `open_store`."""

    def __init__(self, settings: Settings, *, patient: bool = False) -> None:
        self.settings = settings
        self.lake = Lake(open_store(settings.lake, settings, patient=patient))
        self.published = open_store(settings.published, settings, patient=patient)
        self.reports = open_store(settings.reports, settings, patient=patient)

    @property
    def landing(self) -> str:
        """Address of the folder where the shop drops its files."""
        return self.settings.landing

    @property
    def replays(self) -> Path:
        """Folder where quarantined rows wait for a person to edit and land them."""
        return self.settings.home / REPLAYS

    @property
    def scratch_folder(self) -> Path:
        """Local folder of what is deleted when its task ends."""
        return self.settings.home / SCRATCH

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """Give a local folder that is gone afterwards."""
        self.scratch_folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self.scratch_folder) as folder:
            yield Path(folder)

    @contextmanager
    def lake_scratch(self) -> Iterator[str]:
        """Give the key of a folder of the lake, for Spark's workers too; gone afterwards."""
        key = f"{SCRATCH}/{uuid.uuid4().hex}"
        self.lake.store.protect(SCRATCH)  # unpacked files of the shop lie there
        try:
            yield key
        finally:
            self.lake.store.delete_folder(key)
