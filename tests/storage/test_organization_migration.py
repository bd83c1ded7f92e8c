"""Migration 0080 knows which accounts could be entered: a role lost after it is told as lost."""

from typing import Final
from uuid import UUID

import asyncpg

from tensorcost.storage.migrate import upgrade
from tests.support.connections import ACCOUNT, NOW
from tests.support.databases import Database

TENANT: Final = UUID(int=1)
CONNECTION: Final = UUID(int=2)
MEMBER: Final = "222233334444"


async def test_accounts_that_were_covered_are_known_as_such(unmigrated_database: Database) -> None:
    await upgrade(unmigrated_database.urls.owner, "0080")
    connection = await asyncpg.connect(unmigrated_database.superuser_url)
    try:
        await connection.execute(
            "INSERT INTO app.tenant (tenant_id, name, slug, plan) "
            "VALUES ($1, 'T', 'tenant', 'starter')",
            TENANT,
        )
        await connection.execute(
            "INSERT INTO app.connection (tenant_id, connection_id, provider, name, state, "
            "account_id) VALUES ($1, $2, 'bedrock', 'Main', 'connected', $3)",
            TENANT,
            CONNECTION,
            ACCOUNT,
        )
        for account, coverage in ((ACCOUNT, "covered"), (MEMBER, "role_missing")):
            await connection.execute(
                "INSERT INTO app.connection_account (tenant_id, connection_id, account_id, state, "
                "coverage, checked_at) VALUES ($1, $2, $3, 'ACTIVE', $4, $5)",
                TENANT,
                CONNECTION,
                account,
                coverage,
                NOW,
            )
        await upgrade(unmigrated_database.urls.owner)
        rows = await connection.fetch(
            "SELECT account_id, covered_at, changed_at FROM app.connection_account"
        )
        is_forced = await connection.fetchval(
            "SELECT relforcerowsecurity FROM pg_class WHERE relname = 'connection_account'"
        )
    finally:
        await connection.close()
    found = {row["account_id"]: (row["covered_at"], row["changed_at"]) for row in rows}
    assert found == {ACCOUNT: (NOW, NOW), MEMBER: (None, NOW)}
    assert is_forced
