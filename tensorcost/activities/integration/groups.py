"""A connector's chunks, read in threads, small objects some at a time."""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from concurrent.futures import Executor
from contextlib import suppress
from typing import Final

from tensorcost.activities.integration.ports import Chunk, ConnectorError, ObjectChunk

GROUP: Final = 64
"""Objects named to the loader at once: it reads ahead and shares transactions among them."""


async def in_groups(
    chunks: Iterator[Chunk], threads: Executor, size: int = GROUP
) -> AsyncGenerator[list[Chunk], None]:
    """Runs of at most ``size`` objects; anything else is a group of its own.

    A failure of the connector is raised after the chunks that came before it. The iterator is
    closed on every way out.
    """
    loop = asyncio.get_running_loop()
    reader = _Reader(chunks, size)
    try:
        while group := await loop.run_in_executor(threads, reader.next_group):
            yield group
    finally:
        reader.close()


class _Reader:
    def __init__(self, chunks: Iterator[Chunk], size: int) -> None:
        self._chunks = chunks
        self._size = size
        self._error: ConnectorError | None = None
        self._kept: list[Chunk] = []

    def next_group(self) -> list[Chunk]:
        """The next chunks, none at the end."""
        group, self._kept = self._kept, []
        if group and not isinstance(group[0], ObjectChunk):
            return group
        if self._error is not None and not group:
            raise self._error
        try:
            while self._error is None and len(group) < self._size:
                chunk = next(self._chunks, None)
                if chunk is None:
                    break
                if isinstance(chunk, ObjectChunk):
                    group.append(chunk)
                elif not group:
                    return [chunk]
                else:
                    self._kept = [chunk]
                    break
        except ConnectorError as error:
            if not group:
                raise
            self._error = error
        return group

    def close(self) -> None:
        close = getattr(self._chunks, "close", None)
        if close is not None:
            with suppress(ValueError):  # still running in its thread after a cancellation
                close()
