"""Who am I, where, and with whom."""

import strawberry

from tensorcost.graphql.context import GraphqlInfo
from tensorcost.graphql.paging import Connection, connection, page_of, time_key
from tensorcost.graphql.roots import query
from tensorcost.graphql.tenancy.types import Branding, Member, Tenant, Viewer
from tensorcost.services.tenancy.members import MemberService
from tensorcost.services.tenancy.settings import TenantService


@strawberry.type
class TenancyQueries:
    @query(TenantService.read, "The caller: roles, scopes and tenant.")
    async def viewer(self, info: GraphqlInfo) -> Viewer | None:
        context = info.context
        return Viewer.of(context.principal, await context.services.tenants.read(context.principal))

    @query(TenantService.read, "The caller's tenant.")
    async def tenant(self, info: GraphqlInfo) -> Tenant | None:
        context = info.context
        return Tenant.from_domain(await context.services.tenants.read(context.principal))

    @query(TenantService.branding, "Logo, colours and custom domain.")
    async def branding(self, info: GraphqlInfo) -> Branding | None:
        context = info.context
        return Branding.from_domain(await context.services.tenants.branding(context.principal))

    @query(MemberService.list, "Invited and active members, oldest first.")
    async def members(
        self, info: GraphqlInfo, first: int, after: str | None = None
    ) -> Connection[Member] | None:
        context, page = info.context, page_of(first, after)
        rows = await context.services.members.list(
            context.principal, limit=page.limit, after=page.after_time()
        )
        return connection(
            rows,
            page,
            node=Member.from_domain,
            key=lambda row: time_key(row.joined_at, row.user_id),
        )
