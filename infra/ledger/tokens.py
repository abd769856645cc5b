"""The tokens of a shop's server by their hashes, numbered and written once; each can be revoked.

A server reads on from what it knows: `known = read_tokens(storage, known)`.
"""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from hashlib import sha256

from pydantic import ValidationError

from infra.errors import InputError
from infra.ledger.ended_records import Known, add, end, read_on
from infra.places import TOKENS
from infra.records.serving import Ending, Role, Token
from infra.rules import describe
from infra.storage import Storage

_SECRET_BYTES = 32
FIRST = "shop"  # the name of the token that the first start makes


def read_tokens(storage: Storage, known: Known[Token] | None = None) -> Known[Token]:
    """Return all tokens and endings, of which `known` were read before; raise as `read_on`."""
    return read_on(storage.published, TOKENS, Token, known or Known())


def valid_tokens(known: Known[Token]) -> tuple[Token, ...]:
    """Return the tokens that nobody revoked, by number."""
    return tuple(
        token for number, token in sorted(known.records.items()) if number not in known.endings
    )


def new_token(storage: Storage, name: str, roles: tuple[Role, ...], by: str) -> str:
    """Make a token, write its hash, and return its text, `NAME.SECRET`: nobody can see it again.

    Raises
    ------
    InputError
        The name is no name.
    StorageError
        It could not be written.
    """
    text = f"{name}.{secrets.token_urlsafe(_SECRET_BYTES)}"
    sha = sha256(text.encode()).hexdigest()
    try:
        token = Token(at=datetime.now(UTC), by=by, name=name, roles=roles, sha256=sha)
    except ValidationError as error:
        cure = "Write up to 40 small letters, digits, _ and -, a letter first."
        raise InputError(f"The token cannot be made: {describe(error)}", cure) from error
    add_token(storage, token)
    return text


def first_token(storage: Storage) -> str:
    """Make a token for the shop where none is valid, and return its text; "" where there is.

    Raises
    ------
    StorageError
        The published folder does not answer.
    """
    if valid_tokens(read_tokens(storage)):
        return ""
    return new_token(storage, FIRST, ("recommend", "events", "stock"), "the first start")


def add_token(storage: Storage, token: Token) -> Token:
    """Write a token, and return it with its number; raise `StorageError` where that fails."""
    return add(storage.published, TOKENS, token)


def revoke_token(storage: Storage, ending: Ending) -> Ending:
    """Revoke a token for good, and return the record of that.

    Raises
    ------
    InputError
        There is no such token, or it is revoked already.
    """
    return end(storage.published, TOKENS, read_tokens(storage), ending)
