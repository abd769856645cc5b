"""Puts rows of CSV that go on over several lines into a line each, as Spark reads them.

Spark takes a file apart line by line. So a small file with a line break within quotes is copied,
with marks in place of such breaks, and reading puts them back. A quote that is never closed must
not swallow the rows behind it: what does not have the columns of a row stays in its lines, and so
does a field that looks like whole rows.
"""

from __future__ import annotations

import re

MOST_WHOLE = 16 * 1024**2  # bytes of a file that is read as a whole, unpacked
# what no text has
LINE_FEED, RETURN = "\x1eLF\x1e", "\x1eCR\x1e"
_LINE = re.compile(rb"[^\r\n]*(?:\r\n|\r|\n|\Z)")


def in_lines(content: bytes, separator: str, columns: int, longest: int) -> bytes | None:
    r"""Return a text of CSV with each row in a line; None if all of them are.

    Parameters
    ----------
    columns : int
        So many a row has.
    longest : int
        So many bytes a row has at most.

    >>> in_lines(b'1,"a\nb",c\n2,"d,\n', ",", 3, 99)
    b'1,"a\x1eLF\x1eb",c\n2,"d,\n'
    >>> in_lines(b'1,"a,c\n2,b,"\n', ",", 3, 99)
    """
    if not _may_have_breaks(content) or LINE_FEED.encode() in content:
        return None
    between = separator.encode()
    field = _field(between)
    row = re.compile(rb"%b(?:%b%b)*+" % (field, re.escape(between), field))
    rows, place, found = list[bytes](), 0, False
    while place < len(content):
        line = _LINE.match(content, place)
        assert line is not None
        if line[0].count(b'"') % 2:
            whole = row.match(content, place, place + longest + 1)
            ends = whole and content[whole.end() : whole.end() + 1] in (b"", b"\n", b"\r")
            if whole and ends and _is_row(_fields(whole[0], field, between), between, columns):
                rows.append(
                    whole[0].replace(b"\n", LINE_FEED.encode()).replace(b"\r", RETURN.encode())
                )
                place, found = whole.end(), True
                continue
        rows.append(line[0])
        place = line.end()
    return b"".join(rows) if found else None


def _may_have_breaks(content: bytes) -> bool:
    """Tell quickly whether any line ends within quotes."""
    return any(b"\n" in part or b"\r" in part for part in content.split(b'"')[1::2])


def _field(separator: bytes) -> bytes:
    """Return what a field looks like whose quotes are closed; nothing is tried twice."""
    sep = re.escape(separator)
    plain = rb'(?:(?!"|%b)[^\r\n](?:(?!%b)[^\r\n])*+)?+' % (sep, sep)
    return rb'(?:"(?:[^"]++|"")*+"|%b)' % plain


def _fields(row: bytes, field: bytes, separator: bytes) -> list[bytes]:
    fields, place, pattern = list[bytes](), 0, re.compile(field)
    while place <= len(row):
        found = pattern.match(row, place)
        assert found is not None
        fields.append(found[0])
        place = found.end() + len(separator)
    return fields


def _is_row(fields: list[bytes], separator: bytes, columns: int) -> bool:
    """Tell a row of several lines from rows that stray quotes join.

    Two of them in the same column join a row, all between them and another row: the first line
    goes on to the last column, the last one begins with the first.
    """
    if len(fields) != columns:
        return False
    several = [place for place, field in enumerate(fields) if len(field.splitlines()) > 1]
    for place in several:
        first, *between, last = (line.count(separator) for line in fields[place].splitlines())
        if columns - 1 in between or (first, last) == (columns - 1 - place, place):
            return False
    return bool(several)
