"""Reads `jobs/sources.yaml`: what lands where, and how it maps to Catwalk's tables."""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, ValidationInfo, field_validator, model_validator

from infra.errors import SettingsError
from infra.ids import IdForm
from infra.placements import require_success
from infra.places import LANDED_AGAIN
from infra.rules import Strict, load_mapping
from infra.schemas import EVENT_IDS, EVENT_TYPES, EVENTS, ITEMS, KEYS, PERSON_IDS
from jobs.landing.paths import EACH, path_of, require_paths

FILE = Path(__file__).parents[1] / "sources.yaml"
# the place of an event in the list of its line, from 1; null where the line is one event
PLACE = "_place"
_LATER = ("explode", "most_elements", "header")  # keys that say nothing where they are left out
_PLAIN = re.compile(r"[A-Za-z_]\w*", re.ASCII)  # what SQL takes for a name as it is


class UnknownSourceError(SettingsError):
    """A source is asked for that the file does not have."""


# How times are written: as ISO 8601 has it, the same with an offset such as ` UTC` or `+00`, as a
# number since 1970, as days without a time, or as Excel's number of days.
TimeForm = Literal[
    "iso",
    "offset",
    "epoch_seconds",
    "epoch_milliseconds",
    "epoch_microseconds",
    "dates",
    "excel",
]


class Feed(Strict):
    """Files of one kind and the mapping of their columns."""

    files: str = Field(min_length=1)
    format: Literal["jsonl", "csv", "parquet"]
    separator: str = Field(",", min_length=1, max_length=1)
    header: bool = True
    time_zone: str
    fields: tuple[str, ...] = Field(min_length=1)
    columns: dict[str, str]
    may_be_empty: bool = False
    explode: str | None = Field(None, min_length=1)
    most_elements: int = Field(200, gt=0, le=1_000)  # as many items as an event of GA4 may have
    ids: dict[str, IdForm] = Field(default_factory=dict)
    times: TimeForm = "iso"
    fractional: tuple[str, ...] = ()

    def digest(self) -> str:
        """Return what tells this mapping from another one, wherever the files lie."""
        left_out = {name for name in _LATER if name not in self.model_fields_set}
        said = self.model_dump_json(exclude={"files", *left_out})
        return sha256(said.encode()).hexdigest()[:16]

    @property
    def is_nested(self) -> bool:
        """Tell a feed of JSON with a path among its fields, or one that takes lines apart."""
        paths = (len(path_of(field)) > 1 for field in self.fields)
        return self.format == "jsonl" and (self.explode is not None or any(paths))

    def names_its_elements(self, column: str) -> bool:
        """Tell a column that is made of an element of the list, or of its place there."""
        sql = self.columns[column]
        elements = (quoted(name) for name in self.fields if EACH in path_of(name))
        named = re.search(rf"(?<!\w){PLACE}(?!\w)", sql)  # not a part of order_placed_id
        return named is not None or any(name in sql for name in elements)

    def forms(self) -> dict[str, IdForm]:
        """Return what the ids are of each id column that is mapped."""
        return {name: self.ids.get(name, "plain") for name in EVENT_IDS if name in self.columns}

    @model_validator(mode="after")
    def _ids_are_mapped(self) -> Feed:
        for name in self.ids.keys() - self.forms().keys():
            raise ValueError(f"ids: '{name}' is no column of ids that is mapped")
        return self

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, zone: str) -> str:
        if zone != "in_text":
            try:
                ZoneInfo(zone)
            except (ZoneInfoNotFoundError, ValueError) as error:
                raise ValueError(f"the time zone '{zone}' does not exist") from error
        return zone

    @model_validator(mode="after")
    def _times_have_a_zone(self) -> Feed:
        if self.times in ("dates", "excel") and self.time_zone == "in_text":
            raise ValueError(f"times '{self.times}' have no offset: time_zone must name their zone")
        if self.times == "offset" and self.time_zone != "in_text":
            raise ValueError("times with an offset need the time_zone 'in_text'")
        return self

    def names_in_header(self) -> tuple[str, ...]:
        """Return the names of the columns as a header writes them: some may have none."""
        named = enumerate(self.fields, 1)
        return tuple("" if name == _unnamed(place) else name for place, name in named)

    @field_validator("fields")
    @classmethod
    def _distinct(cls, fields: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if info.data.get("format") == "csv":
            fields = tuple(name or _unnamed(place) for place, name in enumerate(fields, 1))
        for name in fields:
            if not name:
                raise ValueError("a field needs a name")
            if fields.count(name) > 1:
                raise ValueError(f"'{name}' occurs twice")
        return fields

    @field_validator("columns")
    @classmethod
    def _fields_by_their_names(
        cls, columns: dict[str, str], info: ValidationInfo
    ) -> dict[str, str]:
        """Let a column be a field as it is written, also where SQL would have it quoted."""
        fields = info.data.get("fields", ())
        return {name: in_sql(sql) if sql in fields else sql for name, sql in columns.items()}

    @model_validator(mode="after")
    def _paths_fit(self) -> Feed:
        if self.format == "jsonl":
            require_paths(self.fields, self.explode)
        elif self.explode is not None:
            raise ValueError(f"explode: lines of {self.format} hold no lists; it is for jsonl")
        if not self.header and self.format != "csv":
            raise ValueError(f"header: files of {self.format} have none; it is for csv")
        return self

    @field_validator("files")
    @classmethod
    def _below_landing(cls, glob: str) -> str:
        if glob.startswith("/") or ".." in Path(glob).parts or "://" in glob:
            raise ValueError("the glob must stay below the landing folder")
        return glob


class EventFeed(Feed):
    """The events of a source."""

    max_age_days: int = Field(gt=0)
    event_types: dict[str, str] = Field(default_factory=dict)
    nobody: tuple[str, ...] = ()
    only: dict[str, str] = Field(default_factory=dict)
    not_events: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _maps_to_events(self) -> EventFeed:
        optional = {*EVENTS.columns, *PERSON_IDS} - {*KEYS}
        _check_columns(self.columns, set(EVENTS.required), optional)
        if not set(PERSON_IDS) & set(self.columns):
            raise ValueError(f"one of {' and '.join(map(repr, PERSON_IDS))} must be mapped")
        texts = {name for name in EVENTS.texts if name in self.columns}
        for name, pattern in self.only.items():
            _require_pattern(name, pattern, texts)
        for name in set(self.fractional) - {"quantity", "rating", "position"}:
            raise ValueError(f"fractional: '{name}' is no column of whole numbers")
        strange = set(self.event_types.values()) - set(EVENT_TYPES)
        if strange:
            raise ValueError(f"'{sorted(strange)[0]}' is not one of {', '.join(EVENT_TYPES)}")
        return self

    def with_replays(self, source: str) -> EventFeed:
        """Return the feed that reads, beside what the shop delivers, what was replayed of it."""
        return self.model_copy(update={"files": f"{{{self.files},{replay_folder(source)}/*}}"})


class ItemFeed(Feed):
    """The catalogue of a source; of several rows of an item the latest before the cut counts."""

    not_items: dict[str, str] = Field(default_factory=dict)
    timeless: bool = False

    @model_validator(mode="after")
    def _maps_to_items(self) -> ItemFeed:
        _check_columns(self.columns, set(ITEMS.required), set(ITEMS.columns))
        return self


class Source(Strict):
    """One shop system that delivers files; `success` where other events count than elsewhere.

    `items` is None where it delivers events alone.
    """

    events: EventFeed
    items: ItemFeed | None = None
    success: tuple[str, ...] | None = Field(None, min_length=1)

    @field_validator("success")
    @classmethod
    def _types_that_can_be_a_success(cls, types: tuple[str, ...] | None) -> tuple[str, ...] | None:
        return types and require_success(types)


def _unnamed(place: int) -> str:
    """Name a column of CSV that has no name in the header, by its place from 1."""
    return f"_column_{place}"


def quoted(field: str) -> str:
    """Write the name of a field as SQL does: a dot in it is part of the name."""
    return "`" + field.replace("`", "``") + "`"


def in_sql(field: str) -> str:
    """Write the name of a field as a person would in SQL: quoted where it must be.

    >>> in_sql("item_id"), in_sql("items[].price")
    ('item_id', '`items[].price`')
    """
    return field if _PLAIN.fullmatch(field) else quoted(field)


def replay_folder(source: str) -> str:
    """Name the folder below the landing folder where quarantined rows of a source land again."""
    return f"{LANDED_AGAIN}/{source}"


def load_sources(names: tuple[str, ...], file: Path = FILE) -> dict[str, Source]:
    """Return the sources an installation ingests.

    Raises
    ------
    UnknownSourceError
        A name is not in the file.
    SettingsError
        The file is wrong.
    """
    sources = load_mapping(file, Source)
    for name in names:
        if name not in sources:
            raise UnknownSourceError(
                f"The source '{name}' is not in {file}.",
                f"Add it there, or set CATWALK_SOURCES to some of: {', '.join(sources)}.",
            )
    return {name: sources[name] for name in names}


def item_feeds(sources: Mapping[str, Source]) -> list[ItemFeed]:
    """Return the catalogues of the sources; raise `SettingsError` if none of them has one."""
    feeds = [source.items for source in sources.values() if source.items is not None]
    if not feeds:
        raise SettingsError(
            f"No source of {', '.join(sources)} has items.",
            "Add a source to CATWALK_SOURCES that delivers the catalogue.",
        )
    return feeds


def success_by_source(file: Path = FILE) -> dict[str, tuple[str, ...]]:
    """Return what counts as a success in those sources that say so themselves."""
    sources = load_mapping(file, Source)
    return {name: source.success for name, source in sources.items() if source.success}


def _require_pattern(name: str, pattern: str, texts: set[str]) -> None:
    if name not in texts:
        raise ValueError(f"only: '{name}' is no text that is mapped and may be empty")
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"only: '{pattern}' is no regular expression: {error}") from error


def _check_columns(columns: dict[str, str], required: set[str], optional: set[str]) -> None:
    for name in sorted(required - set(columns)):
        raise ValueError(f"the required column '{name}' is not mapped")
    for name in sorted(set(columns) - required - optional):
        raise ValueError(f"'{name}' is no column of Catwalk's table")
