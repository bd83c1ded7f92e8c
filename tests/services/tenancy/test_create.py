"""A new tenant, made by an operator."""

from collections.abc import AsyncIterator

import pytest

from tensorcost.domain.errors import Conflict, ValidationFailed
from tensorcost.domain.identity.principal import Plan
from tensorcost.domain.tenancy.stored_secrets import StoredSecretKind
from tensorcost.services.tenancy.create import create_tenant
from tensorcost.storage.secrets import read_secret
from tests.gateway.world import World, open_world
from tests.support.databases import Database


@pytest.fixture(scope="module")
async def world(database: Database) -> AsyncIterator[World]:
    async with open_world(database) as opened:
        yield opened


async def create(world: World, name: str, email: str, slug: str | None = None) -> object:
    return await create_tenant(
        world.platform,
        world.passwords,
        world.clock,
        name=name,
        plan=Plan.GROWTH,
        owner_email=email,
        slug=slug,
    )


async def test_a_tenant_begins_with_a_secret_an_event_an_audit_row_and_an_owner(
    world: World,
) -> None:
    tenant = await world.tenant()
    async with world.database.tenant(tenant.tenant_id) as tx:
        assert len(await read_secret(tx, StoredSecretKind.CONTENT_HASH) or b"") == 32
        event = await tx.first("SELECT cursor, type FROM app.event_outbox")
        assert event is not None
        assert (event.cursor, event.type) == (1, "tenant.created")
        assert await tx.scalar("SELECT actor FROM app.audit_entry") == "system:operator"
        assert await tx.scalar("SELECT role FROM app.membership") == "owner"
    async with world.platform.open(reason="look", actor="test") as tx:
        reasons = await tx.all("SELECT reason FROM app.platform_audit")
    assert f"create tenant {tenant.slug}" in {row.reason for row in reasons}


async def test_an_owner_with_an_account_gets_an_invitation_and_keeps_the_password(
    world: World,
) -> None:
    first = await world.tenant()
    second = await world.tenant(owner=first.owner_email)
    assert second.owner_id == first.owner_id
    assert second.one_time_password is None
    assert second.invitation is not None
    async with world.client() as client:
        answer = await client.post(
            "/v1/auth/accept-invitation",
            json={"invitation": second.invitation, "password": first.one_time_password},
        )
    assert answer.json()["data"]["user"]["role"] == "owner"
    assert answer.json()["data"]["tenantId"] == str(second.tenant_id)


async def test_a_taken_slug_is_a_conflict_and_leaves_nothing_behind(world: World) -> None:
    await create(world, "Fake Slug", "one@example.com")
    with pytest.raises(Conflict):
        await create(world, "fake slug!", "two@example.com")
    async with world.platform.open(reason="look", actor="test") as tx:
        assert await tx.first("SELECT 1 FROM app.app_user WHERE email = 'two@example.com'") is None


@pytest.mark.parametrize(
    ("name", "email", "slug"),
    [("", "a@example.com", None), ("x" * 201, "a@example.com", None), ("Fine", "nobody", None)]
    + [("Fine", "a@example.com", slug) for slug in ("Not A Slug", "-x-", "x", "a" * 64)],
)
async def test_bad_input_is_refused(world: World, name: str, email: str, slug: str | None) -> None:
    with pytest.raises(ValidationFailed):
        await create(world, name, email, slug)
