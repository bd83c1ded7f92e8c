"""What only the platform role does: list tenants; write new ones, their first user, secrets."""

from typing import Any
from uuid import UUID

import orjson

from tensorcost.domain.events.catalogue import EventType
from tensorcost.domain.identity.principal import Plan
from tensorcost.domain.ids import TenantId, UserId
from tensorcost.domain.tenancy.stored_secrets import StoredSecretKind
from tensorcost.storage.session import EVENT_CHANNEL, Tx


async def list_tenants(tx: Tx) -> list[TenantId]:
    """Every tenant, for jobs that go from one to the next."""
    rows = await tx.all("SELECT tenant_id FROM app.tenant ORDER BY tenant_id")
    return [TenantId(row.tenant_id) for row in rows]


async def find_tenant_id(tx: Tx, text: str) -> TenantId | None:
    """The tenant with this id or slug."""
    try:
        wanted: UUID | None = UUID(text)
    except ValueError:
        wanted = None
    found = await tx.scalar(
        "SELECT tenant_id FROM app.tenant WHERE tenant_id = :id OR slug = :slug",
        id=wanted,
        slug=text,
    )
    return None if found is None else TenantId(found)


async def insert_tenant(tx: Tx, tenant_id: TenantId, *, slug: str, name: str, plan: Plan) -> bool:
    """False when the slug is taken."""
    return (
        await tx.run(
            "INSERT INTO app.tenant (tenant_id, slug, name, plan)"
            " VALUES (:tenant, :slug, :name, :plan) ON CONFLICT (slug) DO NOTHING",
            tenant=tenant_id,
            slug=slug,
            name=name,
            plan=plan.value,
        )
        == 1
    )


async def insert_user(tx: Tx, user_id: UserId, email: str, password_hash: str) -> None:
    """A new user whose password was made up for them."""
    await tx.run(
        "INSERT INTO app.app_user (user_id, email, password_hash, password_temporary)"
        " VALUES (:user, :email, :hash, true)",
        user=user_id,
        email=email,
        hash=password_hash,
    )


async def append_created_event(tx: Tx, tenant_id: TenantId, data: dict[str, Any]) -> None:
    """The tenant's first event: its cursor begins at 1."""
    await tx.run(
        "INSERT INTO app.event_cursor (tenant_id, last) VALUES (:tenant, 1)", tenant=tenant_id
    )
    await tx.run(
        "INSERT INTO app.event_outbox (tenant_id, cursor, type, data)"
        " VALUES (:tenant, 1, :type, CAST(:data AS jsonb))",
        tenant=tenant_id,
        type=EventType.TENANT_CREATED.value,
        data=orjson.dumps(data).decode(),
    )
    await tx.run(
        "SELECT pg_notify(:channel, :tenant)", channel=EVENT_CHANNEL, tenant=str(tenant_id)
    )


async def insert_secret(tx: Tx, tenant_id: TenantId, kind: StoredSecretKind, secret: bytes) -> None:
    """Version 1 of a secret of ``kind``."""
    await tx.run(
        "INSERT INTO app.tenant_secret (tenant_id, kind, secret) VALUES (:tenant, :kind, :secret)",
        tenant=tenant_id,
        kind=kind.value,
        secret=secret,
    )
