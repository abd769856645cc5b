"""Finds ids that tell whose event it is: they hold the id of a person, or an e-mail address.

The id of a person leaves the door as a key alone. An event id built from it would tell it again.
"""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column
from pyspark.sql import functions as F

# `request_id` is Catwalk's own, and `item_id` is what all tables meet at.
MAY_TELL = ("event_id", "session_id", "order_id")
_LONG = 6  # characters of an id that nothing holds by chance; a shorter one counts as a whole word
_BETWEEN_WORDS = "-_:|/~#,;=+ "


def tells(id_: Column, persons: Sequence[Column]) -> Column:
    """Tell an id that holds one of the ids of persons, or an e-mail address; never null."""
    found = F.contains(id_, F.lit("@"))
    for person in persons:
        held = F.coalesce(F.contains(id_, person), F.lit(False))  # false, not null: ends the search
        clear = (F.char_length(person) >= _LONG) | F.contains(_words(id_), _words(person))
        found = found | (held & clear)
    return F.coalesce(found, F.lit(False))


def _words(text: Column) -> Column:
    dot = F.lit(".")
    return F.concat(dot, F.translate(text, _BETWEEN_WORDS, "." * len(_BETWEEN_WORDS)), dot)
