"""Connections and what became of them."""

import strawberry

from tensorcost.domain.integration.states import FindingState
from tensorcost.graphql.context import GraphqlInfo
from tensorcost.graphql.ids import uuid_in
from tensorcost.graphql.integration.findings import Finding
from tensorcost.graphql.integration.runs import CONNECTION, RUN, QuarantinedRow, SyncRun
from tensorcost.graphql.integration.types import (
    ConnectionSetup,
    Onboarding,
    ProviderConnection,
)
from tensorcost.graphql.paging import Connection, connection, page_of, time_key
from tensorcost.graphql.roots import query
from tensorcost.services.integration import IntegrationService
from tensorcost.services.integration_history import IntegrationHistory


@strawberry.type
class IntegrationQueries:
    @query(IntegrationService.list, "Connections, oldest first.")
    async def connections(
        self, info: GraphqlInfo, first: int, after: str | None = None
    ) -> Connection[ProviderConnection] | None:
        context, page = info.context, page_of(first, after)
        rows = await context.services.integration.list(
            context.principal, limit=page.limit, after=page.after_time()
        )
        return connection(
            rows,
            page,
            node=ProviderConnection.from_domain,
            key=lambda row: time_key(row.created_at, row.connection_id),
        )

    @query(IntegrationService.get, "One connection.")
    async def connection(self, info: GraphqlInfo, id: strawberry.ID) -> ProviderConnection | None:
        context = info.context
        found = await context.services.integration.get(context.principal, uuid_in(id, CONNECTION))
        return ProviderConnection.from_domain(found)

    @query(IntegrationService.setup, "The wizard's page of a connection.")
    async def connection_setup(
        self, info: GraphqlInfo, id: strawberry.ID
    ) -> ConnectionSetup | None:
        context = info.context
        found = await context.services.integration.setup(context.principal, uuid_in(id, CONNECTION))
        return ConnectionSetup.from_domain(found)

    @query(IntegrationService.template, "A provider's CloudFormation template.")
    async def connection_template(self, info: GraphqlInfo, provider: str = "bedrock") -> str | None:
        context = info.context
        return await context.services.integration.template(context.principal, provider)

    @query(IntegrationService.bucket_policy, "The policy of the bucket that holds the bill.")
    async def connection_bucket_policy(self, info: GraphqlInfo, id: strawberry.ID) -> str | None:
        context = info.context
        return await context.services.integration.bucket_policy(
            context.principal, uuid_in(id, CONNECTION)
        )

    @query(IntegrationHistory.run, "One validation, backfill or sync.")
    async def sync_run(self, info: GraphqlInfo, id: strawberry.ID) -> SyncRun | None:
        context = info.context
        return SyncRun.from_domain(
            await context.services.history.run(context.principal, uuid_in(id, RUN))
        )

    @query(IntegrationHistory.findings, "Findings of one connection or of all, open ones first.")
    async def findings(
        self,
        info: GraphqlInfo,
        first: int,
        after: str | None = None,
        connection_id: strawberry.ID | None = None,
        state: FindingState | None = FindingState.OPEN,
    ) -> Connection[Finding] | None:
        context, page = info.context, page_of(first, after)
        rows = await context.services.history.findings(
            context.principal,
            limit=page.limit,
            connection_id=None
            if connection_id is None
            else uuid_in(connection_id, CONNECTION, field="connectionId"),
            state=state,
            after=page.after_id(),
        )
        return connection(
            rows, page, node=Finding.from_domain, key=lambda row: (str(row.finding_id),)
        )

    @query(IntegrationHistory.quarantine, "What was not accepted, oldest first.")
    async def quarantine(
        self,
        info: GraphqlInfo,
        first: int,
        after: str | None = None,
        connection_id: strawberry.ID | None = None,
        run_id: strawberry.ID | None = None,
    ) -> Connection[QuarantinedRow] | None:
        context, page = info.context, page_of(first, after)
        rows = await context.services.history.quarantine(
            context.principal,
            limit=page.limit,
            connection_id=None
            if connection_id is None
            else uuid_in(connection_id, CONNECTION, field="connectionId"),
            run_id=None if run_id is None else uuid_in(run_id, RUN, field="runId"),
            after=page.after_id(),
        )
        return connection(
            rows,
            page,
            node=QuarantinedRow.from_domain,
            key=lambda row: (str(row.quarantine_id),),
        )

    @query(IntegrationHistory.onboarding, "The tenant's way to its first recommendation.")
    async def onboarding(self, info: GraphqlInfo) -> Onboarding | None:
        context = info.context
        found = await context.services.history.onboarding(context.principal)
        return None if found is None else Onboarding.from_domain(found)
