"""Which tenant a caller acts in: a pure decision over the token, the header and memberships."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from tensorcost.domain.errors import Forbidden, NotFound, Unauthenticated, ValidationFailed
from tensorcost.domain.identity.principal import Plan
from tensorcost.domain.identity.scopes import Role
from tensorcost.domain.ids import TenantId, UserId

ACTIVE_TENANT_HEADER: Final = "X-Active-Tenant-Id"


@dataclass(frozen=True, slots=True)
class Membership:
    """An active membership in an active tenant."""

    tenant_id: TenantId
    user_id: UserId
    role: Role
    plan: Plan


def parse_tenant_header(value: str | None) -> TenantId | None:
    """The header's tenant; ValidationFailed unless it is one UUID in its usual form."""
    if value is None:
        return None
    try:
        parsed = UUID(value)
    except ValueError:
        parsed = None
    if parsed is None or str(parsed) != value.strip().lower():
        raise ValidationFailed(f"{ACTIVE_TENANT_HEADER} is not a UUID", field=ACTIVE_TENANT_HEADER)
    return TenantId(parsed)


def choose_membership(
    memberships: Sequence[Membership], *, claimed: TenantId | None, asked: TenantId | None
) -> Membership:
    """The membership to act in.

    ``asked`` (the header) wins and must be a membership: a tenant of others is NotFound, like
    one that does not exist. Else the token's claim, void once the membership ended. Else the
    only membership; with several, the header is required.
    """
    by_tenant = {membership.tenant_id: membership for membership in memberships}
    if asked is not None:
        if asked not in by_tenant:
            raise NotFound("tenant", asked)
        return by_tenant[asked]
    if claimed is not None:
        if claimed not in by_tenant:
            raise Unauthenticated("the membership that this token was issued for has ended")
        return by_tenant[claimed]
    if not memberships:
        raise Forbidden("not a member of any tenant")
    if len(by_tenant) > 1:
        raise ValidationFailed(
            f"member of several tenants: name one in {ACTIVE_TENANT_HEADER}",
            field=ACTIVE_TENANT_HEADER,
        )
    return memberships[0]


def choose_service_tenant(claimed: TenantId, asked: TenantId | None) -> TenantId:
    """A service token acts in its own tenant only; Forbidden whatever other id is asked."""
    if asked is not None and asked != claimed:
        raise Forbidden("a service token cannot switch tenant")
    return claimed
