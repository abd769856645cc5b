"""Many requests share a write, and each knows how its own ended."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import pytest

from models.serving.logs.group_commit import FullError, GroupCommit


class Disk:
    """Writes slowly, and refuses whatever holds a bad item."""

    def __init__(self) -> None:
        self.groups: list[list[int]] = []

    def write(self, items: Sequence[int]) -> None:
        """Write a group."""
        time.sleep(0.05)
        if -1 in items:
            raise OSError("refused")
        self.groups.append(list(items))


def test_what_comes_during_a_write_is_written_by_the_next() -> None:
    disk = Disk()

    async def all_of_them() -> None:
        commit = GroupCommit(disk.write, most=100)
        await asyncio.gather(*(commit.add(number) for number in range(50)))
        await commit.add(50)

    asyncio.run(all_of_them())
    assert [number for group in disk.groups for number in group] == [*range(51)]
    assert len(disk.groups) <= 3


def test_who_shares_a_failed_write_is_told_and_the_next_is_not() -> None:
    disk = Disk()

    async def some() -> list[object]:
        commit = GroupCommit(disk.write, most=100)
        first = await asyncio.gather(commit.add(1), commit.add(-1), return_exceptions=True)
        return [*first, await commit.add(2)]

    first, bad, after = asyncio.run(some())
    assert isinstance(first, OSError)
    assert isinstance(bad, OSError)
    assert after is None
    assert disk.groups == [[2]]


def test_what_may_wait_is_bounded_and_a_client_that_left_stops_nobody() -> None:
    disk = Disk()

    async def many() -> None:
        commit = GroupCommit(disk.write, most=2)
        tasks = [asyncio.create_task(commit.add(number)) for number in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(FullError):
            await commit.add(9)
        tasks[0].cancel()
        async with asyncio.timeout(10):
            await tasks[1]

    asyncio.run(many())
    assert disk.groups == [[0, 1]]
