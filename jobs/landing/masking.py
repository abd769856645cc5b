"""Masks and counts what looks like personal data in a text, before it is written.

Recognised: e-mail addresses; IPv4 addresses of four numbers up to 255; IPv6 addresses of eight
groups or with `::`; phone numbers, either `+` and 7 to 15 digits, or a national number with
separators: a zero in front and 8 to 13 digits, or groups of 3-3-4 or 3-3-3. Digits in one piece
are no phone number, so ids stay; neither are dates, times, decimals, UUIDs and version numbers of
two or three parts. Required columns are ids that are compared, not read, and are left alone.
"""

from __future__ import annotations

import re
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from infra.schemas import Table

MASKED = "_masked"
_MASKED_TEXTS = "_masked_texts"
_BETWEEN = "\x1f"  # no sign itself
# Every pattern below needs one of these; nearly all values have none and pay for this test alone.
SIGNS = r"[@:.+ (/-]"
_OCTET = r"(?:25[0-5]|2[0-4]\d|1?\d?\d)"
_HEX = "[0-9A-Fa-f]{1,4}"
_DATE = r"\d{1,2}[./-]\d{1,2}[./-](?:\d\d|\d{4})(?!\d)"
_GAP = "[ ./()-]{0,3}"  # inside a phone number
_STARTS = r"(?<![\w+./,:-])"
_ENDS = r"(?![\w]|[./,:-]\d)"
# In this order; `\w` is a letter of any script, which Java has to be told by `(?U)`.
# All repeats are bounded or start once a word: a long line costs no more than its
# length, and Java's matcher, which recurses on groups, no stack.
PATTERNS = {
    "<email>": r"(?<![\w.%+-])[\w.%+-]+@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}",
    "<ip>": (
        rf"(?<![\w.])(?:{_OCTET}\.){{3}}{_OCTET}(?!\w|\.\d)"
        rf"|(?<![\w:.])(?:(?:{_HEX}:){{7}}{_HEX}"
        rf"|(?={_HEX}|::{_HEX})(?:{_HEX}(?::{_HEX}){{0,6}})?::(?:{_HEX}(?::{_HEX}){{0,6}})?)"
        r"(?![\w:]|\.\d)"
    ),
    "<phone>": (
        rf"(?<![\w+])\+(?:{_GAP}\d){{7,15}}(?!\w)"
        rf"|{_STARTS}(?!{_DATE})(?=(?:{_GAP}\d){{8}})(?!(?:{_GAP}\d){{14}})"
        rf"(?:\(0\d{{0,5}}\)|0\d{{1,5}})(?:[ ./()-]{{1,3}}\d{{2,8}}){{1,4}}{_ENDS}"
        rf"|{_STARTS}(?:\(\d{{3}}\) ?|\d{{3}}[ .-])\d{{3}}[ .-]\d{{4}}{_ENDS}"
        rf"|{_STARTS}\d{{3}}([ -])\d{{3}}\1\d{{3}}{_ENDS}"
    ),
}


def mask(frame: DataFrame, table: Table) -> DataFrame:
    """Mask the text columns of a table that may be null, and add how many values of a row it met.

    The number is the column `_masked`.
    """
    texts = [name for name in table.texts if name in frame.columns]
    signs = F.concat_ws(_BETWEEN, *texts).rlike(SIGNS)  # once a row, not once a value
    # one column for all: every column that a row carries through a step costs a copy
    marked = frame.withColumn(_MASKED_TEXTS, F.when(signs, F.array(*map(_replaced, texts))))
    masked = {name: F.col(_MASKED_TEXTS)[place] for place, name in enumerate(texts)}
    kept = {name: F.coalesce(text, name) for name, text in masked.items()}
    changed = [F.coalesce(text != F.col(name), F.lit(False)) for name, text in masked.items()]
    number = reduce(Column.__add__, (differs.cast("int") for differs in changed))
    return marked.withColumns({**kept, MASKED: number}).drop(_MASKED_TEXTS)


def _replaced(name: str) -> Column:
    text = F.col(name)
    for mark, pattern in PATTERNS.items():
        text = F.regexp_replace(text, f"(?U){pattern}", mark)
    return text


def mask_text(text: str) -> str:
    """Mask one text as `mask` does, without Spark."""
    for mark, pattern in PATTERNS.items():
        text = re.sub(pattern, mark, text)
    return text
