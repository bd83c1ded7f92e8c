"""The unit of work: one tenant, one commit, events in commit order."""

import asyncio
from datetime import date

import pytest

from tensorcost.domain.errors import Unavailable
from tensorcost.domain.events.catalogue import EventType
from tensorcost.domain.events.envelope import NewEvent
from tensorcost.domain.ids import TenantId
from tensorcost.storage.engine import make_engine
from tensorcost.storage.session import Database, PlatformDatabase
from tensorcost.storage.spend.partitions import ensure_partitions
from tests.support import databases


def event(n: int) -> NewEvent:
    return NewEvent(EventType.COST_UPDATED, {"n": n})


async def outbox(db: Database, tenant: TenantId) -> list[tuple[int, int]]:
    async with db.tenant(tenant) as tx:
        rows = await tx.all("SELECT cursor, data FROM app.event_outbox ORDER BY cursor")
    return [(row.cursor, row.data["n"]) for row in rows]


async def test_events_of_a_failed_transaction_are_never_told(
    db: Database, tenant: TenantId
) -> None:
    async def fail() -> None:
        async with db.tenant(tenant) as tx:
            tx.emit(event(1))
            raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        await fail()
    async with db.tenant(tenant) as tx:
        tx.emit(event(2))
    assert await outbox(db, tenant) == [(1, 2)]


async def test_cursors_have_no_gap_and_follow_commit_order_under_concurrency(
    db: Database, tenant: TenantId
) -> None:
    async def write(n: int) -> None:
        async with db.tenant(tenant) as tx:
            tx.emit(event(2 * n))
            tx.emit(event(2 * n + 1))
            await asyncio.sleep(0.001 * (n % 3))

    await asyncio.gather(*(write(n) for n in range(20)))
    told = await outbox(db, tenant)
    assert [cursor for cursor, _ in told] == list(range(1, 41))
    numbers = [n for _, n in told]
    assert all(b == a + 1 for a, b in zip(numbers[::2], numbers[1::2], strict=True))


async def test_every_use_of_the_platform_role_leaves_a_row(
    database: databases.Database, tenant: TenantId
) -> None:
    engine = make_engine(database.urls.platform, application_name="test")
    platform = PlatformDatabase(engine)
    async with platform.open(reason="counting tenants", actor="test") as tx:
        assert await tx.scalar("SELECT count(*) FROM app.tenant") >= 1
    async with platform.open(reason="looking", actor="test") as tx:
        reasons = await tx.all("SELECT reason FROM app.platform_audit ORDER BY entry_id")
    assert [row.reason for row in reasons] == ["counting tenants", "looking"]
    await engine.dispose()


async def test_a_database_that_is_away_is_unavailable_not_a_crash(tenant: TenantId) -> None:
    engine = make_engine("postgresql://tc_app:x@127.0.0.1:1/none", application_name="test")
    with pytest.raises(Unavailable):
        await Database(engine).tenant(tenant).__aenter__()
    await engine.dispose()


async def test_partitions_asked_for_at_the_same_moment_are_made_once(
    db: Database, tenant: TenantId
) -> None:
    day = date(2026, 3, 5)
    made = await asyncio.gather(*(ensure_partitions(db, tenant, [day]) for _ in range(8)))
    assert sum(made) == 1
