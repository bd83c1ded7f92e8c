"""The tenant's own row, its members and invitations."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from tensorcost.domain.identity.principal import Plan
from tensorcost.domain.identity.scopes import Role
from tensorcost.domain.ids import TenantId, UserId
from tensorcost.domain.tenancy.members import Member, MemberStatus
from tensorcost.domain.tenancy.settings import Branding, Tenant
from tensorcost.storage.session import TenantTx, Tx

# Who is only invited has not told this tenant a name: the one on record is from elsewhere.
_MEMBER = """
    SELECT m.user_id, u.email, m.role, m.status, m.created_at,
           CASE WHEN m.status = 'invited' THEN '' ELSE u.display_name END AS display_name
    FROM app.membership m JOIN app.app_user u ON u.user_id = m.user_id
"""


async def exists(tx: TenantTx) -> bool:
    """Whether the transaction's tenant is there at all."""
    return bool(await tx.scalar("SELECT EXISTS (SELECT FROM app.tenant)"))


async def read_tenant(tx: TenantTx) -> Tenant | None:
    row = await tx.first(
        "SELECT tenant_id, slug, name, plan, status, time_zone, created_at, updated_at"
        " FROM app.tenant"
    )
    if row is None:
        return None
    return Tenant(
        id=TenantId(row.tenant_id),
        slug=row.slug,
        name=row.name,
        plan=Plan(row.plan),
        status=row.status,
        time_zone=row.time_zone,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


async def update_tenant(tx: TenantTx, *, name: str | None, time_zone: str | None) -> None:
    """Set what is not None."""
    await tx.run(
        "UPDATE app.tenant SET name = coalesce(:name, name),"
        " time_zone = coalesce(:zone, time_zone), updated_at = now()",
        name=name,
        zone=time_zone,
    )


async def read_branding(tx: TenantTx) -> Branding:
    return Branding.model_validate(await tx.scalar("SELECT branding FROM app.tenant") or {})


async def write_branding(tx: TenantTx, branding: Branding) -> None:
    await tx.run(
        "UPDATE app.tenant SET branding = CAST(:branding AS jsonb), updated_at = now()",
        branding=orjson.dumps(branding.model_dump(exclude_none=True)).decode(),
    )


async def list_members(
    tx: TenantTx, *, limit: int, after: tuple[datetime, UUID] | None
) -> Sequence[Member]:
    """Invited and active members, oldest first, after the keyset (joined_at, user id)."""
    clause = "AND (m.created_at, m.user_id) > (:after_at, :after_id)" if after else ""
    params: dict[str, Any] = {"limit": limit}
    if after is not None:
        params |= {"after_at": after[0], "after_id": after[1]}
    rows = await tx.all(
        f"{_MEMBER} WHERE m.status <> 'removed' {clause}"
        " ORDER BY m.created_at, m.user_id LIMIT :limit",
        **params,
    )
    return [_member(row) for row in rows]


async def lock_members(tx: TenantTx) -> None:
    """One change of memberships at a time, so that two owners cannot demote each other."""
    await tx.run(
        "SELECT pg_advisory_xact_lock(hashtextextended('members:' || :tenant, 0))",
        tenant=str(tx.tenant_id),
    )


async def find_member(tx: TenantTx, user_id: UserId) -> Member | None:
    """An invited or active member."""
    row = await tx.first(
        f"{_MEMBER} WHERE m.user_id = :user AND m.status <> 'removed'", user=user_id
    )
    return None if row is None else _member(row)


async def count_active_owners(tx: TenantTx) -> int:
    found = await tx.scalar(
        "SELECT count(*) FROM app.membership WHERE role = 'owner' AND status = 'active'"
    )
    return int(found)


async def find_user(tx: Tx, email: str) -> UserId | None:
    found = await tx.scalar("SELECT user_id FROM app.app_user WHERE email = :email", email=email)
    return None if found is None else UserId(found)


async def add_user(tx: Tx, user_id: UserId, email: str, display_name: str = "") -> None:
    await tx.run(
        "INSERT INTO app.app_user (user_id, email, display_name) VALUES (:user, :email, :name)",
        user=user_id,
        email=email,
        name=display_name,
    )


async def rename_user(tx: Tx, user_id: UserId, display_name: str) -> None:
    await tx.run(
        "UPDATE app.app_user SET display_name = :name WHERE user_id = :user",
        name=display_name,
        user=user_id,
    )


async def put_member(
    tx: Tx, tenant_id: TenantId, user_id: UserId, role: Role, status: MemberStatus
) -> None:
    """Insert a membership, or bring a removed one back."""
    await tx.run(
        "INSERT INTO app.membership (tenant_id, user_id, role, status)"
        " VALUES (:tenant, :user, :role, :status)"
        " ON CONFLICT (tenant_id, user_id) DO UPDATE"
        " SET role = excluded.role, status = excluded.status, updated_at = now()",
        tenant=tenant_id,
        user=user_id,
        role=role.value,
        status=status.value,
    )


async def set_role(tx: TenantTx, user_id: UserId, role: Role) -> None:
    await tx.run(
        "UPDATE app.membership SET role = :role, updated_at = now() WHERE user_id = :user",
        role=role.value,
        user=user_id,
    )


async def remove_member(tx: TenantTx, user_id: UserId) -> None:
    await tx.run(
        "UPDATE app.membership SET status = 'removed', updated_at = now() WHERE user_id = :user",
        user=user_id,
    )


async def add_invitation(
    tx: Tx,
    tenant_id: TenantId,
    user_id: UserId,
    *,
    token_hash: bytes,
    invited_by: str,
    expires_at: datetime,
) -> None:
    """Add an invitation; earlier ones of the same user stop working."""
    await tx.run(
        "UPDATE app.invitation SET expires_at = 'epoch'"
        " WHERE tenant_id = :tenant AND user_id = :user AND accepted_at IS NULL",
        tenant=tenant_id,
        user=user_id,
    )
    await tx.run(
        "INSERT INTO app.invitation (tenant_id, token_hash, user_id, invited_by, expires_at)"
        " VALUES (:tenant, :hash, :user, :by, :expires)",
        tenant=tenant_id,
        hash=token_hash,
        user=user_id,
        by=invited_by,
        expires=expires_at,
    )


async def open_invitation(tx: TenantTx, token_hash: bytes, now: datetime) -> UserId | None:
    """Whom an unused, unexpired invitation is for."""
    found = await tx.scalar(
        "SELECT user_id FROM app.invitation"
        " WHERE token_hash = :hash AND accepted_at IS NULL AND expires_at > :now",
        hash=token_hash,
        now=now,
    )
    return None if found is None else UserId(found)


async def accept_invitation(
    tx: TenantTx, token_hash: bytes, user_id: UserId, now: datetime
) -> bool:
    """Use an invitation up and activate its membership; False when another did so first."""
    used = await tx.run(
        "UPDATE app.invitation SET accepted_at = :now"
        " WHERE token_hash = :hash AND accepted_at IS NULL AND expires_at > :now",
        hash=token_hash,
        now=now,
    )
    if used != 1:
        return False
    return (
        await tx.run(
            "UPDATE app.membership SET status = 'active', updated_at = now()"
            " WHERE user_id = :user AND status = 'invited'",
            user=user_id,
        )
        == 1
    )


async def prune_invitations(tx: TenantTx, before: datetime, *, most: int) -> int:
    """Forget at most ``most`` invitations that were used or ended before ``before``; how many."""
    found: int = await tx.scalar(
        "SELECT app.prune_invitations(:before, :most)", before=before, most=most
    )
    return found


def _member(row: Any) -> Member:
    return Member(
        user_id=UserId(row.user_id),
        email=row.email,
        display_name=row.display_name,
        role=Role(row.role),
        status=MemberStatus(row.status),
        joined_at=row.created_at,
    )
