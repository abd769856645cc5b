"""Makes, lists and revokes the tokens of a shop's servers; all obey within seconds.

    python -m models.serving.tokens new NAME ROLE...      recommend, events, stock, admin
    python -m models.serving.tokens list
    python -m models.serving.tokens revoke NUMBER REASON

To replace a token make another one of the same name, give it to the shop, then revoke the old one.
"""

from __future__ import annotations

import argparse
import getpass
import sys
from datetime import UTC, datetime
from typing import get_args

from infra.command_line import run_program, text_table
from infra.ledger.tokens import new_token, read_tokens, revoke_token, valid_tokens
from infra.records.serving import Ending, Role
from infra.shop_home import open_home
from infra.storage import Storage


def main() -> int:
    """Do what the arguments say."""
    arguments = _arguments()
    storage = Storage(open_home())
    if arguments.action == "new":
        _make(storage, arguments.name, tuple(dict.fromkeys(arguments.roles)))
    elif arguments.action == "revoke":
        _revoke(storage, arguments.number, arguments.reason)
    else:
        print(_listed(storage))
    return 0


def _make(storage: Storage, name: str, roles: tuple[Role, ...]) -> None:
    text = new_token(storage, name, roles, getpass.getuser())
    print(f"{text}\nIt is shown this once: only its hash is kept.")


def _revoke(storage: Storage, number: int, reason: str) -> None:
    now = datetime.now(UTC)
    revoke_token(storage, Ending(at=now, by=getpass.getuser(), ends=number, reason=reason))
    print(f"Token {number} is revoked.")


def _listed(storage: Storage) -> str:
    header = ("number", "name", "roles", "since", "by")
    rows = [
        (str(token.number), token.name, ", ".join(token.roles), f"{token.at:%Y-%m-%d}", token.by)
        for token in valid_tokens(read_tokens(storage))
    ]
    return text_table(header, rows) if rows else "There are no tokens."


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="models.serving.tokens",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(dest="action", required=True)
    new = actions.add_parser("new", help="make a token and show it once")
    new.add_argument("name", help="whose it is: small letters, digits, _ and -")
    new.add_argument("roles", nargs="+", choices=get_args(Role))
    actions.add_parser("list", help="the tokens that nobody revoked")
    revoke = actions.add_parser("revoke", help="end a token for good")
    revoke.add_argument("number", type=int)
    revoke.add_argument("reason")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(run_program(main))
