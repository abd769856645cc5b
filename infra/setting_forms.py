"""How the text of a single setting must be written; each refuses others in words for people."""

from __future__ import annotations

import re
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import SecretStr


def mail_addresses(addresses: tuple[str, ...]) -> tuple[str, ...]:
    """Take addresses of people."""
    for address in addresses:
        if not re.fullmatch(r"[^@\s]+@[^@\s]+", address):
            raise ValueError("an address looks like name@example.org")
    return addresses


def web_address(address: SecretStr) -> SecretStr:
    """Take an address that a message can be sent to; an empty one names nobody."""
    if address and not address.get_secret_value().startswith(("https://", "http://")):
        raise ValueError("it must start with https://")
    return address


def cron_line(line: str) -> str:
    """Take a cron line that comes round."""
    from croniter import croniter  # type: ignore[import-untyped]  # Airflow brings and uses it

    if len(line.split()) != 5 or not croniter.is_valid(line):
        raise ValueError(f"'{line}' is no cron line of five fields")
    return line


def zone_name(name: str) -> str:
    """Take a time zone of the world."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"'{name}' is no time zone, such as Europe/Berlin") from None
    return name
