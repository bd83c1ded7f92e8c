"""One reader of live events: a bounded queue that ends instead of dropping (decisions 25)."""

import asyncio
from collections import deque

from tensorcost.domain.events.catalogue import matches
from tensorcost.domain.events.envelope import Event
from tensorcost.domain.ids import TenantId
from tensorcost.events.errors import ReaderTooSlow, StreamInterrupted


class Subscriber:
    """Takes events of one tenant in order; ``position`` is the last cursor considered."""

    def __init__(
        self, tenant_id: TenantId, filters: tuple[str, ...], position: int, *, queue_size: int
    ) -> None:
        self.tenant_id = tenant_id
        self.position = position
        self._filters = filters
        self._queue: deque[Event] = deque()
        self._queue_size = queue_size
        self._ready = asyncio.Event()
        self._ended: StreamInterrupted | None = None

    def offer(self, event: Event) -> None:
        """Queue ``event`` unless it was considered before or is not wanted; never blocks."""
        if self._ended is not None or event.cursor <= self.position:
            return
        if matches(event.type, self._filters):
            if len(self._queue) >= self._queue_size:
                self.end(ReaderTooSlow(cursor=self.position))
                return
            self._queue.append(event)
            self._ready.set()
        self.position = event.cursor

    def end(self, reason: StreamInterrupted) -> None:
        """Let the reader take what is queued and then raise ``reason``."""
        if self._ended is None:
            self._ended = reason
            self._ready.set()

    async def next(self) -> Event:
        """The oldest queued event; waits for one. Raises what the stream ended with."""
        while not self._queue:
            if self._ended is not None:
                raise self._ended
            self._ready.clear()
            await self._ready.wait()
        return self._queue.popleft()
