"""Scopes, roles and the one table that joins them (decisions 17).

The same primitive answers for REST, GraphQL, gRPC and MCP: a use case declares its scope
once with ``services.authorise.requires`` and every face names the use case.
"""

from enum import StrEnum
from typing import Final


class Scope(StrEnum):
    COST_READ = "cost:read"
    COST_WRITE = "cost:write"
    GPU_READ = "gpu:read"
    GPU_WRITE = "gpu:write"
    AI_READ = "ai:read"
    AI_WRITE = "ai:write"
    WORKLOAD_READ = "workload:read"
    WORKLOAD_WRITE = "workload:write"
    AGENT_READ = "agent:read"
    AGENT_WRITE = "agent:write"
    ALERT_READ = "alert:read"
    ALERT_WRITE = "alert:write"
    INTEGRATION_READ = "integration:read"
    INTEGRATION_WRITE = "integration:write"
    RECOMMENDATION_READ = "recommendation:read"
    RECOMMENDATION_WRITE = "recommendation:write"
    ENFORCEMENT_READ = "enforcement:read"
    ENFORCEMENT_WRITE = "enforcement:write"
    ENFORCEMENT_APPROVE = "enforcement:approve"
    NOTIFICATION_READ = "notification:read"
    NOTIFICATION_WRITE = "notification:write"
    REPORT_READ = "report:read"
    REPORT_WRITE = "report:write"
    AUDIT_READ = "audit:read"
    PRICE_ADMIN = "price:admin"
    TENANT_READ = "tenant:read"
    TENANT_ADMIN = "tenant:admin"


class Role(StrEnum):
    OWNER = "owner"
    ADMIN = "admin"
    FINOPS = "finops"
    ENGINEER = "engineer"
    APPROVER = "approver"
    ONCALL = "oncall"
    VIEWER = "viewer"
    SERVICE = "service"


_READS: Final[frozenset[Scope]] = frozenset(
    scope for scope in Scope if scope.endswith(":read") and scope is not Scope.AUDIT_READ
)
_ALL: Final[frozenset[Scope]] = frozenset(Scope)

ROLE_SCOPES: Final[dict[Role, frozenset[Scope]]] = {
    Role.OWNER: _ALL,
    Role.ADMIN: _ALL,
    Role.FINOPS: _READS
    | {
        Scope.COST_WRITE,
        Scope.RECOMMENDATION_WRITE,
        Scope.REPORT_WRITE,
        Scope.PRICE_ADMIN,
        Scope.NOTIFICATION_WRITE,
    },
    Role.ENGINEER: _READS
    | {
        Scope.INTEGRATION_WRITE,
        Scope.AI_WRITE,
        Scope.GPU_WRITE,
        Scope.WORKLOAD_WRITE,
        Scope.AGENT_WRITE,
        Scope.RECOMMENDATION_WRITE,
        Scope.ENFORCEMENT_WRITE,
    },
    Role.APPROVER: _READS | {Scope.ENFORCEMENT_APPROVE},
    Role.ONCALL: _READS | {Scope.ALERT_WRITE, Scope.ENFORCEMENT_WRITE, Scope.AGENT_WRITE},
    Role.VIEWER: _READS,
    Role.SERVICE: frozenset({Scope.AI_WRITE, Scope.COST_READ, Scope.AI_READ}),
}
"""Price administration is per tenant (overrides); the global price list is an operator's act."""
