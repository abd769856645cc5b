"""Makes the keys of users and visitors: an HMAC of the shop's id under the secret of the shop.

An id of something else that holds the id of a person is hashed so too.
"""

from __future__ import annotations

from hashlib import sha256

from pyspark.sql import Column, SparkSession
from pyspark.sql import functions as F

from infra.person_keys import KEY_BYTES, id_secret, visitor_secret
from infra.spark.plan_values import plan_value

_BLOCK_BYTES = 64  # bytes that SHA-256 takes at once


def user_key(user_id: Column, spark: SparkSession, secret: str) -> Column:
    """Return the HMAC-SHA256 of a user id (RFC 2104), its first 128 bits in hex; null of null."""
    return _keyed(user_id, spark, secret)


def visitor_key(visitor_id: Column, spark: SparkSession, secret: str) -> Column:
    """Return the key of a visitor id: as of a user id, but another one where the ids are equal."""
    return _keyed(visitor_id, spark, visitor_secret(secret))


def id_key(telling_id: Column, spark: SparkSession, secret: str) -> Column:
    """Return the key of an id that holds the id of a person: another one than the person's."""
    return _keyed(telling_id, spark, id_secret(secret))


def _keyed(shop_id: Column, spark: SparkSession, secret: str) -> Column:
    """Hash an id twice, as HMAC is defined: Spark's own `hmac` looks its algorithm up for each row.

    The keys are no literals: Spark prints those in its plans.
    """
    inner, outer = (plan_value(spark, key) for key in hmac_keys(secret))
    inner_hash = F.unhex(F.sha2(F.concat(inner, shop_id.cast("binary")), 256))
    return F.left(F.sha2(F.concat(outer, inner_hash), 256), F.lit(2 * KEY_BYTES))


def hmac_keys(secret: str) -> tuple[bytes, bytes]:
    """Return the inner and outer key of HMAC-SHA256: the secret XOR ipad and opad (RFC 2104)."""
    key = secret.encode()
    block = (sha256(key).digest() if len(key) > _BLOCK_BYTES else key).ljust(_BLOCK_BYTES, b"\0")
    return bytes(byte ^ 0x36 for byte in block), bytes(byte ^ 0x5C for byte in block)
