"""Makes the keys of users and visitors without Spark; `jobs.cleaning.user_keys` makes the same."""

from __future__ import annotations

import hmac

KEY_BYTES = 16  # 128 bits of the HMAC, as RFC 4868 truncates it


def visitor_secret(secret: str) -> str:
    """Return the secret that visitors' keys are made under, derived from the shop's (RFC 5869).

    >>> visitor_secret("the shop's") == visitor_secret("another shop's")
    False
    """
    return hmac.digest(b"catwalk visitor_key", secret.encode(), "sha256").hex()


def id_secret(secret: str) -> str:
    """Return the secret under which ids that hold the id of a person are hashed (RFC 5869).

    >>> id_secret("the shop's") == visitor_secret("the shop's")
    False
    """
    return hmac.digest(b"catwalk id", secret.encode(), "sha256").hex()


def fingerprint(secret: str) -> str:
    """Return what tells apart the secrets that keys are made under, and tells nothing of them.

    >>> fingerprint("the shop's") == fingerprint("another shop's")
    False
    """
    return hmac.digest(b"catwalk fingerprint", secret.encode(), "sha256")[:KEY_BYTES].hex()


class PersonKeys:
    """Turns ids into keys: HMAC-SHA256 (RFC 2104), its first 128 bits in hex; "" of ""."""

    def __init__(self, secret: str) -> None:
        self._users = secret.encode()
        self._visitors = visitor_secret(secret).encode()

    def of_user(self, user_id: str) -> str:
        """Return the key of a user id."""
        return _key(self._users, user_id)

    def of_visitor(self, visitor_id: str) -> str:
        """Return the key of a visitor id: another one than of an equal user id."""
        return _key(self._visitors, visitor_id)


def _key(secret: bytes, shop_id: str) -> str:
    return hmac.digest(secret, shop_id.encode(), "sha256")[:KEY_BYTES].hex() if shop_id else ""
