"""Hides what is secret in a text or a command: passwords in addresses, values called so."""

from __future__ import annotations

import re
from collections.abc import Sequence

_HIDDEN = "***"
_IN_ADDRESS = re.compile(r"(\w+://[^\s/:@]*):[^\s/]+@")  # a password may hold an @ itself
# A token without a name; before the @ of Azure's own addresses stands a container.
_TOKEN = re.compile(r"(?<!\w)(?!(?:abfs|wasb)s?:)(\w+://)[^\s/:]+@")
_NAME = (
    r"[\w.-]*(?:secret|password|passwd|token|credential|signature"
    r"|(?:access|account|private|sas)[._-]?key)[\w.-]*"
)
_OPTION = re.compile(rf"({_NAME}=)(?:\"[^\"]*\"|'[^']*'|[^\s'\"&,;]+)", re.IGNORECASE)
_FIELD = re.compile(rf"""((["']){_NAME}\2\s*:\s*(["']))(?:\\.|(?!\3).)*\3""", re.I | re.S)
_ARGUMENT = re.compile(rf"((?:^|\s)(?:[\w.-]+=)*{_NAME}=).+", re.IGNORECASE | re.DOTALL)
_FLAG = re.compile(rf"-{_NAME}", re.IGNORECASE)


def hide_secrets(text: str) -> str:
    """Return the text without what nobody may read in a log.

    >>> hide_secrets("postgresql://me:pass@host/db does not answer")
    'postgresql://me:***@host/db does not answer'
    >>> hide_secrets("--conf spark.hadoop.fs.s3a.secret.key=abc --conf spark.ui.enabled=false")
    '--conf spark.hadoop.fs.s3a.secret.key=*** --conf spark.ui.enabled=false'
    """
    text = _IN_ADDRESS.sub(rf"\1:{_HIDDEN}@", text)
    text = _TOKEN.sub(rf"\1{_HIDDEN}@", text)
    text = _FIELD.sub(rf"\1{_HIDDEN}\3", text)
    return _OPTION.sub(rf"\1{_HIDDEN}", text)


def hide_in_command(command: Sequence[str]) -> list[str]:
    """Return the arguments of a command without what nobody may read in a log.

    Where an argument begins and ends is known here, so a value is hidden as a whole, whatever
    characters it has.

    >>> hide_in_command(["run", "--password", "a&b", "--conf", "x.account.key.shop=a,b=="])
    ['run', '--password', '***', '--conf', 'x.account.key.shop=***']
    """
    before = ["", *command]
    return [
        _HIDDEN if _FLAG.fullmatch(name) else hide_secrets(_ARGUMENT.sub(rf"\1{_HIDDEN}", argument))
        for name, argument in zip(before, command, strict=False)
    ]
