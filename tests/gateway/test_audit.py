"""The audit trail over REST, its chain, and what tampering looks like."""

from collections.abc import AsyncIterator
from datetime import timedelta

import asyncpg
import pytest

from tensorcost.domain.audit.chain import ChainHead, Tampering
from tensorcost.domain.identity.scopes import Role
from tensorcost.services.audit import ChainReport, seal_all, seal_pending, verify_chain
from tensorcost.services.tenancy.create import CreatedTenant
from tests.gateway.world import World
from tests.support.databases import Database


@pytest.fixture
async def superuser(database: Database) -> AsyncIterator[asyncpg.Connection]:
    """Somebody who can do to the table what no role of ours can."""
    connection = await asyncpg.connect(database.superuser_url)
    yield connection
    await connection.close()


async def busy_tenant(world: World, changes: int = 5) -> CreatedTenant:
    """A tenant with a few audited changes, all of them sealed."""
    tenant = await world.tenant()
    async with world.client(world.token(tenant)) as client:
        for number in range(changes):
            await client.patch("/v1/tenant", json={"name": f"Name {number} é"})
    await seal_pending(world.database, tenant.tenant_id)
    return tenant


async def verified(
    world: World, tenant: CreatedTenant, head: ChainHead | None = None
) -> ChainReport:
    return await verify_chain(world.database, tenant.tenant_id, world.clock, remembered=head)


async def kinds(world: World, tenant: CreatedTenant, head: ChainHead | None = None) -> set[str]:
    return {finding.kind.value for finding in (await verified(world, tenant, head)).findings}


async def test_the_trail_is_for_those_with_its_scope_and_reading_it_is_in_it(
    world: World,
) -> None:
    tenant = await world.tenant()
    _, viewer = await world.member(tenant.tenant_id, Role.VIEWER)
    async with world.client(viewer) as client:
        assert (await client.get("/v1/identity/audit")).status_code == 403
    async with world.client(world.token(tenant)) as client:
        await client.get("/v1/identity/audit")
        data = (await client.get("/v1/identity/audit")).json()["data"]
    assert [entry["action"] for entry in data] == ["data.read", "tenant.created"]
    assert data[0]["actor"] == f"user:{tenant.owner_id}"
    assert data[0]["detail"] == {"grain": "raw", "rows": 1}
    assert len(data[0]["trace_id"]) == 32


async def test_the_trail_is_filtered_and_paged_newest_first(world: World) -> None:
    tenant = await busy_tenant(world)
    async with world.client(world.token(tenant)) as client:
        seen: list[str] = []
        cursor = None
        while True:
            params = {"action": "tenant.updated", "limit": "2"}
            if cursor:
                params["cursor"] = cursor
            page = (await client.get("/v1/identity/audit", params=params)).json()
            seen += [entry["at"] for entry in page["data"]]
            cursor = page.get("next_cursor")
            if cursor is None:
                break
        future = await client.get("/v1/identity/audit", params={"since": "2999-01-01T00:00:00Z"})
        naive = await client.get("/v1/identity/audit", params={"since": "2026-01-01T00:00:00"})
    assert len(seen) == 5
    assert seen == sorted(seen, reverse=True)
    assert future.json()["data"] == []
    assert naive.status_code == 400


async def test_another_tenants_trail_is_out_of_reach(world: World) -> None:
    mine, theirs = await busy_tenant(world, 1), await busy_tenant(world, 3)
    async with world.client(world.token(mine)) as client:
        data = (await client.get("/v1/identity/audit")).json()["data"]
    assert str(theirs.tenant_id) not in str(data)
    assert len(data) == 2


async def test_sealing_covers_every_entry_once_in_one_chain(world: World) -> None:
    tenant = await busy_tenant(world)
    assert await seal_pending(world.database, tenant.tenant_id) == 0
    async with world.client(world.token(tenant)) as client:
        await client.patch("/v1/tenant", json={"name": "One more"})
    assert await seal_all(world.database, lookback=None) >= 1
    report = await verified(world, tenant)
    assert report.intact
    assert (report.sealed, report.unsealed, report.head.chain_no) == (7, 0, 7)


async def test_a_back_dated_entry_is_found_by_a_pass_without_lookback(
    world: World, superuser: asyncpg.Connection
) -> None:
    tenant = await busy_tenant(world, 1)
    await superuser.execute(
        "INSERT INTO app.audit_entry (tenant_id, at, actor, action, resource_type)"
        " VALUES ($1, now() - interval '3 days', 'user:x', 'fake.entry', 'x')",
        tenant.tenant_id,
    )
    assert await seal_pending(world.database, tenant.tenant_id) == 0
    assert (await verified(world, tenant)).unsealed == 1
    assert await seal_pending(world.database, tenant.tenant_id, lookback=None) == 1
    assert await seal_pending(world.database, tenant.tenant_id, lookback=timedelta(days=9)) == 0


@pytest.mark.parametrize(
    "change",
    [
        "SET actor = 'user:somebody-else'",
        "SET detail = jsonb_build_object('changed', '[]'::jsonb)",
        "SET at = at + interval '1 microsecond'",
        "SET trace_id = NULL",
        "SET resource_id = ''",
    ],
)
async def test_a_changed_entry_is_found(
    world: World, superuser: asyncpg.Connection, change: str
) -> None:
    tenant = await busy_tenant(world)
    await superuser.execute(
        f"UPDATE app.audit_entry {change} WHERE tenant_id = $1 AND entry_id ="
        " (SELECT entry_id FROM app.audit_seal WHERE tenant_id = $1 AND chain_no = 3)",
        tenant.tenant_id,
    )
    report = await verified(world, tenant)
    assert [(found.chain_no, found.kind) for found in report.findings] == [(3, Tampering.CHANGED)]


async def test_a_removed_entry_is_found_with_and_without_its_seal(
    world: World, superuser: asyncpg.Connection
) -> None:
    tenant = await busy_tenant(world)
    await superuser.execute(
        "DELETE FROM app.audit_seal WHERE tenant_id = $1 AND chain_no = 3", tenant.tenant_id
    )
    report = await verified(world, tenant)
    assert [(found.chain_no, found.kind) for found in report.findings] == [(3, Tampering.REMOVED)]
    assert (await verified(world, tenant)).findings == report.findings
    other = await busy_tenant(world)
    await superuser.execute("ALTER TABLE app.audit_seal DISABLE TRIGGER ALL")
    await superuser.execute("ALTER TABLE app.audit_entry DISABLE TRIGGER ALL")
    try:
        await superuser.execute(
            "DELETE FROM app.audit_entry WHERE tenant_id = $1 AND action = 'tenant.created'",
            other.tenant_id,
        )
    finally:
        await superuser.execute("ALTER TABLE app.audit_seal ENABLE TRIGGER ALL")
        await superuser.execute("ALTER TABLE app.audit_entry ENABLE TRIGGER ALL")
    assert await kinds(world, other) == {"removed"}


async def test_an_entry_put_into_the_middle_is_found(
    world: World, superuser: asyncpg.Connection
) -> None:
    tenant = await busy_tenant(world)
    async with superuser.transaction():
        await superuser.execute(
            "UPDATE app.audit_seal SET chain_no = -chain_no - 1"
            " WHERE tenant_id = $1 AND chain_no > 3",
            tenant.tenant_id,
        )
        await superuser.execute(
            "UPDATE app.audit_seal SET chain_no = -chain_no WHERE tenant_id = $1 AND chain_no < 0",
            tenant.tenant_id,
        )
        entry = await superuser.fetchval(
            "INSERT INTO app.audit_entry (tenant_id, actor, action, resource_type)"
            " VALUES ($1, 'user:x', 'fake.entry', 'x') RETURNING entry_id",
            tenant.tenant_id,
        )
        await superuser.execute(
            "INSERT INTO app.audit_seal (tenant_id, chain_no, entry_id, previous_hash, hash)"
            " SELECT $1, 4, $2, hash, sha256('guess') FROM app.audit_seal"
            " WHERE tenant_id = $1 AND chain_no = 3",
            tenant.tenant_id,
            entry,
        )
    assert await kinds(world, tenant) >= {"inserted"}


async def test_a_chain_cut_short_shows_against_a_remembered_head(
    world: World, superuser: asyncpg.Connection
) -> None:
    tenant = await busy_tenant(world)
    head = (await verified(world, tenant)).head
    assert await kinds(world, tenant, head) == set()
    await superuser.execute(
        "DELETE FROM app.audit_seal WHERE tenant_id = $1 AND chain_no > 4", tenant.tenant_id
    )
    assert await kinds(world, tenant) == set()
    assert await kinds(world, tenant, head) == {"cut_off"}
    await seal_pending(world.database, tenant.tenant_id, lookback=None)
    assert await kinds(world, tenant, ChainHead(head.chain_no, bytes(32))) == {"changed"}


async def test_the_running_system_can_neither_change_nor_delete_entries(world: World) -> None:
    tenant = await busy_tenant(world, 1)
    for statement in (
        "UPDATE app.audit_entry SET actor = 'x'",
        "DELETE FROM app.audit_entry",
        "UPDATE app.audit_seal SET hash = previous_hash",
        "DELETE FROM app.audit_seal",
        "TRUNCATE app.audit_entry CASCADE",
    ):
        with pytest.raises(Exception, match="permission denied"):
            async with world.database.tenant(tenant.tenant_id) as tx:
                await tx.run(statement)


async def test_verification_is_a_route_too(world: World) -> None:
    tenant = await busy_tenant(world, 2)
    async with world.client(world.token(tenant)) as client:
        first = (await client.get("/v1/identity/audit/verification")).json()["data"]
        assert first["intact"] is True
        assert first["sealed"] == 3
        head = {"head_no": str(first["head_no"]), "head_hash": first["head_hash"]}
        again = await client.get("/v1/identity/audit/verification", params=head)
        assert again.json()["data"]["findings"] == []
        half = await client.get("/v1/identity/audit/verification", params={"head_no": "1"})
        assert half.status_code == 400
