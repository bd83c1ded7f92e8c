"""The chunks of some items, read in threads one item after the other, handed out in groups."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from typing import Final, NamedTuple

from tensorcost.activities.integration.open_items import OpenItem
from tensorcost.activities.integration.ports import (
    Chunk,
    ConnectorError,
    MetricsChunk,
    ObjectChunk,
    ProfilesChunk,
    ReadJob,
)

GROUP: Final = 64
"""Chunks named to the loader at once: it reads ahead and shares transactions among them."""
_SHARED: Final = (ObjectChunk, MetricsChunk, ProfilesChunk)
"""What is small enough to share. Anything else is a group of its own."""


class Piece(NamedTuple):
    """A chunk and whose it is."""

    item: OpenItem
    chunk: Chunk


async def in_groups(
    items: Sequence[OpenItem],
    read: Callable[[ReadJob], Iterator[Chunk]],
    threads: Executor,
    size: int = GROUP,
) -> AsyncGenerator[list[Piece], None]:
    """Chunks of one kind, at most ``size`` together, in order.

    A failure of the connector is left on its item, whose chunks before it come all the same. The
    iterator in use is closed on every way out.
    """
    loop = asyncio.get_running_loop()
    reader = _Reader(items, read, size)
    try:
        while group := await loop.run_in_executor(threads, reader.next_group):
            yield group
    finally:
        reader.close()


class _Reader:
    def __init__(
        self, items: Sequence[OpenItem], read: Callable[[ReadJob], Iterator[Chunk]], size: int
    ) -> None:
        self._items = iter(items)
        self._read = read
        self._size = size
        self._item: OpenItem | None = None
        self._chunks: Iterator[Chunk] = iter(())
        self._kept: Piece | None = None

    def next_group(self) -> list[Piece]:
        """The next chunks, none at the end."""
        group: list[Piece] = []
        while len(group) < self._size and (piece := self._take()) is not None:
            if group and type(piece.chunk) is not type(group[0].chunk):
                self._kept = piece
                break
            group.append(piece)
            if not isinstance(piece.chunk, _SHARED):
                break
        return group

    def _take(self) -> Piece | None:
        kept, self._kept = self._kept, None
        return kept if kept is not None and not kept.item.failed else self._next()

    def _next(self) -> Piece | None:
        while (item := self._item or self._open_next()) is not None:
            try:
                chunk = None if item.failed else next(self._chunks, None)
            except ConnectorError as error:
                item.error = error
            else:
                if chunk is not None:
                    item.in_hand += 1
                    return Piece(item, chunk)
                item.is_read = not item.failed
            self.close()
            self._item = None
        return None

    def _open_next(self) -> OpenItem | None:
        self._item = next(self._items, None)
        if self._item is not None:
            self._chunks = self._read(self._item.job)
        return self._item

    def close(self) -> None:
        close = getattr(self._chunks, "close", None)
        if close is not None:
            with suppress(ValueError):  # still running in its thread after a cancellation
                close()
