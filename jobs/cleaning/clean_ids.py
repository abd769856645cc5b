"""Cleans the ids of a row once, before anything compares them: `infra/ids.py`, for Spark.

Nearly all ids are short and of plain characters. One look at all of them together tells those rows,
and only the others pay for more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from infra.ids import BLANKS, CONTROLS, LONGEST_ID, NOBODY, ODD, ROUNDED, WHOLE, IdForm
from jobs.landing.reading import RAW

_CLEANED = "_cleaned_ids"  # in the order of the ids; null where all are clean as they came
_BETWEEN = "A"  # a plain character
_BLANK = "[" + "".join(rf"\x{{{ord(blank):x}}}" for blank in BLANKS) + "]"
# By texts, not by lambdas of Python, whose names differ each time: Spark would compile all anew.
_TRIM = rf"id -> regexp_replace(id, r'^{_BLANK}+|{_BLANK}+\z', '')"
# NFC by the library of Spark's collations; Spark has no function for it
_NORMAL = """id -> if(octet_length(id) > char_length(id),
    java_method('com.ibm.icu.text.Normalizer', 'compose', id, false), id)"""
_SOUND = f"id -> if(octet_length(id) <= {LONGEST_ID} and not id rlike r'{CONTROLS}', id, null)"
_OF_FORM = {
    "plain": f"id -> if(id rlike r'{ROUNDED}', null, id)",
    "number": f"""id -> case when id rlike r'{WHOLE}' then regexp_extract(id, r'{WHOLE}', 1)
        when id = '' then id end""",
    "text": "id -> id",
}
# Of half a character in JSON the parser makes `?`: two such ids would be one.
_HALF = (
    r"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])"
    r"|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F]"
)
_WHOLE_CHARACTERS = f"id -> if(id like '%?%' and {RAW} rlike r'{_HALF}', null, id)"


def clean_ids(frame: DataFrame, forms: Mapping[str, IdForm], refused: str) -> DataFrame:
    """Replace the id columns of a frame by clean ones, and name those that are refused.

    Parameters
    ----------
    frame : DataFrame
        The columns, and the raw rows they were read from.
    forms : mapping
        The columns, and what their ids are.
    refused : str
        The column to add: names of the refused ids, null where none is. A refused id is null, a
        blank one "".
    """
    names = list(forms)
    together = F.concat_ws(_BETWEEN, *names)
    size = F.octet_length(together)
    odd = (size > LONGEST_ID) | (size > F.char_length(together)) | together.rlike(ODD)
    if "number" in forms.values():
        odd = F.lit(True)
    sound = F.call_function("transform", cleaned(forms), F.expr(_WHOLE_CHARACTERS))
    frame = frame.withColumn(_CLEANED, F.when(odd, sound))
    is_odd = F.col(_CLEANED).isNotNull()
    ids = {name: F.col(_CLEANED)[place] for place, name in enumerate(names)}
    gone = (F.when(F.col(name).isNotNull() & id_.isNull(), name) for name, id_ in ids.items())
    wrong = F.when(is_odd, F.array_compact(F.array(*gone)))
    clean = {name: F.when(is_odd, id_).otherwise(F.col(name)) for name, id_ in ids.items()}
    return frame.withColumns({**clean, refused: F.when(F.size(wrong) > 0, wrong)}).drop(_CLEANED)


def cleaned(forms: Mapping[str, IdForm]) -> Column:
    """Return the clean ids of some columns as a list: null for one that is null or refused."""
    parts = [_of_form(form, names) for form, names in _runs(forms)]
    return F.concat(*parts) if len(parts) > 1 else parts[0]


def is_nobody(id_: Column, words: Sequence[str]) -> Column:
    """Tell what programs write as the id of somebody who has none, or a word of the source."""
    return F.lower(id_).isin(*sorted({*NOBODY, *(word.lower() for word in words)}))


def _of_form(form: IdForm, names: Sequence[str]) -> Column:
    ids = F.array(*names)
    for step in (_TRIM, _NORMAL, _SOUND, _OF_FORM[form]):
        ids = F.call_function("transform", ids, F.expr(step))
    return ids


def _runs(forms: Mapping[str, IdForm]) -> list[tuple[IdForm, list[str]]]:
    """Put neighbours of one form together, so that the order of the columns stays."""
    runs: list[tuple[IdForm, list[str]]] = []
    for name, form in forms.items():
        if runs and runs[-1][0] == form:
            runs[-1][1].append(name)
        else:
            runs.append((form, [name]))
    return runs
