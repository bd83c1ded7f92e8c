"""A tenant in a real database, writers that commit events, and readers that note what came."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from uuid import uuid4

from sqlalchemy import text

from tensorcost.domain.events.catalogue import EventType
from tensorcost.domain.events.envelope import Event, NewEvent
from tensorcost.domain.ids import TenantId
from tensorcost.events.settings import EventSettings
from tensorcost.events.source import PostgresEventSource
from tensorcost.events.stream import EventStream
from tensorcost.storage.engine import make_engine
from tensorcost.storage.session import Database
from tests.support.databases import Database as TestDatabase

FAST = EventSettings(poll_seconds=0.2, reconnect_seconds=0.02, page_size=7)


@asynccontextmanager
async def app_database(database: TestDatabase) -> AsyncIterator[Database]:
    engine = make_engine(database.urls.app, application_name="tests-events")
    try:
        yield Database(engine)
    finally:
        await engine.dispose()


async def new_tenant(database: TestDatabase) -> TenantId:
    tenant_id = TenantId(uuid4())
    engine = make_engine(database.urls.platform, application_name="tests", pool_size=1)
    async with engine.begin() as connection:
        await connection.execute(
            text(
                "INSERT INTO app.tenant (tenant_id, slug, name, plan) "
                "VALUES (:t, :s, 'T', 'growth')"
            ),
            {"t": tenant_id, "s": f"t-{tenant_id.hex[:12]}"},
        )
    await engine.dispose()
    return tenant_id


async def commit(
    database: Database,
    tenant_id: TenantId,
    *numbers: int,
    kind: EventType = EventType.COST_UPDATED,
    pause: float = 0.0,
) -> None:
    """One transaction that emits an event a number, after working for ``pause`` seconds."""
    async with database.tenant(tenant_id) as tx:
        for number in numbers:
            tx.emit(NewEvent(kind, {"n": number}))
        await asyncio.sleep(pause)


async def read(stream: EventStream, count: int) -> list[Event]:
    """The next ``count`` events."""
    return [await asyncio.wait_for(anext(stream), 20) for _ in range(count)]


async def read_once(
    source: PostgresEventSource,
    tenant_id: TenantId,
    count: int,
    *,
    after: int | None = None,
    filters: tuple[str, ...] = (),
) -> list[Event]:
    """Subscribe, read ``count`` events and leave."""
    async with aclosing(await source.subscribe(tenant_id, filters, after)) as stream:
        return await read(stream, count)


def numbers(events: Sequence[Event]) -> list[int]:
    return [event.data["n"] for event in events]


def cursors(events: Sequence[Event]) -> list[int]:
    return [event.cursor for event in events]
