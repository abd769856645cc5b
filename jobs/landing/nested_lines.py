"""Follows paths into lines of nested JSON, and takes a line apart that is several events.

A value on the way is read once, as a map or a list of texts, whatever number of fields lie within
it. A text that holds JSON is followed as well: some trackers write a list as one. What is empty
(null, `""`, `[]`, `{}`) holds nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from infra.schemas import Reason
from jobs.landing.paths import EACH, Element, Path, names_alone, path_of
from jobs.landing.sources import PLACE, Feed, quoted
from jobs.landing.unknown_columns import names_twice

STRICT_JSON = {"allowSingleQuotes": "false", "allowNonNumericNumbers": "false"}
_EMPTY = ("", "[]", "{}")
_LIST, _ELEMENT = "_list", "_element"


def roots(feed: Feed) -> list[str]:
    """Return the names at the top of a line that a feed asks for."""
    paths = [path_of(field) for field in feed.fields]
    if feed.explode is not None:
        paths.append(path_of(feed.explode))
    whole = [field for field in feed.fields if names_alone(path_of(field))]
    return list(dict.fromkeys([*(str(path[0]) for path in paths), *whole]))


def read_nested(lines: DataFrame, feed: Feed, pairs: str, broken: str) -> DataFrame:
    """Put the fields of a nested feed beside its lines; one row for each event.

    Parameters
    ----------
    lines : DataFrame
        A line each. All columns but `pairs` are passed on.
    pairs : str
        Column with the names at the top of the line and their values as texts.
    broken : str
        Column with the reason why a line cannot be read; more reasons are added.
    """
    kept = [name for name in lines.columns if name != pairs]
    paths = {field: path_of(field) for field in feed.fields}
    plain = {field: path for field, path in paths.items() if EACH not in path}
    if feed.explode is not None:
        plain[_LIST] = path_of(feed.explode)
    top = F.col(pairs)
    start: dict[Path, Column] = {(name,): F.element_at(top, F.lit(name)) for name in roots(feed)}
    rows, texts, faults = _opened(lines, start, plain.values())
    values = {field: _or_whole(top, path, texts[path]) for field, path in plain.items()}
    rows = _with_values(rows, kept, values, broken, faults)
    if feed.explode is None:
        return rows.select(*kept, *(_quoted(field) for field in feed.fields))
    rows = _taken_apart(rows, feed, broken)
    inside = {field: path[path.index(EACH) :] for field, path in paths.items() if EACH in path}
    rows, texts, faults = _opened(rows, {(EACH,): F.col(_ELEMENT)}, inside.values())
    values = {field: texts[path] for field, path in inside.items()}
    whole = [*kept, PLACE, *(field for field in plain if field != _LIST)]
    rows = _with_values(rows, whole, values, broken, faults)
    return rows.select(*kept, PLACE, *(_quoted(field) for field in feed.fields))


def _or_whole(top: Column, path: Path, text: Column) -> Column:
    """Return the value at a path; a name at the top that is written like it, dots and all, wins."""
    if len(path) == 1 or not names_alone(path):
        return text
    return F.coalesce(F.element_at(top, F.lit(".".join(map(str, path)))), text)


def _with_values(
    rows: DataFrame,
    kept: Iterable[str],
    values: Mapping[str, Column],
    broken: str,
    faults: Sequence[Column],
) -> DataFrame:
    why = F.coalesce(F.col(broken), *faults) if faults else F.col(broken)
    same = (_quoted(name) for name in kept if name != broken)
    return rows.select(
        *same, why.alias(broken), *(value.alias(name) for name, value in values.items())
    )


def _taken_apart(rows: DataFrame, feed: Feed, broken: str) -> DataFrame:
    """Give a row for each element of the list; one for a line that has none, or is broken."""
    list_ = F.col(_LIST)
    read = rows.withColumn(_ELEMENT, F.from_json(list_, "array<string>", STRICT_JSON))
    size = F.size(F.col(_ELEMENT))
    wrong = (
        F.col(broken),
        F.when(_holds(list_) & F.col(_ELEMENT).isNull(), Reason.WRONG_TYPE),
        F.when(size > feed.most_elements, Reason.TOO_MANY_ELEMENTS),
    )
    sound = read.withColumn(broken, F.coalesce(*wrong))
    elements = F.when(F.col(broken).isNull(), F.col(_ELEMENT))
    others = [name for name in rows.columns if name != _LIST]
    apart = sound.select(*map(_quoted, others), F.posexplode_outer(elements).alias(PLACE, _ELEMENT))
    return apart.withColumn(PLACE, (F.col(PLACE) + 1).cast("string"))


def _opened(
    rows: DataFrame, start: Mapping[Path, Column], paths: Iterable[Path]
) -> tuple[DataFrame, dict[Path, Column], list[Column]]:
    """Open the values on the ways to some paths, those nearest to the top first.

    Returns
    -------
    tuple
        The rows with what was opened; the text at each path and on its way; reasons why a row is
        wrong, null where it is not.
    """
    paths = list(dict.fromkeys(paths))
    texts, faults = dict(start), list[Column]()
    for depth in range(1, max(map(len, paths), default=1)):
        further = [path for path in paths if len(path) > depth]
        opened: dict[str, Column] = {}
        for before, in_list in dict.fromkeys(
            (p[:depth], isinstance(p[depth], Element)) for p in further
        ):
            name = f"_opened_{depth}_{len(opened)}"
            kind = "array<string>" if in_list else "map<string,string>"
            opened[name] = F.from_json(texts[before], kind, STRICT_JSON)
            held, value = _holds(texts[before]), F.col(name)
            faults.append(F.when(held & value.isNull(), Reason.WRONG_TYPE))
            if not in_list:
                faults.append(F.when(names_twice(value), Reason.MALFORMED_JSON))
            for path in further:
                if path[:depth] == before and isinstance(path[depth], Element) == in_list:
                    texts[path[: depth + 1]] = _inside(value, path[depth])
        rows = rows.withColumns(opened)
    return rows, texts, faults


def _inside(value: Column, step: str | Element) -> Column:
    """Return the text that an opened value has at a step; null without one."""
    if isinstance(step, str):
        return F.element_at(value, F.lit(step))
    if step.place is not None:
        return F.get(value, F.lit(step.place))
    name = step.name.replace("\\", "\\\\").replace("'", "\\'")
    options = ", ".join(f"'{option}', '{word}'" for option, word in STRICT_JSON.items())
    read = f"each -> element_at(from_json(each, 'map<string,string>', map({options})), '{name}')"
    words = F.call_function("transform", value, F.expr(read))
    return F.get(value, F.array_position(words, F.lit(step.value)).cast("int") - 1)


def _holds(text: Column) -> Column:
    """Tell a value that is not empty."""
    return F.coalesce(~F.trim(text).isin(*_EMPTY), F.lit(False))


def _quoted(name: str) -> Column:
    return F.col(quoted(name))
