"""Writing versions: unchanged days keep their rows, former versions stay, one writer a month."""

import asyncio
from datetime import date

import pytest
from sqlalchemy.exc import DBAPIError

from tensorcost.domain.cost.reconciliation.content import content_hash
from tensorcost.domain.cost.reconciliation.facts import DayResult, GapClass, Share
from tensorcost.domain.ids import TenantId
from tensorcost.storage.reconciliation.results import (
    current_hashes,
    lock_period,
    open_version,
    write_day,
)
from tensorcost.storage.session import Database
from tests.support import databases
from tests.support.reconciled import USD, explained_day, write_version
from tests.support.tenants import make_tenant

OCTOBER = date(2026, 10, 1)
FIFTH, SIXTH = date(2026, 10, 5), date(2026, 10, 6)


async def rows(db: Database, tenant: TenantId, sql: str) -> list[tuple[object, ...]]:
    async with db.tenant(tenant) as tx:
        return [tuple(row) for row in await tx.all(sql)]


async def test_everything_a_day_says_is_stored(db: Database, tenant: TenantId) -> None:
    result = explained_day(tax=2)
    await write_version(db, tenant, {FIFTH: result})
    stored = await rows(
        db,
        tenant,
        "SELECT dim_id, actor_id, grain, share, currency, unblended_nano, amortized_nano, "
        "net_nano FROM ai.reconciled_daily ORDER BY share",
    )
    assert stored == sorted(
        (
            (a.dim_id, a.actor_id, a.grain.value, a.share.value, a.currency, *a.money)
            for a in result.allocations
        ),
        key=lambda row: row[3],
    )
    cells = await rows(
        db,
        tenant,
        "SELECT account_id, region, model_id, currency, grain, requests, logged_tokens, "
        "billed_tokens, lines, estimate_nano, billed_unblended_nano, billed_amortized_nano, "
        "billed_net_nano, attributed_unblended_nano, attributed_amortized_nano, "
        "attributed_net_nano FROM ai.reconciled_cell",
    )
    (cell,) = result.cells
    counts = (1, 12, 3_000, 10**19, 2, 3 * USD)
    assert cells == [(*cell.cell, "USD", *counts, *cell.billed, *cell.attributed)]
    gaps = await rows(
        db, tenant, "SELECT gap_class, unblended_nano, evidence FROM ai.reconciled_gap"
    )
    assert sorted(gaps, key=str) == sorted(
        ((gap.gap_class.value, gap.money.unblended, gap.evidence) for gap in result.gaps), key=str
    )
    shares = await rows(
        db, tenant, "SELECT share, unblended_nano, net_nano FROM ai.reconciled_share ORDER BY share"
    )
    assert shares == [
        (Share.ATTRIBUTED, 4 * USD, USD),
        (Share.TAX, 2 * USD, USD // 2),
        (Share.UNLOGGED, USD, USD // 4),
    ]
    classes = await rows(db, tenant, "SELECT gap_class, unblended_nano FROM ai.reconciled_class")
    assert sorted(classes) == [
        (GapClass.PRICE_DRIFT, USD),
        (GapClass.TAX, 2 * USD),
        (GapClass.UNLOGGED, USD),
    ]
    assert await rows(db, tenant, "SELECT estimate_nano FROM ai.reconciled_day") == [(3 * USD,)]


async def test_a_day_that_says_the_same_again_keeps_its_rows(
    db: Database, tenant: TenantId
) -> None:
    first = await write_version(db, tenant, {FIFTH: explained_day(4), SIXTH: explained_day(4)})
    second = await write_version(db, tenant, {FIFTH: explained_day(4), SIXTH: explained_day(5)})
    assert (first.version, second.version) == (1, 2)
    days = await rows(
        db,
        tenant,
        "SELECT d.day, r.version, d.is_current FROM ai.reconciled_day d "
        "JOIN ai.reconciliation r USING (reconciliation_id) ORDER BY 1, 2",
    )
    assert days == [(FIFTH, 1, True), (SIXTH, 1, False), (SIXTH, 2, True)]
    versions = await rows(
        db, tenant, "SELECT version, days, days_changed FROM ai.reconciliation ORDER BY 1"
    )
    assert versions == [(1, 2, 2), (2, 2, 1)]
    kept = await rows(db, tenant, "SELECT sum(unblended_nano) FROM ai.reconciled_daily")
    assert kept == [((5 + 5 + 6) * USD,)], "the former version's rows stay"


async def test_hashes_are_those_of_the_current_rows_of_the_month(
    db: Database, tenant: TenantId
) -> None:
    november = date(2026, 11, 1)
    await write_version(db, tenant, {FIFTH: explained_day(1)})
    await write_version(db, tenant, {FIFTH: explained_day(2), SIXTH: explained_day(3)})
    await write_version(db, tenant, {november: explained_day(4)})
    async with db.tenant(tenant) as tx:
        assert await current_hashes(tx, OCTOBER) == {
            FIFTH: content_hash(explained_day(2)),
            SIXTH: content_hash(explained_day(3)),
        }
        assert list(await current_hashes(tx, november)) == [november]


async def test_a_day_that_lost_all_of_its_rows_is_stored_as_empty(
    db: Database, tenant: TenantId
) -> None:
    await write_version(db, tenant, {FIFTH: explained_day()})
    await write_version(db, tenant, {FIFTH: DayResult((), (), ())})
    current = (
        "SELECT count(*) FROM ai.reconciled_day d JOIN ai.reconciled_cell c "
        "USING (tenant_id, day, reconciliation_id) WHERE d.is_current"
    )
    assert await rows(db, tenant, current) == [(0,)]


async def test_a_version_that_is_not_closed_cannot_be_committed(
    db: Database, tenant: TenantId
) -> None:
    async def write() -> None:
        async with db.tenant(tenant) as tx:
            version = await open_version(tx, OCTOBER, SIXTH, (), "test")
            await write_day(tx, version, FIFTH, explained_day(), b"hash")

    with pytest.raises(DBAPIError, match="reconciliation"):
        await write()
    assert await rows(db, tenant, "SELECT day FROM ai.reconciled_day") == []


async def test_two_writers_of_one_month_take_turns(db: Database, tenant: TenantId) -> None:
    written = await asyncio.gather(
        *(write_version(db, tenant, {FIFTH: explained_day(n)}) for n in range(1, 5))
    )
    assert sorted(version.version for version in written) == [1, 2, 3, 4]
    current = await rows(
        db,
        tenant,
        "SELECT r.version FROM ai.reconciled_day JOIN ai.reconciliation r "
        "USING (reconciliation_id) WHERE is_current",
    )
    assert current == [(4,)]


async def test_another_tenant_neither_waits_nor_sees(
    db: Database, tenant: TenantId, database: databases.Database
) -> None:
    await write_version(db, tenant, {FIFTH: explained_day()})
    neighbour = await make_tenant(database)
    async with db.tenant(tenant) as holding:
        await lock_period(holding, OCTOBER)
        version = await asyncio.wait_for(
            write_version(db, neighbour, {FIFTH: explained_day()}), timeout=20
        )
    assert version.version == 1


async def test_what_was_written_can_be_neither_changed_nor_deleted(
    db: Database, tenant: TenantId
) -> None:
    await write_version(db, tenant, {FIFTH: explained_day()})
    names = ("daily", "share", "cell", "gap")
    tables = ["ai.reconciliation", "ai.reconciled_day", *(f"ai.reconciled_{n}" for n in names)]
    for table in tables:
        for statement in (f"DELETE FROM {table}", f"UPDATE {table} SET tenant_id = tenant_id"):
            with pytest.raises(DBAPIError, match="permission denied"):
                async with db.tenant(tenant) as tx:
                    await tx.run(statement)
