"""Shows a few quarantined rows of a run, without whoever they are about: for reports and people.

A row is shown by the fields that its source declares. What makes a user or a visitor is hidden,
wherever it occurs in the row, and so is what looks like personal data. A row that cannot be parsed
is shown by its shape alone: `{"aaaa_aa": "a0000"`.
"""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

from infra.lake import batch_source
from infra.ledger.batches import BatchReader
from infra.places import REPOSITORY
from infra.schemas import PERSON_IDS, Reason
from infra.settings import Settings
from infra.storage import Storage
from jobs.batches.quarantine import Group, raw_rows
from jobs.cleaning.times import written_so
from jobs.landing.masking import PATTERNS
from jobs.landing.paths import path_of, value_at
from jobs.landing.sources import Feed, Source

MOST = 10  # rows per reason, and unknown words
_MOST_COUNTED = 100_000  # rows whose words are counted
_LONGEST = 80  # characters of a value, and of a shape
_HIDDEN = "(hidden)"
_WORDS = re.compile(r"[^\W_]{4,}")


@dataclass(frozen=True)
class Example:
    """A quarantined row as it may be shown.

    Attributes
    ----------
    fields : dict of str to str
        Its fields; empty for one that cannot be parsed.
    shape : str
        What such a one looks like: a letter is `a`, a digit is `0`.
    """

    reason: str
    batch: str
    fields: dict[str, str]
    shape: str


def examples(storage: Storage, run: str, sources: Mapping[str, Source]) -> dict[str, Any]:
    """Return what the record of an ingestion says of its quarantined rows, beside their counts.

    Returns
    -------
    dict
        `examples`: up to ten rows per reason; `unknown_words`: event types that the mapping lacks,
        with their rows; `time_forms`: forms of times that the source does not name, likewise;
        `replays`: the command that reads the rows of a reason again.
    """
    shown: list[dict[str, Any]] = []
    words, forms, seen = Counter[str](), Counter[str](), Counter[str]()
    for group, feed in _groups(storage, run, sources):
        rows = islice(raw_rows(storage, group), MOST - seen[group.reason])
        found = [asdict(example_of(group, row, feed)) for row in rows]
        seen[group.reason] += len(found)
        shown += found
        if group.reason == Reason.UNKNOWN_TYPE:
            words.update(_words(islice(raw_rows(storage, group), _MOST_COUNTED), feed))
        if group.reason == Reason.WRONG_TYPE:
            forms.update(_forms(islice(raw_rows(storage, group), _MOST_COUNTED), feed))
    return {
        "examples": sorted(shown, key=lambda row: row["reason"]),
        "unknown_words": dict(words.most_common(MOST)),
        "time_forms": dict(forms.most_common(MOST)),
        "replays": {reason: replay_command(storage.settings, reason) for reason in sorted(seen)},
    }


def example_of(group: Group, raw: bytes, feed: Feed, events: Feed | None = None) -> Example:
    """Return a row as it may be shown; of a catalogue, `events` say what makes a person."""
    fields = _parsed(raw, feed)
    if fields is None:
        text = raw[: 2 * _LONGEST].decode("utf-8", "replace")
        return Example(group.reason, group.batch, {}, _cut(_shape(text)))
    return Example(group.reason, group.batch, without_persons(fields, events or feed), "")


def without_persons(fields: Mapping[str, str], feed: Feed) -> dict[str, str]:
    """Hide in the fields of a row whoever it is about."""
    mapped = " ".join(feed.columns.get(name, "") for name in PERSON_IDS).lower()
    personal = {name for name in fields if name.lower() in mapped}
    # also what a mapping may take out of a field: `{"id": "anna22"}`, `17850.0`
    texts = {fields[name] for name in personal}
    parts = {part for text in texts for part in (text, *_WORDS.findall(text), *_elements(text))}
    persons = sorted(parts, key=len, reverse=True)
    return {
        name: _HIDDEN if name in personal and value else _cut(_masked(value, persons))
        for name, value in fields.items()
    }


def _elements(text: str) -> list[str]:
    """Return what a list of several elements holds, of each as it is written."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return []
    return [_text(each) for each in found if each] if isinstance(found, list) else []


def replay_command(settings: Settings, reason: str) -> str:
    """Return the command that reads the quarantined rows of a reason again, as they are."""
    in_var = settings.home.parent == REPOSITORY / "var"
    shop = f"SHOP={settings.home.name}" if in_var else f"CATWALK_HOME={settings.home}"
    return f"make replay {shop} REASON={reason}"


def _groups(
    storage: Storage, run: str, sources: Mapping[str, Source]
) -> Iterator[tuple[Group, Feed]]:
    for batch, manifest in BatchReader(storage).manifests().items():
        source = sources.get(batch_source(batch))
        if manifest["run"] == run and source:
            for reason, rows in manifest["quarantined"].items():
                yield Group(batch, reason, rows), source.events


def _words(rows: Iterator[bytes], feed: Feed) -> Iterator[str]:
    """Give the word for an event type of each row, where it is a field as it comes."""
    field = feed.columns.get("event_type", "").strip("`")
    for row in rows:
        fields = _parsed(row, feed) or {}
        if field in fields:
            yield without_persons(fields, feed)[field]


def _forms(rows: Iterator[bytes], feed: Feed) -> Iterator[str]:
    """Give the form of the time of each row that is not written as its source says."""
    field, right = feed.columns.get("event_time", "").strip("`"), re.compile(written_so(feed))
    for row in rows:
        text = (_parsed(row, feed) or {}).get(field, "")
        if text and not right.search(text):
            yield form_of(text)


def form_of(text: str) -> str:
    """Return how a text is written: a digit is `9`, a letter `a` or `A`, and nothing is told.

    >>> form_of("2026-11-28 10:00:00 Uhr")
    '9999-99-99 99:99:99 Aaa'
    """
    letters = re.sub(r"[^\W\d_]", lambda found: "A" if found[0].isupper() else "a", text)
    return _cut(re.sub(r"\d", "9", letters))


def _parsed(raw: bytes, feed: Feed) -> dict[str, str] | None:
    """Return the declared fields of a row as texts; None for one that cannot be parsed."""
    try:
        text = raw.decode("utf-8")
        if feed.format == "csv":
            (values,) = csv.reader([text], delimiter=feed.separator)
            return dict(zip(feed.fields, values, strict=True))
        return dict(_values(json.loads(text), feed))
    except (ValueError, TypeError, RecursionError, csv.Error):
        return None


def _values(found: Mapping[str, object], feed: Feed) -> Iterator[tuple[str, str]]:
    """Give the declared fields that a row of JSON has; of a list that is taken apart each value."""
    for name in feed.fields:
        if name in found:
            yield name, _text(found[name])
        elif feed.is_nested and (value := value_at(found, path_of(name))) is not None:
            yield name, _text(value)


def _text(value: object) -> str:
    """Write a value; half of a surrogate pair, which no record can hold, becomes a `?`."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text.encode("utf-8", "replace").decode()


def _masked(text: str, persons: list[str]) -> str:
    for person in persons:
        if len(person) > 1:  # a single sign names nobody, and would hide half of the row
            text = text.replace(person, _HIDDEN)
    for word, pattern in PATTERNS.items():
        text = re.sub(pattern, word, text)
    return text


def _shape(text: str) -> str:
    return re.sub(r"\d", "0", re.sub(r"[^\W\d_]", "a", text))


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}... ({len(text):,} characters)"
