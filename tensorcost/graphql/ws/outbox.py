"""Frames on their way to one socket: bounded a stream, written by whoever owns the socket."""

import asyncio
from collections import deque
from typing import Any, Final

import orjson

from tensorcost.graphql.ws.protocol import Close, SocketClosed

_MAX_CONTROL: Final = 200


class Outbox:
    """``put`` never waits; the writer takes frames with ``take``."""

    def __init__(self) -> None:
        self._frames: deque[tuple[str, Lane | None]] = deque()
        self._ready = asyncio.Event()
        self._control = 0

    def control(self, message: dict[str, Any]) -> None:
        """Queue a message that belongs to no stream; a flood of them closes the socket."""
        if self._control >= _MAX_CONTROL:
            raise SocketClosed(Close.BAD_MESSAGE, "answers are not being read")
        self._control += 1
        self.append(orjson.dumps(message).decode(), None)

    def lane(self, limit: int) -> "Lane":
        """A stream's own share of the socket."""
        return Lane(self, limit)

    async def take(self) -> str:
        """The oldest frame; waits for one."""
        while not self._frames:
            self._ready.clear()
            await self._ready.wait()
        text, lane = self._frames.popleft()
        if lane is None:
            self._control -= 1
        else:
            lane.taken()
        return text

    def append(self, text: str, lane: "Lane | None") -> None:
        """Queue a frame, of a stream or of none."""
        self._frames.append((text, lane))
        self._ready.set()


class Lane:
    """At most ``limit`` frames wait at once; the one that ends the stream always fits."""

    def __init__(self, outbox: Outbox, limit: int) -> None:
        self._outbox = outbox
        self._limit = limit
        self._waiting = 0
        self._room = asyncio.Event()

    async def room(self) -> None:
        """Wait until a frame fits."""
        while self._waiting >= self._limit:
            self._room.clear()
            await self._room.wait()

    def offer(self, text: str) -> bool:
        """Queue a frame; False when the reader is too far behind."""
        if self._waiting >= self._limit:
            return False
        self.last(text)
        return True

    def last(self, text: str) -> None:
        """Queue the frame that ends the stream."""
        self._waiting += 1
        self._outbox.append(text, self)

    def taken(self) -> None:
        """One frame has left."""
        self._waiting -= 1
        self._room.set()
