"""Live progress: the state now, and again whenever an event says that it changed.

Each answer is read from the tables rather than taken from the event, so a client that was
away sees the truth at once and needs no cursor.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from uuid import UUID

import strawberry

from tensorcost.domain.integration.states import RunKind
from tensorcost.graphql.context import GraphqlInfo
from tensorcost.graphql.ids import uuid_in
from tensorcost.graphql.integration.runs import CONNECTION, SyncRun
from tensorcost.graphql.integration.types import ProviderConnection
from tensorcost.graphql.roots import subscription
from tensorcost.services.events import EventService


@strawberry.type(description="A connection, its latest run, and the event that told of a change.")
class ConnectionProgress:
    event: str | None
    connection: ProviderConnection
    run: SyncRun | None


@strawberry.type(description="A connection's latest backfill; null before there is one.")
class BackfillProgress:
    event: str | None
    run: SyncRun | None


@strawberry.type
class IntegrationSubscriptions:
    @subscription(EventService.progress, "How a connection comes along.")
    async def connection_progress(
        self, info: GraphqlInfo, connection_id: strawberry.ID
    ) -> AsyncGenerator[ConnectionProgress, None]:
        context, key = info.context, uuid_in(connection_id, CONNECTION, field="connectionId")
        async with aclosing(_changes(info, key, "")) as changes:
            async for event in changes:
                found = await context.services.integration.get(context.principal, key)
                yield ConnectionProgress(
                    event=event,
                    connection=ProviderConnection.from_domain(found),
                    run=await _latest(info, key, None),
                )

    @subscription(EventService.progress, "How a connection's backfill comes along.")
    async def backfill_progress(
        self, info: GraphqlInfo, connection_id: strawberry.ID
    ) -> AsyncGenerator[BackfillProgress, None]:
        key = uuid_in(connection_id, CONNECTION, field="connectionId")
        async with aclosing(_changes(info, key, "backfill.")) as changes:
            async for event in changes:
                yield BackfillProgress(event=event, run=await _latest(info, key, RunKind.BACKFILL))


async def _changes(
    info: GraphqlInfo, connection_id: UUID, prefix: str
) -> AsyncGenerator[str | None, None]:
    """None at once, then the type of each event about the connection."""
    context = info.context
    # Listening begins before the first read, so that no change falls between them.
    async with aclosing(await context.services.events.progress(context.principal)) as stream:
        yield None
        async for event in stream:
            about = event.data.get("connection_id") == str(connection_id)
            if about and event.type.startswith(prefix):
                context.position = event.cursor
                yield event.type


async def _latest(info: GraphqlInfo, connection_id: UUID, kind: RunKind | None) -> SyncRun | None:
    context = info.context
    runs = await context.services.history.runs(context.principal, connection_id, limit=1, kind=kind)
    return SyncRun.from_domain(runs[0]) if runs else None
