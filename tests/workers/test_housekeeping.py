"""Jobs that keep the house: they repeat, they survive failures, they stop when told."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from tensorcost.storage import audit
from tensorcost.storage.engine import make_engine
from tensorcost.storage.session import Database, PlatformDatabase
from tensorcost.workers.housekeeping import Housekeeper, Job, forget_seen, jobs
from tests.support.databases import Database as TestDatabase
from tests.support.tenants import make_tenant

NOW = datetime.now(UTC)


@pytest.fixture
async def platform(database: TestDatabase) -> AsyncIterator[PlatformDatabase]:
    engine = make_engine(database.urls.platform, application_name="test")
    try:
        yield PlatformDatabase(engine)
    finally:
        await engine.dispose()


async def test_a_failed_job_is_tried_again_and_others_go_on() -> None:
    stop = asyncio.Event()
    calls: list[str] = []

    async def broken() -> None:
        calls.append("broken")
        raise ConnectionError("away")

    async def sound() -> None:
        calls.append("sound")
        if calls.count("sound") == 3:
            stop.set()

    tick = timedelta(milliseconds=1)
    keeper = Housekeeper([Job("broken", tick, broken), Job("sound", tick, sound)])
    await asyncio.wait_for(keeper.run(stop), 10)
    assert calls.count("sound") == 3
    assert keeper.failures == {"broken": calls.count("broken"), "sound": 0}


async def test_a_job_under_way_is_finished_before_the_house_stops() -> None:
    stop, started, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def slow() -> None:
        started.set()
        await asyncio.sleep(0.05)
        ended.set()

    running = asyncio.create_task(Housekeeper([Job("slow", timedelta(hours=1), slow)]).run(stop))
    await started.wait()
    stop.set()
    await running
    assert ended.is_set()


async def test_audit_rows_are_sealed_and_partitions_made_ahead(
    db: Database, database: TestDatabase, platform: PlatformDatabase
) -> None:
    tenant = await make_tenant(database)
    async with db.tenant(tenant) as tx:
        await audit.record(tx, actor="system:test", action="test.done", resource_type="test")
    found = {job.name: job for job in jobs(db, platform, lambda: NOW)}
    for job in found.values():
        await job.run()
    async with db.tenant(tenant) as tx:
        assert len(await audit.sealed_page(tx, after=0, limit=10)) == 1
    last = (NOW + timedelta(days=35)).strftime("%Y%m%d")
    connection = await asyncpg.connect(database.superuser_url)
    try:
        assert await connection.fetchval("SELECT to_regclass($1)", f"ai.spend_event_{last}")
    finally:
        await connection.close()


async def test_old_ids_of_pushed_events_are_forgotten_in_every_tenant(
    db: Database, database: TestDatabase, platform: PlatformDatabase
) -> None:
    tenants = [await make_tenant(database) for _ in range(2)]
    for tenant in tenants:
        async with db.tenant(tenant) as tx:
            await tx.run(
                "INSERT INTO ai.event_seen (event_id, content_hash, seen_at) VALUES "
                "(uuidv7(), '', now() - interval '36 days'), (uuidv7(), '', now())"
            )
    assert await forget_seen(db, platform) >= 2
    for tenant in tenants:
        async with db.tenant(tenant) as tx:
            assert await tx.scalar("SELECT count(*) FROM ai.event_seen") == 1


async def test_without_the_platform_role_nothing_of_other_tenants_is_asked(
    db: Database,
) -> None:
    assert {job.name for job in jobs(db, None, lambda: NOW)} == {"seal-audit", "partitions-ahead"}
