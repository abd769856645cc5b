"""Says what an id is, for the ingestion and the server alike: it is cleaned once, at the door.

Ids are compared byte by byte everywhere behind it. So outer blanks go, Unicode has one normal form
(NFC), case stays. An id with a control character, or longer than 256 bytes of UTF-8, is refused; so
is a number that a spreadsheet or a float wrote, `4.00638E+12` or `5863.0`, unless its source says
what its ids are. `jobs/cleaning/clean_ids.py` is the same rule for Spark.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Literal

# What the ids of a column are: texts of which rounded numbers are refused; whole numbers, of which
# `5863.0` is 5863; texts whatever they look like.
IdForm = Literal["plain", "number", "text"]

LONGEST_ID = 256  # bytes of UTF-8: some texts take the room of the longest one
BLANKS = (
    "\t\n\v\f\r \x85\xa0\u1680\u180e\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009"
    "\u200a\u200b\u2028\u2029\u202f\u205f\u2060\u3000\ufeff"
)
# Ranges, since what `\s` and `\p{C}` hold differs between Python, Java and their versions.
CONTROLS = r"[\x00-\x1f\x7f-\x9f\u2028\u2029]"
ROUNDED = r"^[-+]?[0-9]([.,][0-9]+[eE][-+]?|[eE][+])[0-9]+\z|^[-+]?[0-9]+[.]0+\z"
WHOLE = r"^([-+]?[0-9]+)([.]0+)?\z"
# Short ids of ASCII without any of these are clean as they are. No ranges: Java looks at a class of
# single characters several times as fast.
ODD = "[" + "".join(rf"\x{code:02x}" for code in (*range(33), *b"+,.?", 127)) + "]"
# What programs write where nobody is logged in, in lower case.
NOBODY = frozenset(
    {
        *("null", "undefined", "none", "nil", "nan", "0", "-1", "true", "false", "unknown"),
        *("anonymous", "guest", "n/a", "(not set)", "not set", "[object object]"),
        "00000000-0000-0000-0000-000000000000",
    }
)


def clean_id(text: str, form: IdForm = "plain") -> str | None:
    r"""Return an id as it is compared: "" if it is blank, None if it is refused.

    >>> clean_id("\u00a0A-1 "), clean_id("A-1\0"), clean_id(" ")
    ('A-1', None, '')
    >>> clean_id("5863.0"), clean_id("5863.0", "number"), clean_id("5863.0", "text")
    (None, '5863', '5863.0')
    """
    if form != "number" and len(text) <= LONGEST_ID and text.isascii() and not re.search(ODD, text):
        return text
    cleaned = unicodedata.normalize("NFC", text.strip(BLANKS))
    size = len(cleaned.encode("utf-8", "surrogatepass"))
    if size > LONGEST_ID or re.search(CONTROLS + "|[\ud800-\udfff]", cleaned):
        return None
    if form == "number" and cleaned:
        whole = re.match(_python(WHOLE), cleaned)
        return whole[1] if whole else None
    return None if form == "plain" and re.match(_python(ROUNDED), cleaned) else cleaned


def is_nobody(cleaned: str) -> bool:
    """Tell what programs write as the id of somebody who has none.

    >>> [is_nobody(word) for word in ("undefined", "None", "0", "anna")]
    [True, True, True, False]
    """
    return cleaned.lower() in NOBODY


def clean_ids(texts: Iterable[str], form: IdForm = "plain") -> tuple[str, ...]:
    """Return some ids as they are compared, without the blank and the refused ones."""
    return tuple(cleaned for text in texts if (cleaned := clean_id(text, form)))


def person_id(text: str, form: IdForm = "plain") -> str:
    r"""Return the id of a person as it is compared; "" where it names nobody or is no id.

    >>> person_id(" anna "), person_id("undefined"), person_id("A\0")
    ('anna', '', '')
    """
    cleaned = clean_id(text, form) or ""
    return "" if is_nobody(cleaned) else cleaned


def _python(pattern: str) -> str:
    return pattern.replace(r"\z", r"\Z")
