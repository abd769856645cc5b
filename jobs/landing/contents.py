"""Holds what new files are against what their source says, before any row is read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial

from infra.errors import InputError
from infra.settings import Settings
from jobs.landing.csv_headers import require_header
from jobs.landing.first_bytes import strange
from jobs.landing.landing_folder import Landed, addresses, require_plain_names
from jobs.landing.quoted_breaks import MOST_WHOLE, in_lines
from jobs.landing.reading import LONGEST_ROW
from jobs.landing.sources import Feed
from jobs.landing.unpacking import START, Content, Wanted, content_of, needs_copy, whole_content

_MOST_NAMED = 5
Finding = tuple[str, str, str]  # the file, what it is, and the cure


def require_readable(files: Landed, feed: Feed, settings: Settings) -> Wanted:
    """Check names, first bytes and headers; return what must be unpacked or rewritten first.

    Raises
    ------
    InputError
        A file must not be read: it is not what the feed says.
    """
    require_plain_names(addresses(files))
    wanted: dict[str, Callable[[bytes], bytes] | None] = {}
    findings: list[Finding] = []
    for name, file in files.items():
        content = content_of(file.address, settings)
        if not content.packing and not content.starts[0][1]:
            continue  # an empty file is one without rows, whatever its name
        wrong = [*_findings(file.address, content, feed, settings)]
        findings += wrong
        if feed.format != "parquet" and needs_copy(file.address, content.packing):
            wanted[name] = None
        small = file.size <= MOST_WHOLE
        if small and not wrong and _goes_over_lines(file.address, content, feed, settings):
            wanted[name] = partial(_rows_in_lines, feed)
    _refuse(findings)
    return wanted


def require_content(addresses: Iterable[str], feed: Feed, settings: Settings) -> None:
    """Check first bytes and headers of single files; raise `InputError` as `require_readable`."""
    contents = ((file, content_of(file, settings)) for file in addresses)
    _refuse(
        [found for file, content in contents for found in _findings(file, content, feed, settings)]
    )


def _findings(address: str, content: Content, feed: Feed, settings: Settings) -> Iterator[Finding]:
    for member, start in content.starts:
        file = f"{address}, {member}," if member else address
        if found := strange(start, feed.format):
            yield file, *found
        else:
            require_header(file, start, feed)
            if _has_breaks(start, feed) and _whole(address, content, settings) is None:
                what = f"has rows over several lines and more than {MOST_WHOLE:,} bytes"
                yield file, what, "Deliver it in smaller files, or without line breaks in quotes."


def _goes_over_lines(address: str, content: Content, feed: Feed, settings: Settings) -> bool:
    """Tell a file of CSV with a row that goes on over several lines, if it is a small one."""
    if feed.format != "csv":
        return False
    whole = _whole(address, content, settings)
    return whole is not None and _has_breaks(whole, feed)


def _whole(address: str, content: Content, settings: Settings) -> bytes | None:
    """Return all of a file; None if it is too large to be read as a whole."""
    if not content.packing and len(content.starts[0][1]) < START:
        return content.starts[0][1]
    return whole_content(address, settings, MOST_WHOLE)


def _has_breaks(content: bytes, feed: Feed) -> bool:
    return feed.format == "csv" and _in_lines(content, feed) is not None


def _rows_in_lines(feed: Feed, content: bytes) -> bytes:
    return _in_lines(content, feed) or content


def _in_lines(content: bytes, feed: Feed) -> bytes | None:
    return in_lines(content, feed.separator, len(feed.fields), LONGEST_ROW)


def _refuse(findings: list[Finding]) -> None:
    if not findings:
        return
    named = [f"{file} {what}" for file, what, _ in findings[:_MOST_NAMED]]
    more = len(findings) - len(named)
    fact = "; ".join(named) + (f"; and {more} more files" if more else "")
    raise InputError(f"{fact}.", " ".join(dict.fromkeys(cure for *_, cure in findings)))
