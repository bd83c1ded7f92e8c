"""Every table of the catalogue, as the serving role bound to one tenant, aimed at another's rows.

What the walk tries follows from the catalogue: a new table, partition, view or function that
runs as somebody else is tried too, or fails here until it is named with its reason.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from uuid import UUID

import asyncpg
import orjson
import pytest

from tests.isolation.catalogue import (
    GLOBAL_TABLES,
    Catalogue,
    Table,
    differences,
    open_catalogue,
)
from tests.isolation.conftest import Street

DEFINER_FUNCTIONS = {
    "app.memberships_of": "a subject's own memberships, before a tenant is known (decisions 18)",
    "app.link_subject": "joins a verified e-mail to a pool's subject at sign-in",
    "app.tenant_of_slug": "the id behind a tenant's public name, at sign-in",
    "app.tenants_to_seal": "ids of tenants with unsealed audit entries, for the sealer",
    "app.prune_refresh_tokens": "forgets the bound tenant's tokens that have ended",
    "app.prune_invitations": "forgets the bound tenant's invitations, used or ended",
    "app.prune_events": "forgets the bound tenant's events, none younger than a day",
    "ai.tenants_to_rerate": "ids of tenants whose rows newer prices may concern, for the job",
    "ai.ensure_spend_partition": "makes a day's partition, reads nothing (decisions 13)",
}
"""Run as their owner and may be called by the app role. Each does one narrow thing."""


@pytest.fixture(scope="module")
async def catalogue(street: Street) -> AsyncIterator[Catalogue]:
    async with open_catalogue(street.database.superuser_url) as opened:
        yield opened


@pytest.fixture(scope="module")
async def tables(catalogue: Catalogue) -> list[Table]:
    return await catalogue.tenant_tables()


class Serving:
    """The app role's connection; each attempt is a transaction of its own, rolled back."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection

    @asynccontextmanager
    async def bound(self, tenant: UUID | None) -> AsyncIterator[asyncpg.Connection]:
        attempt = self._connection.transaction()
        await attempt.start()
        try:
            if tenant is not None:
                await self._connection.execute(
                    "SELECT set_config('app.tenant_id', $1, true)", str(tenant)
                )
            yield self._connection
        finally:
            await attempt.rollback()

    async def touched(self, tenant: UUID | None, statement: str, *values: object) -> int | None:
        """How many rows the statement touched, or None where it was refused."""
        async with self.bound(tenant) as connection:
            try:
                status: str = await connection.execute(statement, *values)
            except asyncpg.InsufficientPrivilegeError:
                return None
        return int(status.rsplit(" ", 1)[-1])


@pytest.fixture(scope="module")
async def serving(street: Street) -> AsyncIterator[Serving]:
    connection = await asyncpg.connect(street.database.urls.app)
    yield Serving(connection)
    await connection.close()


async def test_both_tenants_have_a_row_in_every_tenant_table(
    street: Street, catalogue: Catalogue, tables: list[Table]
) -> None:
    parents = [table.name for table in tables if not table.is_partition]
    assert len(parents) > 25
    for household in (street.ours, street.theirs):
        empty = [name for name in parents if not await catalogue.count(name, household.id)]
        assert empty == []
    assert any(table.is_partition for table in tables)


async def test_a_table_without_a_tenant_is_global_on_purpose(catalogue: Catalogue) -> None:
    without = {table.name for table in await catalogue.tables() if not table.has_tenant}
    assert without == set(GLOBAL_TABLES)


async def test_reading_a_table_shows_every_own_row_and_no_other(
    street: Street, catalogue: Catalogue, tables: list[Table], serving: Serving
) -> None:
    wrong = []
    for table in tables:
        async with serving.bound(street.ours.id) as connection:
            try:
                seen = await connection.fetch(f"SELECT tenant_id FROM {table.name}")
            except asyncpg.InsufficientPrivilegeError:
                assert table.is_partition, f"{table.name} cannot be read at all"
                continue
        own = await catalogue.count(table.name, street.ours.id)
        if {row["tenant_id"] for row in seen} != {street.ours.id} or len(seen) != own:
            wrong.append(table.name)
    assert wrong == []


async def test_a_connection_bound_to_no_tenant_reads_nothing(
    tables: list[Table], serving: Serving
) -> None:
    for table in tables:
        assert not await serving.touched(None, f"SELECT FROM {table.name}"), table.name


async def test_a_row_for_another_tenant_cannot_be_added(
    street: Street, catalogue: Catalogue, tables: list[Table], serving: Serving
) -> None:
    """Their own row, said again, by us."""
    for table in tables:
        theirs = await catalogue.rows(table.name, street.theirs.id)
        parent = "ai.spend_event" if table.is_partition else table.name
        row = (theirs or await catalogue.rows(parent, street.theirs.id))[0]
        names = ", ".join(column.name for column in await catalogue.columns(table.name))
        statement = (
            f"INSERT INTO {table.name} ({names}) "
            f"SELECT {names} FROM jsonb_populate_record(NULL::{table.name}, $1::jsonb)"
        )
        refused = await serving.touched(street.ours.id, statement, orjson.dumps(row).decode())
        assert refused is None, table.name


async def test_rows_of_another_tenant_can_be_neither_changed_nor_deleted_nor_locked(
    street: Street, catalogue: Catalogue, tables: list[Table], serving: Serving
) -> None:
    before = await catalogue.everything(street.theirs.id)
    for table in tables:
        for statement in await _attempts(catalogue, table.name):
            touched = await serving.touched(street.ours.id, statement, street.theirs.id)
            assert not touched, statement
    assert differences(before, await catalogue.everything(street.theirs.id)) == []


async def _attempts(catalogue: Catalogue, table: str) -> list[str]:
    """Every kind of write at the tenant ``$1``; changes of each column that may be changed."""
    columns = [column.name for column in await catalogue.columns(table) if column.may_update]
    changes = [f"UPDATE {table} SET {name} = {name} WHERE tenant_id = $1" for name in columns]
    return [
        *changes,
        f"DELETE FROM {table} WHERE tenant_id = $1",
        f"SELECT FROM {table} WHERE tenant_id = $1 FOR UPDATE",
    ]


async def test_an_own_row_cannot_be_given_to_another_tenant(
    street: Street, catalogue: Catalogue, tables: list[Table], serving: Serving
) -> None:
    for table in tables:
        statement = f"UPDATE {table.name} SET tenant_id = $1 WHERE tenant_id = $2"
        touched = await serving.touched(street.ours.id, statement, street.theirs.id, street.ours.id)
        assert touched is None, table.name


async def test_writing_without_a_where_touches_own_rows_alone(
    street: Street, catalogue: Catalogue, tables: list[Table], serving: Serving
) -> None:
    changed = 0
    for table in tables:
        columns = [column for column in await catalogue.columns(table.name) if column.may_update]
        if table.is_partition or not columns:
            continue
        name = columns[-1].name
        touched = await serving.touched(street.ours.id, f"UPDATE {table.name} SET {name} = {name}")
        assert touched == await catalogue.count(table.name, street.ours.id), table.name
        changed += 1
    assert changed > 10


async def test_the_copy_role_reads_nothing_and_adds_to_the_bound_tenant_alone(
    street: Street, tables: list[Table], serving: Serving
) -> None:
    """Row security does not bind it, so its rights must: it can only append, to one table."""
    named: Callable[[str], str] = "INSERT INTO {0} (tenant_id) VALUES ($1)".format
    for table in tables:
        for statement in (
            f"SELECT FROM {table.name} WHERE tenant_id = $1",
            f"UPDATE {table.name} SET tenant_id = tenant_id WHERE tenant_id = $1",
            f"DELETE FROM {table.name} WHERE tenant_id = $1",
            named(table.name),
        ):
            async with serving.bound(street.ours.id) as connection:
                await connection.execute("SET LOCAL ROLE tc_copy")
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await connection.execute(statement, street.theirs.id)


async def test_a_reference_between_tenant_tables_stays_within_the_tenant(
    catalogue: Catalogue, tables: list[Table]
) -> None:
    """Else a row of ours could point at, and so reveal, a row of theirs."""
    tenanted = {table.name for table in tables}
    crossing = [
        f"{table.name}.{key.name}"
        for table in tables
        for key in await catalogue.foreign_keys(table.name)
        if key.parent in tenanted and key.columns.get("tenant_id") != "tenant_id"
    ]
    assert crossing == []


async def test_what_runs_as_its_owner_is_named_with_its_reason(catalogue: Catalogue) -> None:
    rows = await catalogue.connection.fetch(
        "SELECT n.nspname || '.' || p.proname AS name FROM pg_proc p "
        "JOIN pg_namespace n ON n.oid = p.pronamespace WHERE p.prosecdef "
        "AND n.nspname NOT IN ('pg_catalog', 'information_schema') "
        "AND has_function_privilege('tc_app', p.oid, 'EXECUTE')"
    )
    assert {row["name"] for row in rows} == set(DEFINER_FUNCTIONS)


async def test_no_view_reads_with_more_than_the_callers_rights(catalogue: Catalogue) -> None:
    """A view reads as its owner unless told otherwise; a materialised one always has."""
    rows = await catalogue.connection.fetch(
        "SELECT c.oid::regclass::text AS name FROM pg_class c "
        "JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE n.nspname IN ('app', 'ai', 'public') AND (c.relkind = 'm' OR c.relkind = 'v' "
        "AND NOT coalesce('security_invoker=true' = ANY (c.reloptions), false))"
    )
    assert [row["name"] for row in rows] == []
