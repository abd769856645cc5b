"""The page of all settings, made from `infra/settings.py`: `make settings`."""

from __future__ import annotations

from pydantic.fields import FieldInfo

from infra.settings import PREFIX, Settings


def settings_page() -> str:
    """Return a Markdown table: one row per setting, columns as wide as their longest cell."""
    rows = [("Variable", "Default", "What it is"), *map(_row, *_names_and_fields())]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = [
        f"| {' | '.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))} |"
        for row in rows
    ]
    lines.insert(1, f"|{'|'.join('-' * (width + 2) for width in widths)}|")
    return "\n".join(lines)


def _names_and_fields() -> tuple[list[str], list[FieldInfo]]:
    fields = Settings.model_fields
    return list(fields), list(fields.values())


def _row(name: str, field: FieldInfo) -> tuple[str, str, str]:
    return f"`{PREFIX}{name.upper()}`", _default(field), field.description or ""


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "none: must be given"
    value = field.default
    shown = ",".join(value) if isinstance(value, tuple) else str(value)
    return f"`{shown}`" if shown else "empty"


if __name__ == "__main__":
    print(settings_page())
