"""Tables on a terminal: plain text, columns as wide as they need."""

from __future__ import annotations

from collections.abc import Sequence

INDENT = "  "


def text_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lay out rows under a header.

    >>> print(text_table(("user", "role"), [("pm", "user")]))
      user  role
      ----  ----
      pm    user
    """
    widths = [max(len(row[column]) for row in [header, *rows]) for column in range(len(header))]
    rule = ["-" * width for width in widths]
    return "\n".join(_line(cells, widths) for cells in [header, rule, *rows])


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
    return INDENT + "  ".join(padded).rstrip()
