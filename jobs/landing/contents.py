"""Holds what new files are against what their source says, before any row is read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from infra.errors import InputError
from infra.settings import Settings
from jobs.landing.csv_headers import require_header
from jobs.landing.first_bytes import strange
from jobs.landing.landing_folder import Landed, addresses, require_plain_names
from jobs.landing.sources import Feed
from jobs.landing.unpacking import content_of, needs_copy

_MOST_NAMED = 5
Finding = tuple[str, str, str]  # the file, what it is, and the cure


def require_readable(files: Landed, feed: Feed, settings: Settings) -> set[str]:
    """Check names, first bytes and headers; return the names of what must be unpacked first.

    Raises
    ------
    InputError
        A file must not be read: it is not what the feed says.
    """
    require_plain_names(addresses(files))
    packed: set[str] = set()
    findings: list[Finding] = []
    for name, file in files.items():
        content = content_of(file.address, settings)
        if not content.packing and not content.starts[0][1]:
            continue  # an empty file is one without rows, whatever its name
        findings += _findings(file.address, content.starts, feed)
        if feed.format != "parquet" and needs_copy(file.address, content.packing):
            packed.add(name)
    _refuse(findings)
    return packed


def require_content(addresses: Iterable[str], feed: Feed, settings: Settings) -> None:
    """Check first bytes and headers of single files; raise `InputError` as `require_readable`."""
    starts = ((file, content_of(file, settings).starts) for file in addresses)
    _refuse([found for file, start in starts for found in _findings(file, start, feed)])


def _findings(address: str, starts: Iterable[tuple[str, bytes]], feed: Feed) -> Iterator[Finding]:
    for member, start in starts:
        file = f"{address}, {member}," if member else address
        if found := strange(start, feed.format):
            yield file, *found
        else:
            require_header(file, start, feed)


def _refuse(findings: list[Finding]) -> None:
    if not findings:
        return
    named = [f"{file} {what}" for file, what, _ in findings[:_MOST_NAMED]]
    more = len(findings) - len(named)
    fact = "; ".join(named) + (f"; and {more} more files" if more else "")
    raise InputError(f"{fact}.", " ".join(dict.fromkeys(cure for *_, cure in findings)))
