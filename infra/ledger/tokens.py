"""The tokens of a shop's server by their hashes, numbered and written once; each can be revoked.

A server reads on from what it knows: `known = read_tokens(storage, known)`.
"""

from __future__ import annotations

from infra.ledger.ended_records import Known, add, end, read_on
from infra.places import TOKENS
from infra.records.serving import Ending, Token
from infra.storage import Storage


def read_tokens(storage: Storage, known: Known[Token] | None = None) -> Known[Token]:
    """Return all tokens and endings, of which `known` were read before; raise as `read_on`."""
    return read_on(storage.published, TOKENS, Token, known or Known())


def valid_tokens(known: Known[Token]) -> tuple[Token, ...]:
    """Return the tokens that nobody revoked, by number."""
    return tuple(
        token for number, token in sorted(known.records.items()) if number not in known.endings
    )


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
