"""Describes what a gate measures: SQL aggregates that make one row of numbers of a table.

Great Expectations over millions of rows costs minutes and gigabytes; over one row of aggregates
it costs half a second, and says the same.
"""

from __future__ import annotations

from dataclasses import dataclass

from infra.schemas import Table

FACTS = "facts"  # the one-row table of what a gate knows beside its tables


@dataclass(frozen=True)
class Measure:
    """A number about a table.

    Attributes
    ----------
    says : str
        What is checked, in words a product manager reads.
    sql : str
        DuckDB aggregate over the rows of `of`; measures of the same rows are taken in one pass.
    of : str
        One of the gate's tables, or a query in brackets.
    shows : str
        Select list of the rows to show where the rule is broken; empty for none. Keys, ids and
        values only, never raw text.
    breaks : str
        Which rows of `shown_of` break the rule.
    shown_of : str
        Where those rows are; left out, `of`.
    needs : tuple of str
        What its limit must say beside the bounds: see `Limit`.
    """

    says: str
    sql: str
    of: str
    shows: str = ""
    breaks: str = "true"
    shown_of: str = ""
    needs: tuple[str, ...] = ()


def share(says: str, breaks: str, of: str, shows: str = "") -> Measure:
    """Measure the share of the rows that meet a condition; unknown counts as not met."""
    return Measure(says, f"avg(coalesce({breaks}, false)::int)", of, shows, breaks)


def count(says: str, breaks: str, of: str, shows: str = "") -> Measure:
    """Measure the number of rows that meet a condition; unknown counts as not met."""
    return Measure(says, f"count(*) filter (where {breaks})", of, shows, breaks)


def incomplete(says: str, table: Table, shows: str) -> Measure:
    """Measure the number of rows without a value that every row must have.

    Parquet lets nulls into any column, and most other rules look past a row whose value is unknown.
    """
    missing = " or ".join(f"{column} is null" for column in table.required)
    return count(says, missing, table.name, shows)


def repeats(says: str, key: str, of: str) -> Measure:
    """Measure how many rows too many have the same key; exact, whatever their number.

    Equal keys have equal hashes, so only rows whose hash occurs twice are compared as texts: ten
    million ids then take 0.7 GB instead of 1.1 GB.
    """
    suspects = f"(select hash({key}) from {of} group by 1 having count(*) > 1)"
    repeated = f"""(select {key}, count(*) as times from {of} where hash({key}) in {suspects}
        group by all having count(*) > 1)"""
    return Measure(says, "coalesce(sum(times - 1), 0)", repeated, f"{key}, times")


def fact(name: str, says: str, needs: tuple[str, ...] = ()) -> Measure:
    """Measure what the gate knows already, by its name in the facts."""
    return Measure(says, f'any_value("{name}")', FACTS, needs=needs)
