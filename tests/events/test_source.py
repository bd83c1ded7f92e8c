"""Commit order, replay, resumption and isolation, on a real Postgres."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace

import asyncpg
import pytest

from tensorcost.domain.errors import Unavailable
from tensorcost.domain.events.catalogue import EventType
from tensorcost.domain.events.envelope import Event, NewEvent
from tensorcost.domain.ids import TenantId
from tensorcost.events.errors import CursorGone, ReaderTooSlow, SourceClosed
from tensorcost.events.source import PostgresEventSource
from tensorcost.events.stream import EventStream
from tensorcost.storage.session import Database
from tests.events.world import (
    FAST,
    app_database,
    commit,
    cursors,
    new_tenant,
    numbers,
    read,
    read_once,
)
from tests.support.databases import Database as TestDatabase


@pytest.fixture
async def app(database: TestDatabase) -> AsyncIterator[Database]:
    async with app_database(database) as opened:
        yield opened


@pytest.fixture
async def tenant(database: TestDatabase) -> TenantId:
    return await new_tenant(database)


@pytest.fixture
async def source(app: Database, database: TestDatabase) -> AsyncIterator[PostgresEventSource]:
    async with PostgresEventSource(app, database.urls.app, FAST).running() as running:
        yield running


async def test_a_committed_event_reaches_a_live_reader_with_its_whole_envelope(
    app: Database, tenant: TenantId, source: PostgresEventSource
) -> None:
    async with aclosing(await source.subscribe(tenant)) as stream:
        await commit(app, tenant, 1)
        (event,) = await read(stream, 1)
    assert (event.type, event.data, event.cursor) == ("cost.updated", {"n": 1}, 1)
    assert event.tenant_id == tenant
    assert event.timestamp.utcoffset() is not None


async def test_a_rolled_back_event_is_never_seen(
    app: Database, tenant: TenantId, source: PostgresEventSource
) -> None:
    async with aclosing(await source.subscribe(tenant)) as stream:
        with pytest.raises(ZeroDivisionError):
            await _emit_and_fail(app, tenant)
        await commit(app, tenant, 2)
        assert numbers(await read(stream, 2)) == [1, 2]


async def test_concurrent_writers_are_read_in_commit_order_without_gaps(
    app: Database, tenant: TenantId, source: PostgresEventSource
) -> None:
    chance = random.Random(7)
    async with aclosing(await source.subscribe(tenant)) as stream:
        await asyncio.gather(
            *(
                commit(app, tenant, 3 * i, 3 * i + 1, 3 * i + 2, pause=chance.random() / 50)
                for i in range(30)
            )
        )
        events = await read(stream, 90)
    assert cursors(events) == list(range(1, 91))
    assert sorted(numbers(events)) == list(range(90))


async def test_a_reader_resumes_after_its_cursor_and_goes_live_without_a_seam(
    app: Database, tenant: TenantId, source: PostgresEventSource
) -> None:
    await commit(app, tenant, *range(20))
    async with aclosing(await source.subscribe(tenant, after=5)) as stream:
        writer = asyncio.create_task(_write_slowly(app, tenant, range(20, 60)))
        events = await read(stream, 55)
        await writer
    assert cursors(events) == list(range(6, 61))


async def test_without_a_cursor_a_reader_sees_only_what_comes_after_it_subscribed(
    app: Database, tenant: TenantId, source: PostgresEventSource
) -> None:
    await commit(app, tenant, 1, 2)
    stream = await source.subscribe(tenant)
    await commit(app, tenant, 3)
    async with aclosing(stream):
        assert numbers(await read(stream, 1)) == [3]


async def test_filters_take_types_prefixes_and_other_pages_spellings(
    app: Database, tenant: TenantId, source: PostgresEventSource
) -> None:
    await commit(app, tenant, 1, kind=EventType.COST_FORECAST_GENERATED)
    await commit(app, tenant, 2, kind=EventType.SYNC_COMPLETED)
    await commit(app, tenant, 3, kind=EventType.CONNECTION_FAILED)
    await commit(app, tenant, 4, kind=EventType.COST_UPDATED)
    wanted = ("forecast.generated", "connection.*")
    assert numbers(await read_once(source, tenant, 2, after=0, filters=wanted)) == [1, 3]


async def test_two_tenants_never_see_each_others_events(
    app: Database, database: TestDatabase, tenant: TenantId, source: PostgresEventSource
) -> None:
    other = await new_tenant(database)
    async with (
        aclosing(await source.subscribe(tenant)) as mine,
        aclosing(await source.subscribe(other)) as theirs,
    ):
        await commit(app, other, 1, 2)
        await commit(app, tenant, 3)
        assert numbers(await read(mine, 1)) == [3]
        assert numbers(await read(theirs, 2)) == [1, 2]


async def test_a_reader_that_does_not_keep_up_is_ended_with_the_cursor_to_resume_after(
    app: Database, database: TestDatabase, tenant: TenantId
) -> None:
    settings = replace(FAST, queue_size=10)
    async with PostgresEventSource(app, database.urls.app, settings).running() as source:
        stream = await source.subscribe(tenant)
        waiting = asyncio.create_task(read(stream, 1))
        watcher = await source.subscribe(tenant)
        follow = asyncio.create_task(read(watcher, 41))
        await asyncio.sleep(0.1)
        for number in range(41):
            await commit(app, tenant, number)
        taken = []
        await waiting
        await follow
        with pytest.raises(ReaderTooSlow) as ended:
            await _read_into(taken, stream)
        rest = await read_once(source, tenant, 40 - len(taken), after=ended.value.cursor)
    assert len(taken) == 10
    assert numbers([*taken, *rest]) == list(range(1, 41))


async def test_a_cursor_older_than_what_is_kept_is_answered_with_a_clear_problem(
    app: Database, database: TestDatabase, tenant: TenantId, source: PostgresEventSource
) -> None:
    await commit(app, tenant, *range(10))
    await _forget_up_to(database, tenant, 4)
    assert cursors(await read_once(source, tenant, 6, after=4)) == list(range(5, 11))
    with pytest.raises(CursorGone, match="holds 5 to 10") as gone:
        await source.subscribe(tenant, after=3)
    assert gone.value.code == "GONE"


async def test_a_cursor_that_was_never_given_is_refused(
    app: Database, tenant: TenantId, source: PostgresEventSource
) -> None:
    await commit(app, tenant, 1)
    with pytest.raises(CursorGone):
        await source.subscribe(tenant, after=2)


async def test_what_the_outbox_forgot_under_a_replaying_reader_is_not_skipped_in_silence(
    app: Database, database: TestDatabase, tenant: TenantId, source: PostgresEventSource
) -> None:
    await commit(app, tenant, *range(30))
    async with aclosing(await source.subscribe(tenant, after=0)) as stream:
        seen = await read(stream, FAST.page_size)
        await _forget_up_to(database, tenant, 20)
        with pytest.raises(CursorGone):
            await read(stream, 1)
    assert cursors(seen) == list(range(1, FAST.page_size + 1))


async def test_an_outbox_that_forgot_everything_under_a_replaying_reader_says_so(
    app: Database, database: TestDatabase, tenant: TenantId, source: PostgresEventSource
) -> None:
    await commit(app, tenant, *range(10))
    async with (
        aclosing(await source.subscribe(tenant, after=9)) as live,
        aclosing(await source.subscribe(tenant, after=0)) as behind,
    ):
        await read(live, 1)
        await read(behind, FAST.page_size)
        await _forget_up_to(database, tenant, 10)
        with pytest.raises(CursorGone, match="holds 11 to 10"):
            await read(behind, 1)


async def test_a_closing_source_ends_its_streams_with_their_cursors(
    app: Database, database: TestDatabase, tenant: TenantId
) -> None:
    async with PostgresEventSource(app, database.urls.app, FAST).running() as source:
        stream = await source.subscribe(tenant)
        await commit(app, tenant, 1)
        await read(stream, 1)
    with pytest.raises(SourceClosed) as ended:
        await read(stream, 1)
    assert ended.value.cursor == 1
    with pytest.raises(Unavailable):
        await source.subscribe(tenant)


async def test_closing_a_stream_ends_a_reader_that_waits(
    tenant: TenantId, source: PostgresEventSource
) -> None:
    stream = await source.subscribe(tenant)
    waiting = asyncio.create_task(anext(stream, None))
    await asyncio.sleep(0.05)
    await stream.aclose()
    assert await asyncio.wait_for(waiting, 5) is None


async def test_a_notification_that_names_no_tenant_is_ignored(
    app: Database, database: TestDatabase, tenant: TenantId, source: PostgresEventSource
) -> None:
    async with aclosing(await source.subscribe(tenant)) as stream:
        connection = await asyncpg.connect(database.urls.app)
        await connection.execute("SELECT pg_notify('tensorcost_events', 'not-a-tenant')")
        await connection.close()
        await commit(app, tenant, 1)
        assert numbers(await read(stream, 1)) == [1]


@pytest.mark.parametrize("seed", range(4))
async def test_nothing_is_lost_or_doubled_when_connections_and_readers_are_killed_at_random(
    app: Database, database: TestDatabase, tenant: TenantId, source: PostgresEventSource, seed: int
) -> None:
    chance = random.Random(seed)
    writer = asyncio.create_task(_write_slowly(app, tenant, range(150)))
    killer = asyncio.create_task(_kill_listeners(database, chance))
    seen: list[int] = []
    while len(seen) < 150:
        async with aclosing(await source.subscribe(tenant, after=len(seen))) as stream:
            for _ in range(min(chance.randint(1, 25), 150 - len(seen))):
                seen.append((await asyncio.wait_for(anext(stream), 20)).cursor)
    await writer
    killer.cancel()
    assert seen == list(range(1, 151))


async def _write_slowly(app: Database, tenant: TenantId, values: range) -> None:
    for number in values:
        await commit(app, tenant, number)
        if number % 10 == 0:
            await asyncio.sleep(0.01)


async def _kill_listeners(database: TestDatabase, chance: random.Random) -> None:
    connection = await asyncpg.connect(database.superuser_url)
    try:
        while True:
            await asyncio.sleep(chance.random() / 20)
            await connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE application_name = 'tensorcost-events' AND datname = current_database()"
            )
    finally:
        await connection.close()


async def _forget_up_to(database: TestDatabase, tenant: TenantId, cursor: int) -> None:
    connection = await asyncpg.connect(database.superuser_url)
    try:
        await connection.execute(
            "DELETE FROM app.event_outbox WHERE tenant_id = $1 AND cursor <= $2", tenant, cursor
        )
    finally:
        await connection.close()


async def _emit_and_fail(app: Database, tenant: TenantId) -> None:
    async with app.tenant(tenant) as tx:
        await commit(app, tenant, 1)
        tx.emit(NewEvent(EventType.COST_UPDATED, {"n": -1}))
        await tx.flush_events()
        raise ZeroDivisionError


async def _read_into(taken: list[Event], stream: EventStream) -> None:
    while True:
        taken.extend(await read(stream, 1))
