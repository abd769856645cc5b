"""Breaks ties between items so that nobody is favoured: by a hash of user and item.

The order of the ids would favour the low article numbers of every shop. A hash gives each user
another order, the same in every process, for every block of users and for every catalogue.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Hashes: TypeAlias = NDArray[np.uint64]

STEP = 0x9E3779B97F4A7C15  # 2**64 over the golden ratio: odd, and without a pattern in its bits
MIX = (0xBF58476D1CE4E5B9, 0x94D049BB133111EB)


@dataclass(frozen=True)
class Ties:
    """The hashes of the rows and of the columns whose pairs are put in an order.

    Attributes
    ----------
    rows : array of uint64, shape (n,)
    columns : array of uint64, shape (m,)
    """

    rows: Hashes
    columns: Hashes

    def keys(self, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> Hashes:
        """Return a number per pair of places; of equal scores, the lowest number comes first."""
        return mixed(self.rows[rows] + self.columns[columns])

    def of_rows(self, rows: slice) -> Ties:
        """Return those of some rows."""
        return Ties(self.rows[rows], self.columns)

    def of_columns(self, columns: NDArray[np.intp]) -> Ties:
        """Return those of some columns."""
        return Ties(self.rows, self.columns[columns])


def ties_of_places(rows: int, columns: int) -> Ties:
    """Return an order for what has no ids: the same in every row, by the places of the columns."""
    return Ties(np.zeros(rows, dtype=np.uint64), mixed(np.arange(columns, dtype=np.uint64)))


def hashes(ids: NDArray[np.str_]) -> Hashes:
    """Return a hash per id, which depends on its letters alone.

    >>> hashes(np.array(["b", "a"])).tolist() == hashes(np.array(["b", "a", "longer"]))[:2].tolist()
    True
    """
    width = ids.dtype.itemsize // 4
    letters = np.ascontiguousarray(ids).view(np.uint32).reshape(len(ids), width)
    total = np.zeros(len(ids), dtype=np.uint64)
    for place in range(width):  # an id ends with zeros, which add nothing
        total += letters[:, place] * np.uint64(pow(STEP, place + 1, 2**64))
    return mixed(total)


def mixed(numbers: Hashes) -> Hashes:
    """Spread numbers over all 64 bits.

    Source: G. Steele, D. Lea, C. Flood, Fast Splittable Pseudorandom Number Generators, 2014.
    """
    numbers = numbers + np.uint64(STEP)
    numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(MIX[0])
    numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(MIX[1])
    return numbers ^ (numbers >> np.uint64(31))


def mixed_number(number: int) -> int:
    """Spread one number as `mixed` does, without an array.

    >>> mixed_number(7) == int(mixed(np.array([7], dtype=np.uint64))[0])
    True
    """
    number = (number + STEP) % 2**64
    number = (number ^ (number >> 30)) * MIX[0] % 2**64
    number = (number ^ (number >> 27)) * MIX[1] % 2**64
    return number ^ (number >> 31)
