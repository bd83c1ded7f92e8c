"""The catalogue proves isolation: a table without forced row security fails the build."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from tensorcost.storage.engine import make_engine
from tensorcost.storage.safety import UnsafeRole, refuse_unsafe_role
from tests.support.databases import Database
from tests.support.tenants import app_database, make_tenant

GLOBAL_TABLES = {
    "app.app_user": "users are global, memberships are per tenant (decisions 18)",
    "app.platform_audit": "uses of the platform role, which has no tenant",
    "app.schema_version": "alembic's own",
    "ai.price_version": "the global price list",
    "ai.price": "the global price list",
}


@pytest.fixture(scope="module")
async def superuser(database: Database) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database.superuser_url)
    yield connection
    await connection.close()


TABLES = """
    SELECT n.nspname || '.' || c.relname AS name, c.relrowsecurity, c.relforcerowsecurity,
           c.relispartition,
           (SELECT count(*) FROM pg_policy p WHERE p.polrelid = c.oid AND p.polpermissive) AS open,
           (SELECT count(*) FROM pg_policy p WHERE p.polrelid = c.oid AND NOT p.polpermissive)
               AS fences,
           (SELECT string_agg(a.attname, ',' ORDER BY k.ord)
              FROM pg_index i, unnest(i.indkey) WITH ORDINALITY AS k (attnum, ord)
              JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum
             WHERE i.indrelid = c.oid AND i.indisprimary AND a.attrelid = i.indrelid) AS key,
           pg_get_userbyid(c.relowner) AS owner
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname IN ('app', 'ai') AND c.relkind IN ('r', 'p')
"""


async def test_every_tenant_table_forces_row_security_and_is_keyed_by_tenant(
    superuser: asyncpg.Connection,
) -> None:
    await superuser.execute("SELECT ai.ensure_spend_partition(DATE '2026-11-03')")
    rows = await superuser.fetch(TABLES)
    assert {"ai.spend_event", "ai.spend_event_20261103"} <= {row["name"] for row in rows}
    for row in rows:
        if row["name"] in GLOBAL_TABLES:
            continue
        assert row["relrowsecurity"], row["name"]
        assert row["relforcerowsecurity"], row["name"]
        assert row["key"].split(",")[0] == "tenant_id", row["name"]
        assert row["owner"] == "tc_owner", row["name"]
        if not row["relispartition"]:
            assert (row["open"], row["fences"]) == (1, 1), row["name"]


async def test_no_serving_role_may_truncate_or_reach_a_partition(
    superuser: asyncpg.Connection,
) -> None:
    rows = await superuser.fetch(
        "SELECT table_name, grantee, privilege_type FROM information_schema.role_table_grants "
        "WHERE table_schema IN ('app', 'ai') AND grantee <> 'tc_owner' "
        "AND (privilege_type = 'TRUNCATE' OR table_name ~ '^spend_event_[0-9]')"
    )
    assert rows == []


async def test_the_copy_role_can_insert_events_and_nothing_else(
    superuser: asyncpg.Connection,
) -> None:
    rows = await superuser.fetch(
        "SELECT DISTINCT table_schema || '.' || table_name AS name, privilege_type "
        "FROM information_schema.role_column_grants WHERE grantee = 'tc_copy'"
    )
    assert [tuple(row) for row in rows] == [("ai.spend_event", "INSERT")]
    named = await superuser.fetchval(
        "SELECT has_column_privilege('tc_copy', 'ai.spend_event', 'tenant_id', 'INSERT')"
    )
    assert named is False


async def test_without_a_tenant_no_row_is_seen_and_none_can_be_written(database: Database) -> None:
    tenant = await make_tenant(database)
    async with app_database(database) as db:
        async with db.untenanted() as tx:
            assert await tx.all("SELECT * FROM app.tenant") == []
        async with db.tenant(tenant) as tx:
            assert len(await tx.all("SELECT * FROM app.tenant")) == 1
        async with db.untenanted() as tx:
            assert await tx.all("SELECT * FROM app.tenant") == [], "the setting outlived its tx"


async def test_the_setting_of_one_transaction_does_not_reach_the_next(database: Database) -> None:
    first, second = await make_tenant(database), await make_tenant(database)
    async with app_database(database) as db:
        for tenant in (first, second, first):
            async with db.tenant(tenant) as tx:
                rows = await tx.all("SELECT tenant_id FROM app.tenant")
                assert [row.tenant_id for row in rows] == [tenant]


async def test_a_role_that_row_security_does_not_bind_is_refused(database: Database) -> None:
    for url in (database.urls.owner, database.urls.platform, database.superuser_url):
        engine = make_engine(url, application_name="test")
        with pytest.raises(UnsafeRole):
            await refuse_unsafe_role(engine)
        await engine.dispose()
    engine = make_engine(database.urls.app, application_name="test")
    await refuse_unsafe_role(engine)
    await engine.dispose()
