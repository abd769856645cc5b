"""Writes numbers, limits and names as people read them, for pages and verdicts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

from infra.settings import shop_zone
from infra.utc import in_utc

NOTHING = "—"
SHARE_WORDS = frozenset({"share", "shares", "coverage", "overlap", "fraction", "percent"})
ACRONYMS = frozenset({"auc", "ctr", "id", "ids", "map", "mb", "mrr", "ndcg", "utc"})


def is_share(name: str) -> bool:
    """Tell from its name whether a number is a part of a whole.

    >>> is_share("user_coverage"), is_share("ndcg_at_10")
    (True, False)
    """
    return not SHARE_WORDS.isdisjoint(re.findall(r"[a-z]+", name.lower()))


def number(value: float | None, *, share: bool = False, digits: int | None = None) -> str:
    """Write one number.

    Parameters
    ----------
    value : float or None
        None is a number nobody could measure.
    share : bool
        Write it in percent.
    digits : int, optional
        Decimals; by default as many as suit its size.

    >>> number(0.9713, share=True), number(1204000.0), number(0.0713), number(None)
    ('97.1%', '1,204,000', '0.0713', '—')
    """
    if value is None:
        return NOTHING
    if digits is None:
        digits = decimals([value], share=share)
    return f"{100 * value:.{digits}f}%" if share else f"{value:,.{digits}f}"


def decimals(values: Sequence[float], *, share: bool = False) -> int:
    """Return how many decimals suit a column of numbers of one kind.

    >>> decimals([12.345, 0.2]), decimals([3.0, 1200.0]), decimals([0.0713, 0.04])
    (1, 0, 4)
    """
    if all(float(value).is_integer() for value in values):
        return 0
    highest = max(abs(value) for value in values)
    if share:
        return 1 if highest >= 0.001 else 3
    if highest < 1:
        return 4 if highest >= 0.001 else 6
    return 2 if highest < 10 else 1


def shortened(text: str, length: int) -> str:
    """Leave out the middle of what is too long; both ends tell names apart.

    >>> shortened("lightfm_warp-20261118", 12)
    'lightf…61118'
    """
    if len(text) <= length:
        return text
    tail = (length - 1) // 2
    return f"{text[: length - 1 - tail]}…{text[-tail:]}"


def sentence_case(text: str) -> str:
    """Begin with a capital and leave the rest alone."""
    return text[:1].upper() + text[1:]


def plain_name(name: str) -> str:
    """Turn a name from code into words.

    >>> plain_name("ndcg_at_10"), plain_name("user_coverage")
    ('NDCG@10', 'User coverage')
    """
    spaced = re.sub(r"_at_(\d+)", r"@\1", name).replace("_", " ")
    words = re.sub(r"[A-Za-z]+", lambda word: _acronym(word[0]), spaced)
    return sentence_case(words)


def in_words(text: str, name: str) -> str:
    """Replace a name from code by words, wherever a text contains it as a whole.

    >>> in_words("recall_at_1 is 0.2, recall_at_10 is 0.5", "recall_at_1")
    'Recall@1 is 0.2, recall_at_10 is 0.5'
    """
    return re.sub(rf"\b{re.escape(name)}\b", plain_name(name), text)


def moment(at: datetime) -> str:
    """Write a time of day with its date, in UTC; before it in the zone of the shop, if it has one.

    >>> moment(datetime(2026, 11, 24, 14, 5))
    '24 Nov 2026, 14:05 UTC'
    """
    utc = in_utc(at)
    local = utc.astimezone(shop_zone())
    if local.utcoffset() == utc.utcoffset():
        return f"{utc:%-d %b %Y, %H:%M} UTC"
    day = "" if local.date() == utc.date() else f"{utc:%-d %b}, "
    return f"{local:%-d %b %Y, %H:%M %Z} ({day}{utc:%H:%M} UTC)"


def size(amount: int) -> str:
    """Write an amount of bytes.

    >>> size(47_239_120), size(512)
    ('47.2 MB', '512 bytes')
    """
    for unit, name in ((1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB")):
        if amount >= unit:
            return f"{amount / unit:,.1f} {name}"
    return counted(amount, "byte")


def counted(amount: int, noun: str) -> str:
    """Write an amount with its noun.

    >>> counted(1, "check"), counted(1200, "check")
    ('1 check', '1,200 checks')
    """
    return f"{amount:,} {noun}{'' if amount == 1 else 's'}"


def _acronym(word: str) -> str:
    return word.upper() if word.lower() in ACRONYMS else word
