"""The shops of `infra/shop/historic_shops.yaml`: real data, and the moment it ends at."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from pydantic import AwareDatetime, Field

from infra.errors import InputError
from infra.rules import Strict, load_mapping
from infra.settings import PREFIX, Settings

FILE = Path(__file__).with_name("historic_shops.yaml")


class DemoShop(Strict):
    """One shop; all names but `as_of` are names of settings."""

    as_of: AwareDatetime
    training_window_days: int = Field(ge=2)
    holdout_days: int = Field(ge=1)
    half_life_days: float = Field(gt=0)
    placements: str = Field(min_length=1)

    def settings(self, source: str) -> dict[str, str]:
        """Return the CATWALK_ variables under which this shop trains."""
        own = self.model_dump(exclude={"as_of"})
        named = {PREFIX + name.upper(): str(value) for name, value in own.items()}
        return {f"{PREFIX}SOURCES": source} | named


def load_demo_shops(file: Path = FILE) -> dict[str, DemoShop]:
    """Return all shops by the name of their source."""
    return load_mapping(file, DemoShop)


def demo_shop(source: str) -> DemoShop:
    """Return one shop.

    Raises
    ------
    InputError
        The file does not know it.
    """
    shops = load_demo_shops()
    if source not in shops:
        raise InputError(
            f"No demo is known for the data '{source}' (known: {', '.join(sorted(shops))}).",
            f"Name the folder like its source, and add it to {FILE.name} and jobs/sources.yaml.",
        )
    return shops[source]


def ends_at(settings: Settings) -> datetime | None:
    """Return when the data of a historic shop ends; None for one that still trades."""
    shops = load_demo_shops()
    ends = [shops[source].as_of for source in settings.sources if source in shops]
    return max(ends, default=None)
