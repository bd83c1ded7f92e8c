"""Users, memberships as seen before a tenant is known, and refresh tokens."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row

from tensorcost.domain.identity.membership import Membership
from tensorcost.domain.identity.principal import Plan
from tensorcost.domain.identity.scopes import Role
from tensorcost.domain.identity.token import Subject
from tensorcost.domain.ids import TenantId, UserId
from tensorcost.storage.session import Database, TenantTx, Tx


@dataclass(frozen=True, slots=True)
class MembershipStore:
    """Answers the authenticator's questions (``services.identity.authenticate.Memberships``)."""

    database: Database

    async def of_subject(self, subject: Subject) -> Sequence[Membership]:
        """Active memberships in active tenants, in any order."""
        async with self.database.untenanted() as tx:
            rows = await tx.all(
                "SELECT tenant_id, user_id, role, plan"
                " FROM app.memberships_of(:subject, :federated)",
                subject=subject.value,
                federated=subject.federated,
            )
        return [
            Membership(TenantId(row.tenant_id), UserId(row.user_id), Role(row.role), Plan(row.plan))
            for row in rows
        ]

    async def link_email(self, subject: str, email: str) -> bool:
        """Join a pool's subject to the user of its verified e-mail; True when that changed rows."""
        async with self.database.untenanted() as tx:
            return bool(
                await tx.scalar(
                    "SELECT app.link_subject(:subject, :email)", subject=subject, email=email
                )
            )

    async def plan_of(self, tenant_id: TenantId) -> Plan | None:
        """The plan of an active tenant."""
        async with self.database.tenant(tenant_id) as tx:
            plan = await tx.scalar("SELECT plan FROM app.tenant WHERE status = 'active'")
        return None if plan is None else Plan(plan)


async def tenant_of_slug(database: Database, slug: str) -> TenantId | None:
    """The active tenant named ``slug``; the one look-up by name before a tenant is known."""
    async with database.untenanted() as tx:
        found = await tx.scalar("SELECT app.tenant_of_slug(:slug)", slug=slug)
    return None if found is None else TenantId(found)


@dataclass(frozen=True, slots=True)
class SignInRow:
    """A member as sign-in sees it: the only reader of password hashes."""

    user_id: UserId
    email: str
    display_name: str
    password_hash: str | None
    password_temporary: bool
    federated: bool
    """Signs in through the identity provider alone."""
    role: Role
    member_status: str


_MEMBER = """
    SELECT u.user_id, u.email, u.display_name, u.password_hash, u.password_temporary,
           u.cognito_sub IS NOT NULL AS federated, m.role, m.status AS member_status
    FROM app.membership m
    JOIN app.app_user u ON u.user_id = m.user_id
    JOIN app.tenant t ON t.tenant_id = m.tenant_id AND t.status = 'active'
"""


async def member_by_email(tx: TenantTx, email: str) -> SignInRow | None:
    """The tenant's member with this e-mail address, whatever the membership's status."""
    return _sign_in_row(await tx.first(f"{_MEMBER} WHERE u.email = :email", email=email))


async def member_by_id(tx: TenantTx, user_id: UserId) -> SignInRow | None:
    """The tenant's member, whatever the membership's status."""
    return _sign_in_row(await tx.first(f"{_MEMBER} WHERE u.user_id = :user", user=user_id))


async def set_password(tx: Tx, user_id: UserId, password_hash: str, *, temporary: bool) -> None:
    await tx.run(
        "UPDATE app.app_user SET password_hash = :hash, password_temporary = :temporary"
        " WHERE user_id = :user",
        hash=password_hash,
        temporary=temporary,
        user=user_id,
    )


@dataclass(frozen=True, slots=True)
class RefreshRow:
    token_hash: bytes
    family_id: UUID
    user_id: UserId
    expires_at: datetime
    spent_at: datetime | None
    successor: bytes | None
    revoked_at: datetime | None


async def add_refresh(
    tx: TenantTx,
    *,
    token_hash: bytes,
    family_id: UUID,
    user_id: UserId,
    issued_at: datetime,
    expires_at: datetime,
) -> None:
    await tx.run(
        "INSERT INTO app.refresh_token"
        " (tenant_id, token_hash, family_id, user_id, issued_at, expires_at)"
        " VALUES (:tenant, :hash, :family, :user, :issued, :expires)",
        tenant=tx.tenant_id,
        hash=token_hash,
        family=family_id,
        user=user_id,
        issued=issued_at,
        expires=expires_at,
    )


async def lock_refresh(tx: TenantTx, token_hash: bytes) -> RefreshRow | None:
    """The token's row, locked so that two uses of it see one another."""
    row = await tx.first(
        "SELECT token_hash, family_id, user_id, expires_at, spent_at, successor, revoked_at"
        " FROM app.refresh_token WHERE token_hash = :hash FOR UPDATE",
        hash=token_hash,
    )
    if row is None:
        return None
    return RefreshRow(
        bytes(row.token_hash),
        row.family_id,
        UserId(row.user_id),
        row.expires_at,
        row.spent_at,
        None if row.successor is None else bytes(row.successor),
        row.revoked_at,
    )


async def spend_refresh(tx: TenantTx, token_hash: bytes, at: datetime, sealed: bytes) -> None:
    """Mark a token used and keep its successor, sealed for the bearer of the token alone."""
    await tx.run(
        "UPDATE app.refresh_token SET spent_at = :at, successor = :sealed WHERE token_hash = :hash",
        at=at,
        sealed=sealed,
        hash=token_hash,
    )


async def revoke_family(tx: TenantTx, family_id: UUID, at: datetime) -> int:
    """Revoke every live token of a sign-in; how many there were."""
    return await tx.run(
        "UPDATE app.refresh_token SET revoked_at = :at"
        " WHERE family_id = :family AND revoked_at IS NULL",
        at=at,
        family=family_id,
    )


async def revoke_user(tx: TenantTx, user_id: UserId, at: datetime) -> int:
    """Revoke every live token of a user in this tenant; how many there were."""
    return await tx.run(
        "UPDATE app.refresh_token SET revoked_at = :at"
        " WHERE user_id = :user AND revoked_at IS NULL",
        at=at,
        user=user_id,
    )


async def prune_refresh_tokens(tx: TenantTx, before: datetime, *, most: int) -> int:
    """Forget at most ``most`` tokens that ended before ``before``; how many went.

    Tokens that have not ended stay, used ones too: a second use of theirs must be noticed.
    """
    found: int = await tx.scalar(
        "SELECT app.prune_refresh_tokens(:before, :most)", before=before, most=most
    )
    return found


def _sign_in_row(row: Row[Any] | None) -> SignInRow | None:
    if row is None:
        return None
    return SignInRow(
        user_id=UserId(row.user_id),
        email=row.email,
        display_name=row.display_name,
        password_hash=row.password_hash,
        password_temporary=row.password_temporary,
        federated=row.federated,
        role=Role(row.role),
        member_status=row.member_status,
    )
