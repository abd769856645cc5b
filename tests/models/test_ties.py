"""Ties are broken by a hash that depends on ids alone, and that favours no item."""

from __future__ import annotations

import doctest
import subprocess
import sys

import numpy as np
import pytest

from models import ties
from models.ties import STEP, Ties, hashes, ties_of_places
from tests.conftest import REPOSITORY

WORDS = 2**64


def slow_mix(number: int) -> int:
    """Do what the paper says (its variant 13), with whole numbers of Python."""
    number = (number + 0x9E3779B97F4A7C15) % WORDS
    number = (number ^ (number >> 30)) * 0xBF58476D1CE4E5B9 % WORDS
    number = (number ^ (number >> 27)) * 0x94D049BB133111EB % WORDS
    return number ^ (number >> 31)


def slow_hash(text: str) -> int:
    letters = enumerate(map(ord, text), 1)
    return slow_mix(sum(letter * STEP**place for place, letter in letters) % WORDS)


@pytest.mark.parametrize("ids", [["", "a", "aa", "b"], ["0010", "ü", "🧥" * 9], []])
def test_hashes_are_those_of_the_slow_version(ids: list[str]) -> None:
    assert hashes(np.array(ids, dtype=np.str_)).tolist() == [slow_hash(text) for text in ids]


def test_the_first_numbers_of_the_published_generator() -> None:
    """A generator that starts at 1234567 gives these, by the author's own code."""
    published = [6457827717110365317, 3203168211198807973]
    assert [slow_mix((1234567 + place * STEP) % WORDS) for place in range(2)] == published


def test_no_item_is_favoured() -> None:
    """Of 1,000 users, each of 20 equal items is first for about 50, and last for as many."""
    users = np.array([f"user{number:05d}" for number in range(1000)])
    items = np.array([f"item{number:05d}" for number in range(20)])
    keys = Ties(hashes(users), hashes(items)).keys(np.arange(1000)[:, None], np.arange(20)[None])
    for place in (0, 19):
        times = np.bincount(np.argsort(keys, axis=1)[:, place], minlength=20)
        assert ((times - 50) ** 2 / 50).sum() < 44, "chi-square with 19 degrees, one in a thousand"


def test_another_process_says_the_same() -> None:
    code = "import numpy as np; from models.ties import hashes; print(hashes(np.array(['a'])))"
    said = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert said.stdout == f"{hashes(np.array(['a']))}\n"


def test_places_have_an_order_of_their_own() -> None:
    keys = ties_of_places(2, 100).keys(np.array([[0], [1]]), np.arange(100)[None])
    assert keys[0].tolist() == keys[1].tolist() != sorted(keys[0].tolist())


def test_worked_examples() -> None:
    tried = doctest.testmod(ties)
    assert tried.failed == 0 and tried.attempted > 0
