"""Tables in Markdown, whose columns are as wide as their longest cell."""

from __future__ import annotations

from collections.abc import Sequence


def markdown_table(rows: Sequence[Sequence[str]]) -> str:
    """Lay out rows in Markdown; the first one is the header.

    >>> print(markdown_table([("user", "role"), ("pm", "viewer")]))
    | user | role   |
    |------|--------|
    | pm   | viewer |
    """
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        f"| {' | '.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))} |"
        for row in rows
    ]
    lines.insert(1, f"|{'|'.join('-' * (width + 2) for width in widths)}|")
    return "\n".join(lines)
