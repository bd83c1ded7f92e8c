"""Callers for service tests."""

from collections.abc import Iterable
from datetime import UTC, datetime

from tensorcost.domain.identity.principal import Plan, Principal, PrincipalKind
from tensorcost.domain.identity.scopes import Role, Scope
from tensorcost.domain.ids import TenantId

NOW = datetime(2026, 10, 20, 15, 30, tzinfo=UTC)


def caller(tenant: TenantId, scopes: Iterable[Scope] = Scope, subject: str = "user-1") -> Principal:
    """A user of ``tenant`` with ``scopes``."""
    return Principal(
        subject=subject,
        tenant_id=tenant,
        kind=PrincipalKind.USER,
        roles=frozenset({Role.VIEWER}),
        scopes=frozenset(scopes),
        plan=Plan.GROWTH,
        expires_at=NOW.timestamp() + 900,
    )


def fixed_clock() -> datetime:
    """Always ``NOW``."""
    return NOW
