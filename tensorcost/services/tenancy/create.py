"""A new tenant, made by an operator (decisions 18). The one use of the platform role here."""

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID, uuid4

from uuid_utils.compat import uuid7

from tensorcost.domain.clock import Clock
from tensorcost.domain.errors import Conflict, ValidationFailed
from tensorcost.domain.identity.actors import system_actor
from tensorcost.domain.identity.principal import Plan
from tensorcost.domain.identity.refresh import SECRET_BYTES, OpaqueKind, OpaqueToken
from tensorcost.domain.identity.scopes import Role
from tensorcost.domain.ids import TenantId, UserId
from tensorcost.domain.tenancy.members import INVITATION_LIFETIME, MemberStatus, check_email
from tensorcost.domain.tenancy.settings import slug_of
from tensorcost.domain.tenancy.stored_secrets import STORED_SECRETS
from tensorcost.providers.identity.passwords import Passwords
from tensorcost.storage import audit, tenancy
from tensorcost.storage import tenants as store
from tensorcost.storage.session import PlatformDatabase, Tx

_OPERATOR: Final = system_actor("operator")


@dataclass(frozen=True, slots=True)
class CreatedTenant:
    """A tenant and how its owner gets in: one of the two secrets, printed once."""

    tenant_id: TenantId
    slug: str
    owner_id: UserId
    owner_email: str
    one_time_password: str | None
    """For an owner who is new here; to be changed after the first sign-in."""
    invitation: str | None
    """For an owner who has an account: ``POST /v1/auth/accept-invitation``."""


async def create_tenant(
    platform: PlatformDatabase,
    passwords: Passwords,
    clock: Clock,
    *,
    name: str,
    plan: Plan,
    owner_email: str,
    slug: str | None = None,
) -> CreatedTenant:
    """Create a tenant with its owner and its secrets in one transaction.

    Raises ValidationFailed for a bad name, slug or address, Conflict for a taken slug.
    """
    name, email = name.strip(), check_email(owner_email)
    if not 1 <= len(name) <= 200:
        raise ValidationFailed("a name has 1 to 200 characters", field="name")
    slug = slug_of(name) if slug is None else slug
    if slug_of(slug) != slug:
        raise ValidationFailed("a slug is lower case letters, digits and hyphens", field="slug")
    tenant_id = TenantId(UUID(str(uuid7())))
    password = secrets.token_urlsafe(15)
    hashed = await passwords.hash(password)
    async with platform.open(reason=f"create tenant {slug}", actor=_OPERATOR) as tx:
        if not await store.insert_tenant(tx, tenant_id, slug=slug, name=name, plan=plan):
            raise Conflict(f"the slug {slug} is taken")
        for kind, spec in STORED_SECRETS.items():
            await store.insert_secret(tx, tenant_id, kind, secrets.token_bytes(spec.size))
        known = await tenancy.find_user(tx, email)
        owner_id = known or UserId(uuid4())  # see MemberService._user_to_invite
        invitation = None
        if known is None:
            await store.insert_user(tx, owner_id, email, hashed)
            await tenancy.put_member(tx, tenant_id, owner_id, Role.OWNER, MemberStatus.ACTIVE)
        else:
            invitation = await _invite(tx, tenant_id, owner_id, clock())
        await _note(tx, tenant_id, plan, owner_id)
    return CreatedTenant(
        tenant_id=tenant_id,
        slug=slug,
        owner_id=owner_id,
        owner_email=email,
        one_time_password=password if known is None else None,
        invitation=invitation,
    )


async def _invite(tx: Tx, tenant_id: TenantId, owner_id: UserId, now: datetime) -> str:
    """An account that somebody made elsewhere does not prove whose address it is."""
    token = OpaqueToken.make(OpaqueKind.INVITATION, tenant_id, secrets.token_bytes(SECRET_BYTES))
    await tenancy.put_member(tx, tenant_id, owner_id, Role.OWNER, MemberStatus.INVITED)
    await tenancy.add_invitation(
        tx,
        tenant_id,
        owner_id,
        token_hash=token.hash,
        invited_by=_OPERATOR,
        expires_at=now + INVITATION_LIFETIME,
    )
    return token.text


async def _note(tx: Tx, tenant_id: TenantId, plan: Plan, owner_id: UserId) -> None:
    detail = {"tenant_id": str(tenant_id), "plan": plan.value, "owner_id": str(owner_id)}
    await audit.record_for(
        tx,
        tenant_id,
        actor=_OPERATOR,
        action="tenant.created",
        resource_type="tenant",
        resource_id=str(tenant_id),
        detail=detail,
    )
    await store.append_created_event(tx, tenant_id, detail)
