"""The page of all settings, made from `infra/settings.py`: `make settings`."""

from __future__ import annotations

from pydantic.fields import FieldInfo

from infra.markdown import markdown_table
from infra.settings import PREFIX, Settings


def settings_page() -> str:
    """Return a Markdown table: one row per setting, columns as wide as their longest cell."""
    fields = Settings.model_fields
    rows = [("Variable", "Default", "What it is"), *map(_row, fields.keys(), fields.values())]
    return markdown_table(rows)


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
