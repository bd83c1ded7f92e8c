"""A resumable stream of one tenant's events: from the outbox first, then live, without a seam."""

from collections import deque
from collections.abc import Callable

from tensorcost.domain.events.catalogue import matches
from tensorcost.domain.events.envelope import Event
from tensorcost.domain.ids import TenantId
from tensorcost.events.bus import EventBus
from tensorcost.events.errors import CursorGone, SourceClosed
from tensorcost.events.settings import EventSettings
from tensorcost.events.subscriber import Subscriber
from tensorcost.storage.outbox import events_after, outbox_bounds
from tensorcost.storage.session import Database


class EventStream:
    """Iterate it; ``aclose`` it when done (``async with contextlib.aclosing(stream)``).

    Raises StreamInterrupted with the cursor to resume after when the reader is too slow or the
    source closes, CursorGone when the outbox forgets faster than the reader reads.
    """

    def __init__(
        self,
        database: Database,
        bus: EventBus,
        tenant_id: TenantId,
        filters: tuple[str, ...],
        position: int,
        *,
        settings: EventSettings,
        joined: Callable[[TenantId], None],
    ) -> None:
        self._database = database
        self._bus = bus
        self._filters = filters
        self._page_size = settings.page_size
        self._page: deque[Event] = deque()
        self._joined = joined
        self._live = False
        self._closed = False
        self._subscriber = Subscriber(tenant_id, filters, position, queue_size=settings.queue_size)

    def __aiter__(self) -> "EventStream":
        return self

    async def __anext__(self) -> Event:
        while not self._closed:
            if self._page:
                event = self._page.popleft()
                if matches(event.type, self._filters):
                    return event
            elif self._live:
                return await self._next_live()
            else:
                await self._catch_up()
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Stop listening; safe to repeat."""
        self._closed = True
        self._page.clear()
        self._bus.leave(self._subscriber)
        self._subscriber.end(SourceClosed(cursor=self._subscriber.position))

    async def _next_live(self) -> Event:
        try:
            return await self._subscriber.next()
        except SourceClosed:
            if self._closed:
                raise StopAsyncIteration from None
            raise

    async def _catch_up(self) -> None:
        """Read the next page, or go live when the outbox has been read up to the bus's tail."""
        subscriber = self._subscriber
        async with self._database.tenant(subscriber.tenant_id) as tx:
            page = await events_after(tx, subscriber.position, limit=self._page_size)
            bounds = None if page else await outbox_bounds(tx)
        if bounds is not None and not bounds.can_resume_after(subscriber.position):
            raise CursorGone(subscriber.position, first=bounds.first, last=bounds.last)
        if page:
            if page[0].cursor != subscriber.position + 1:
                raise CursorGone(subscriber.position, first=page[0].cursor, last=page[-1].cursor)
            self._page.extend(page)
            subscriber.position = page[-1].cursor
        elif self._bus.join(subscriber):
            self._live = True
            # Something may have been committed between the read and the joining.
            self._joined(subscriber.tenant_id)
