"""The page of all tables and their columns, made from `infra/schemas.py`: `make dictionary`."""

from __future__ import annotations

from infra.markdown import markdown_table
from infra.schemas import EVENT_TYPES, QUARANTINE_REASONS, TABLES, Column, Table


def dictionary_page() -> str:
    """Return Markdown: a section with a table of columns for each table, then the words."""
    words = [
        f"`event_type` is one of {_listed(EVENT_TYPES)}.",
        f"`reason` is one of {_listed(QUARANTINE_REASONS)}.",
    ]
    return "\n\n".join([*map(_section, TABLES), "## Fixed words", *words])


def _section(table: Table) -> str:
    rows = [("Column", "Type", "May be null", "What it is"), *map(_row, table.described)]
    about = f"{table.grain}. Folders `lake/{table.name}/{table.partition}`."
    return f"## {table.name}\n\n{about}\n\n{markdown_table(rows)}"


def _row(column: Column) -> tuple[str, str, str, str]:
    return f"`{column.name}`", f"`{column.kind}`", "yes" if column.nullable else "", column.about


def _listed(words: tuple[str, ...]) -> str:
    return ", ".join(f"`{word}`" for word in words)


if __name__ == "__main__":
    print(dictionary_page())
