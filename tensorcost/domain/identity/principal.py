"""Who is asking, and whether they may."""

from dataclasses import dataclass
from enum import StrEnum

from tensorcost.domain.errors import Forbidden
from tensorcost.domain.identity.scopes import ROLE_SCOPES, Role, Scope
from tensorcost.domain.ids import TenantId


class PrincipalKind(StrEnum):
    USER = "user"
    SERVICE = "service"


class Plan(StrEnum):
    STARTER = "starter"
    GROWTH = "growth"
    ENTERPRISE = "enterprise"


@dataclass(frozen=True, slots=True)
class Principal:
    """An authenticated caller bound to exactly one tenant for the length of a request."""

    subject: str
    tenant_id: TenantId
    kind: PrincipalKind
    roles: frozenset[Role]
    scopes: frozenset[Scope]
    plan: Plan
    expires_at: float
    """Unix seconds after which the credential, and any stream it opened, is void."""

    def may(self, scope: Scope) -> bool:
        return scope in self.scopes


def scopes_of(roles: frozenset[Role]) -> frozenset[Scope]:
    """Union of the roles' scopes."""
    return frozenset().union(*(ROLE_SCOPES[role] for role in roles))


def require(principal: Principal, *scopes: Scope) -> None:
    """Raise Forbidden naming the first missing scope."""
    for scope in scopes:
        if scope not in principal.scopes:
            raise Forbidden(f"this needs the scope {scope.value}")
