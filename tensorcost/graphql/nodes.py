"""Any object by its global id: the type's name in the id says which use case reads it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import strawberry

from tensorcost.domain.errors import NotFound, ValidationFailed
from tensorcost.domain.ids import UserId
from tensorcost.graphql.audit.types import AUDIT_ENTRY, AuditEntry
from tensorcost.graphql.context import GraphqlContext, GraphqlInfo
from tensorcost.graphql.cost.rerating_types import RERATING, Rerating
from tensorcost.graphql.ids import Node, split_id, uuid_in
from tensorcost.graphql.integration.findings import FINDING, Finding
from tensorcost.graphql.integration.runs import (
    CONNECTION,
    QUARANTINED,
    RUN,
    QuarantinedRow,
    SyncRun,
)
from tensorcost.graphql.integration.types import ProviderConnection
from tensorcost.graphql.roots import query
from tensorcost.graphql.tenancy.types import MEMBER, TENANT, Member, Tenant
from tensorcost.services.audit import AuditService
from tensorcost.services.authorise import any_of
from tensorcost.services.integration import IntegrationService
from tensorcost.services.integration_history import IntegrationHistory
from tensorcost.services.rerating import ReratingService
from tensorcost.services.tenancy.members import MemberService
from tensorcost.services.tenancy.settings import TenantService

Read = Callable[[GraphqlContext, UUID], Awaitable[Node]]


@dataclass(frozen=True, slots=True)
class NodeReader:
    """How objects of one type are read: through which use case, which checks its own scopes."""

    use_case: Callable[..., Any]
    read: Read
    """Raises NotFound."""


async def _tenant(context: GraphqlContext, key: UUID) -> Node:
    if key != context.principal.tenant_id:
        raise NotFound("tenant", key)
    return Tenant.from_domain(await context.services.tenants.read(context.principal))


async def _member(context: GraphqlContext, key: UUID) -> Node:
    found = await context.services.members.get(context.principal, UserId(key))
    return Member.from_domain(found)


async def _audit_entry(context: GraphqlContext, key: UUID) -> Node:
    return AuditEntry.from_domain(await context.services.audit.get(context.principal, key))


async def _connection(context: GraphqlContext, key: UUID) -> Node:
    found = await context.services.integration.get(context.principal, key)
    return ProviderConnection.from_domain(found)


async def _run(context: GraphqlContext, key: UUID) -> Node:
    return SyncRun.from_domain(await context.services.history.run(context.principal, key))


async def _finding(context: GraphqlContext, key: UUID) -> Node:
    return Finding.from_domain(await context.services.history.finding(context.principal, key))


async def _quarantined(context: GraphqlContext, key: UUID) -> Node:
    found = await context.services.history.quarantined(context.principal, key)
    return QuarantinedRow.from_domain(found)


async def _rerating(context: GraphqlContext, key: UUID) -> Node:
    found = await context.services.reratings.get(context.principal, key)
    return Rerating.from_domain(found.run)


READERS: Final[dict[str, NodeReader]] = {
    TENANT: NodeReader(TenantService.read, _tenant),
    MEMBER: NodeReader(MemberService.get, _member),
    AUDIT_ENTRY: NodeReader(AuditService.get, _audit_entry),
    CONNECTION: NodeReader(IntegrationService.get, _connection),
    RUN: NodeReader(IntegrationHistory.run, _run),
    FINDING: NodeReader(IntegrationHistory.finding, _finding),
    QUARANTINED: NodeReader(IntegrationHistory.quarantined, _quarantined),
    RERATING: NodeReader(ReratingService.get, _rerating),
}
"""Every type that implements Node; a test walks the schema and fails on one that is not here."""


@strawberry.type
class NodeQueries:
    @query(
        any_of(*(reader.use_case for reader in READERS.values())),
        "Anything with an id of its own; null where the caller's tenant has nothing of that id.",
    )
    async def node(self, info: GraphqlInfo, id: strawberry.ID) -> Node | None:
        kind, _ = split_id(id)
        reader = READERS.get(kind)
        if reader is None:
            raise ValidationFailed("not an id of ours", field="id")
        try:
            return await reader.read(info.context, uuid_in(id, kind))
        except NotFound:
            return None
