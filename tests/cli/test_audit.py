"""``tensorcost audit verify`` sees what was done to the trail behind the product's back."""

from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from tensorcost.services.audit import seal_pending
from tensorcost.storage.audit import record
from tests.support.command import Command
from tests.support.databases import Database
from tests.support.tenants import app_database, make_tenant


@pytest.fixture
async def superuser(database: Database) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database.superuser_url)
    yield connection
    await connection.close()


async def test_a_changed_entry_is_found_and_fails_the_command(
    database: Database, superuser: asyncpg.Connection, tmp_path: Path
) -> None:
    tenant = await make_tenant(database)
    command = Command(database, tmp_path)
    async with app_database(database) as db:
        for number in range(3):
            async with db.tenant(tenant) as tx:
                await record(
                    tx,
                    actor="system:test",
                    action="a.b",
                    resource_type="t",
                    resource_id=str(number),
                )
        assert await seal_pending(db, tenant) == 3
    intact = command("audit", "verify", "--tenant", str(tenant), "--json")
    assert intact.code == 0, intact.talk
    assert (intact.json()["intact"], intact.json()["sealed"]) == (True, 3)
    await superuser.execute(
        "UPDATE app.audit_entry SET actor = 'system:nobody' "
        "WHERE tenant_id = $1 AND resource_id = '1'",
        tenant,
    )
    found = command("audit", "verify", "--tenant", str(tenant), "--json")
    assert found.code == 1
    assert [finding["kind"] for finding in found.json()["findings"]] == ["changed"]
