"""Writes what many requests bring with one write, and lets each wait until it is done."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

Item = TypeVar("Item")


class FullError(Exception):
    """More waits to be written than may wait."""


class GroupCommit(Generic[Item]):
    """Requests that come during a write are written together by the next.

    Parameters
    ----------
    write : callable
        Writes some items, in a thread of its own; an error is the error of all that wait for it.
    most : int
        Requests that may wait.
    """

    def __init__(self, write: Callable[[Sequence[Item]], object], most: int) -> None:
        self._write, self._most = write, most
        self._waiting: list[tuple[Item, asyncio.Future[None]]] = []
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="commit")
        self._writing: asyncio.Task[None] | None = None

    async def add(self, item: Item) -> None:
        """Return when the item is written.

        Raises
        ------
        FullError
            Too many wait.
        Exception
            Whatever writing raises.
        """
        if len(self._waiting) >= self._most:
            raise FullError
        done = asyncio.get_running_loop().create_future()
        self._waiting.append((item, done))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write_all())
        await done

    async def _write_all(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            group, self._waiting = self._waiting, []
            try:
                items = [item for item, _ in group]
                await loop.run_in_executor(self._thread, self._write, items)
            except Exception as error:
                _finish(group, error)
            else:
                _finish(group, None)


def _finish(group: Sequence[tuple[Item, asyncio.Future[None]]], error: Exception | None) -> None:
    for _, done in group:
        if done.done():  # its client is gone
            continue
        if error is None:
            done.set_result(None)
        else:
            done.set_exception(error)
