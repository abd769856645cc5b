"""Hides what is secret in a text: passwords in addresses, values of options called so."""

from __future__ import annotations

import re

_HIDDEN = "***"
_IN_ADDRESS = re.compile(r"(\w+://[^\s/:@]*):[^\s/]+@")  # a password may hold an @ itself
_OPTION = re.compile(
    r"([\w.-]*(?:secret|password|passwd|token|credential|access[._-]?key|sas[._-]key)[\w.-]*=)"
    r"(?:\"[^\"]*\"|'[^']*'|[^\s'\"&,;]+)",
    re.IGNORECASE,
)


def hide_secrets(text: str) -> str:
    """Return the text without what nobody may read in a log.

    >>> hide_secrets("postgresql://me:pass@host/db does not answer")
    'postgresql://me:***@host/db does not answer'
    >>> hide_secrets("--conf spark.hadoop.fs.s3a.secret.key=abc --conf spark.ui.enabled=false")
    '--conf spark.hadoop.fs.s3a.secret.key=*** --conf spark.ui.enabled=false'
    """
    return _OPTION.sub(rf"\1{_HIDDEN}", _IN_ADDRESS.sub(rf"\1:{_HIDDEN}@", text))
