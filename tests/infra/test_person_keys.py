"""Keys without Spark; that Spark makes the same is tested where Spark makes them."""

from __future__ import annotations

import hashlib
import hmac

from infra.person_keys import PersonKeys
from tests.conftest import SECRET


def test_a_key_is_the_first_half_of_an_hmac() -> None:
    wanted = hmac.new(SECRET.encode(), "Jörg".encode(), hashlib.sha256).hexdigest()[:32]
    assert PersonKeys(SECRET).of_user("Jörg") == wanted


def test_users_and_visitors_of_one_id_are_two_people_and_nobody_has_no_key() -> None:
    keys = PersonKeys(SECRET)
    assert keys.of_user("7") != keys.of_visitor("7")
    assert keys.of_user("") == keys.of_visitor("") == ""
