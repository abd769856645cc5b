"""Shops whose data has ended: what fits it, and the moment it ends at."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import AwareDatetime, Field

from infra.errors import InputError
from infra.private_files import read_private, write_private
from infra.rules import Strict, load_mapping
from infra.settings import PREFIX, Settings

FILE = Path(__file__).with_name("historic_shops.yaml")
_ENDED, _ENDS_AT = "ended.json", "ends_at"
_TRADES = timedelta(days=2)  # data that is newer may be of a shop that trades


class DataSettings(Strict):
    """What the data of a shop decides; all names but `as_of` are names of settings.

    What is left out is as the settings have it; without `as_of` the newest event says it.
    """

    as_of: AwareDatetime | None = None
    training_window_days: int | None = Field(None, ge=2)
    holdout_days: int | None = Field(None, ge=1)
    half_life_days: float | None = Field(None, gt=0)
    placements: str | None = Field(None, min_length=1)

    def settings(self, sources: str) -> dict[str, str]:
        """Return the CATWALK_ variables under which this shop trains.

        All of them, so that none stays that an earlier run of its home remembers.
        """
        own = self.model_dump(exclude={"as_of"})
        fields = Settings.model_fields
        named = {
            PREFIX + name.upper(): str(fields[name].default if value is None else value)
            for name, value in own.items()
        }
        shipped = str(fields["sources_file"].default)
        return {f"{PREFIX}SOURCES": sources, f"{PREFIX}SOURCES_FILE": shipped} | named


class DemoShop(DataSettings):
    """One shop of the file, which says all of them."""

    as_of: AwareDatetime
    training_window_days: int = Field(ge=2)
    holdout_days: int = Field(ge=1)
    half_life_days: float = Field(gt=0)
    placements: str = Field(min_length=1)


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


def remember_end(home: Path, as_of: datetime) -> None:
    """Remember when the data of a home ended, unless it may be of a shop that trades."""
    if as_of < datetime.now(UTC) - _TRADES:
        write_private(home / _ENDED, {_ENDS_AT: as_of.isoformat()})
    else:
        (home / _ENDED).unlink(missing_ok=True)


def ends_at(settings: Settings) -> datetime | None:
    """Return when the data of a historic shop ends; None for one that still trades."""
    if ended := read_private(settings.home / _ENDED).get(_ENDS_AT):
        return datetime.fromisoformat(ended)
    shops = load_demo_shops()
    ends = [shops[source].as_of for source in settings.sources if source in shops]
    return max(ends, default=None)
