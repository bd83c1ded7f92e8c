"""Where a price came from, and whose it is."""

from datetime import UTC, datetime
from decimal import Decimal

import asyncpg
import pytest

from tensorcost.domain.ids import TenantId
from tensorcost.storage.price_queries import read_model_prices, read_price_versions
from tensorcost.storage.session import Database
from tests.support import databases
from tests.support.price_rows import add_list_price, add_override
from tests.support.tenants import make_tenant

SINCE = datetime(2026, 1, 1, tzinfo=UTC)


async def test_list_prices_are_everybodys_and_overrides_one_tenants(
    db: Database, database: databases.Database
) -> None:
    mine, other = await make_tenant(database), await make_tenant(database)
    listed = await add_list_price(database, "m-1", "3.00", SINCE)
    own = await add_override(db, mine, "m-1", "2.50", SINCE)
    await add_list_price(database, "m-2", "9.00", SINCE)

    async def versions(tenant: TenantId) -> tuple[set[int], set[int]]:
        async with db.tenant(tenant) as tx:
            known = await read_model_prices(tx, ["m-1"])
            found = await read_price_versions(tx, [listed, own])
        assert {p.usd_per_million for p in known.listed} == {Decimal("3.00")}
        return {p.version for p in known.overrides}, {v for v in found if found[v].is_override}

    assert await versions(mine) == ({own}, {own})
    assert await versions(other) == (set(), set())


async def test_a_version_says_source_and_effective_date(
    db: Database, database: databases.Database
) -> None:
    tenant = await make_tenant(database)
    version = await add_list_price(database, "m-3", "1.00", SINCE, source="list-2026")
    async with db.tenant(tenant) as tx:
        found = await read_price_versions(tx, [version, 10**6])
        assert await read_price_versions(tx, []) == {}
    assert set(found) == {version}
    assert (found[version].source, found[version].effective_from) == ("list-2026", SINCE)


async def test_the_app_role_cannot_change_the_global_list(database: databases.Database) -> None:
    connection = await asyncpg.connect(database.urls.app)
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("DELETE FROM ai.price")
    finally:
        await connection.close()
