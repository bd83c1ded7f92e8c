"""Events from Postgres to the bus, and subscriptions that replay first and then go live.

After commit a notification names the tenant; the outbox is read behind the bus's tail through
a tenant session, so that the database's policies hold here too. A poll does the same from
time to time, in case a notification was lost.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import structlog
from sqlalchemy.exc import DBAPIError

from tensorcost.domain.errors import Unavailable
from tensorcost.domain.ids import TenantId
from tensorcost.events.bus import EventBus
from tensorcost.events.errors import CursorGone
from tensorcost.events.listener import NotifyListener
from tensorcost.events.settings import EventSettings
from tensorcost.events.stream import EventStream
from tensorcost.storage.outbox import events_after, outbox_bounds
from tensorcost.storage.session import Database

log = structlog.get_logger(__name__)


class PostgresEventSource:
    """One a process. ``listen_url`` is a ``postgresql://`` URL of the app role."""

    def __init__(self, database: Database, listen_url: str, settings: EventSettings) -> None:
        self._database = database
        self._settings = settings
        self._bus = EventBus()
        self._reading: dict[TenantId, asyncio.Task[None]] = {}
        self._again: set[TenantId] = set()
        self._running = False
        self._reads = asyncio.Semaphore(settings.reads_at_once)
        self._listener = NotifyListener(
            listen_url,
            heard=self.wake,
            connected=self._wake_all,
            reconnect_seconds=settings.reconnect_seconds,
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator["PostgresEventSource"]:
        """Listen and poll for the length of the block; at its end every stream is ended."""
        loops = (
            asyncio.create_task(self._listener.run(), name="events-listener"),
            asyncio.create_task(self._poll(), name="events-poll"),
        )
        self._running = True
        try:
            yield self
        finally:
            self._running = False
            self._bus.close()
            await _cancel(*loops, *self._reading.values())

    async def subscribe(
        self, tenant_id: TenantId, filters: tuple[str, ...] = (), after: int | None = None
    ) -> EventStream:
        """Events of ``tenant_id`` after the cursor ``after``, or from now on without one.

        Raises CursorGone when the outbox no longer holds everything after ``after``, and
        Unavailable while the source is not running.
        """
        if not self._running:
            raise Unavailable("live events are not being served")
        async with self._database.tenant(tenant_id) as tx:
            bounds = await outbox_bounds(tx)
        if after is not None and not bounds.can_resume_after(after):
            raise CursorGone(after, first=bounds.first, last=bounds.last)
        return EventStream(
            self._database,
            self._bus,
            tenant_id,
            filters,
            bounds.last if after is None else after,
            settings=self._settings,
            joined=self.wake,
        )

    def wake(self, tenant_id: TenantId) -> None:
        """Read the tenant's outbox soon, if anybody listens; called after commit, cheap."""
        if not self._running or self._bus.tail(tenant_id) is None:
            return
        if tenant_id in self._reading:
            self._again.add(tenant_id)
            return
        task = asyncio.create_task(self._read(tenant_id), name="events-read")
        self._reading[tenant_id] = task
        task.add_done_callback(lambda _task: self._read_done(tenant_id))

    def _wake_all(self) -> None:
        for tenant_id in self._bus.tenants():
            self.wake(tenant_id)

    def _read_done(self, tenant_id: TenantId) -> None:
        self._reading.pop(tenant_id, None)
        if tenant_id in self._again:
            self._again.discard(tenant_id)
            self.wake(tenant_id)

    async def _read(self, tenant_id: TenantId) -> None:
        try:
            async with self._reads:
                while await self._read_page(tenant_id):
                    pass
        except (Unavailable, DBAPIError, OSError) as error:
            # The next notification, poll or reconnection reads the same rows again.
            log.warning("events.read_failed", error=type(error).__name__)

    async def _read_page(self, tenant_id: TenantId) -> bool:
        tail = self._bus.tail(tenant_id)
        if tail is None:
            return False
        async with self._database.tenant(tenant_id) as tx:
            events = await events_after(tx, tail, limit=self._settings.page_size)
        self._bus.dispatch(tenant_id, events)
        return len(events) == self._settings.page_size

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(self._settings.poll_seconds)
            self._wake_all()


async def _cancel(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    for task in tasks:
        with suppress(asyncio.CancelledError):
            await task
