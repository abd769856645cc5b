"""Says what a file is by its first bytes; its name may say anything."""

from __future__ import annotations

import codecs
import json
import re
from contextlib import suppress

# Files that are unpacked, by how they begin.
PACKINGS = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd", b"BZh": "bzip2", b"PK": "zip"}
_PARQUET = b"PAR1"
# What is neither lines of text nor unpacked.
_OTHERS = {
    b"\xfd7zXZ\0": "an xz file",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive",
    b"Rar!": "a RAR archive",
    b"\x04\x22\x4d\x18": "an lz4 file",
    b"\xff\x06\0\0sNaPpY": "a snappy file",
    b"\x1f\x9d": "a compress file",
    b"Obj\x01": "an Avro file",
    b"ORC": "an ORC file",
    b"SQLite format 3": "an SQLite database",
    b"\xd0\xcf\x11\xe0": "an old Excel file",
    b"%PDF": "a PDF",
}
_MARKS = {  # the longer ones first: UTF-32 begins as UTF-16 does
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}
_PAGE = re.compile(rb"<(!doctype|html|\?xml|error|head|body)\b", re.IGNORECASE)


def packing_of(start: bytes) -> str:
    r"""Return how a file is packed, a word of `PACKINGS`; empty if it is not.

    >>> packing_of(b"\x1f\x8b\x08..."), packing_of(b'{"event_id": "e1"}')
    ('gzip', '')
    """
    return next((name for magic, name in PACKINGS.items() if _begins(start, magic)), "")


def _begins(start: bytes, magic: bytes) -> bool:
    """Tell a packing from a text that begins with its letters."""
    if magic == b"PK":
        return start[2:4] in {b"\x03\x04", b"\x05\x06"}
    if magic == b"BZh":
        return start[4:10] in {b"1AY&SY", b"\x17rE8P\x90"}  # a block, or the end of an empty file
    return start.startswith(magic)


def strange(start: bytes, form: str) -> tuple[str, str] | None:
    """Say what an unpacked file is, and the cure, if it cannot be of the feed's format.

    Parameters
    ----------
    start : bytes
        Its first bytes, thousands of them unless the file is shorter.
    form : str
        The `format` of the feed.

    >>> strange("{}".encode("utf-16"), "jsonl")
    ('is UTF-16', 'Convert it: iconv -f utf-16 -t utf-8.')
    >>> strange(b'{"event_id": "e1"}', "jsonl")
    """
    if not start:
        return None
    if form == "parquet":
        return None if start.startswith(_PARQUET) else _not_parquet(start)
    if packing := packing_of(start):
        return f"is {packing} within a packed file", "Pack it once."
    if start.startswith(_PARQUET):
        return "is Parquet", "Give it a source of its own whose `format` is parquet."
    for magic, name in _OTHERS.items():
        if start.startswith(magic):
            return f"is {name}", "Deliver plain text, or packed by gzip, zstd, bzip2 or zip."
    return _strange_text(start, form)


def _not_parquet(start: bytes) -> tuple[str, str]:
    packing = packing_of(start)
    what = f"is packed ({packing})" if packing else "is not Parquet: it does not begin with PAR1"
    return what, "Deliver it as Parquet, or move it out of the folder of this source."


def _strange_text(start: bytes, form: str) -> tuple[str, str] | None:
    if not start.strip(b"\0"):
        return "begins with NULs alone", "Deliver it again: its content was lost on the way."
    if name := _wide_letters(start):
        return f"is {name}", f"Convert it: iconv -f {name.lower()} -t utf-8."
    text = start.removeprefix(codecs.BOM_UTF8).lstrip()
    if _PAGE.match(text):
        return "is a page of HTML or XML", "Deliver it again: a server wrote an error in its place."
    if form == "jsonl" and _is_array(text):
        return "is one JSON array", "Write an object a line: jq -c '.[]' FILE."
    return None


def _wide_letters(start: bytes) -> str:
    """Name an encoding of two or four bytes a letter, with or without a mark before it."""
    for mark, name in _MARKS.items():
        if start.startswith(mark):
            return name
    zeros = [start[place::4].count(0) > 0.9 * len(start[place::4]) for place in range(4)]
    if len(start) < 8 or not any(zeros):
        return ""
    return "UTF-32" if sum(zeros) == 3 else "UTF-16" if sum(zeros) == 2 else ""


def _is_array(text: bytes) -> bool:
    """Tell a file that is one array from lines of which the first happens to be one."""
    if not text.startswith(b"["):
        return False
    first, _, rest = text.partition(b"\n")
    with suppress(ValueError, RecursionError):
        return isinstance(json.loads(first), list) and not rest.strip()
    if first.strip() == b"[" or first.rstrip().endswith(b","):
        return True  # an element a line
    return not rest.strip() or not any(line.startswith(b"{") for line in rest.splitlines()[:1])
