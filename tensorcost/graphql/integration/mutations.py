"""Steering connections. Slow work is a workflow's: these start it and answer where to look."""

from typing import Annotated

import strawberry

from tensorcost.domain.integration.contracts import RunReference
from tensorcost.graphql.context import GraphqlInfo
from tensorcost.graphql.ids import global_id, uuid_in
from tensorcost.graphql.integration.inputs import ConnectionChangesInput, NewConnectionInput
from tensorcost.graphql.integration.runs import CONNECTION, RUN
from tensorcost.graphql.integration.types import ConnectionSetup, ProviderConnection
from tensorcost.graphql.problems import (
    ConflictProblem,
    ForbiddenProblem,
    NotFoundProblem,
    UnavailableProblem,
    ValidationProblem,
)
from tensorcost.graphql.roots import mutation
from tensorcost.services.integration import IntegrationService
from tensorcost.services.integration_history import IntegrationHistory


@strawberry.type(description="Where to watch: the run and the workflow behind it.")
class StartedRun:
    run_id: strawberry.ID
    workflow_id: str
    joined: bool = strawberry.field(description="A run under way was joined.")

    @classmethod
    def from_domain(cls, found: RunReference) -> "StartedRun":
        return cls(
            run_id=global_id(RUN, found.run_id),
            workflow_id=found.workflow_id,
            joined=found.joined,
        )


@strawberry.type
class Cancelled:
    id: strawberry.ID


CreateConnectionResult = Annotated[
    ConnectionSetup | ValidationProblem | ForbiddenProblem | ConflictProblem | UnavailableProblem,
    strawberry.union("CreateConnectionResult"),
]
ChangeConnectionResult = Annotated[
    ProviderConnection | ValidationProblem | ForbiddenProblem | NotFoundProblem | ConflictProblem,
    strawberry.union("ChangeConnectionResult"),
]
StartRunResult = Annotated[
    StartedRun
    | ValidationProblem
    | ForbiddenProblem
    | NotFoundProblem
    | ConflictProblem
    | UnavailableProblem,
    strawberry.union("StartRunResult"),
]
CancelResult = Annotated[
    Cancelled
    | ValidationProblem
    | ForbiddenProblem
    | NotFoundProblem
    | ConflictProblem
    | UnavailableProblem,
    strawberry.union("CancelResult"),
]


@strawberry.type
class IntegrationMutations:
    @mutation(IntegrationService.create, "Store a connection; answers what its owner deploys.")
    async def create_connection(
        self, info: GraphqlInfo, connection: NewConnectionInput
    ) -> CreateConnectionResult:
        context = info.context
        created = await context.services.integration.create(
            context.principal, connection.to_domain()
        )
        return ConnectionSetup.from_domain(created)

    @mutation(IntegrationService.change, "Change a connection's role, external id or settings.")
    async def change_connection(
        self, info: GraphqlInfo, id: strawberry.ID, changes: ConnectionChangesInput
    ) -> ChangeConnectionResult:
        context = info.context
        changed = await context.services.integration.change(
            context.principal, uuid_in(id, CONNECTION), changes.to_domain()
        )
        return ProviderConnection.from_domain(changed)

    @mutation(IntegrationService.validate, "Start validating, or join the validation under way.")
    async def validate_connection(
        self,
        info: GraphqlInfo,
        id: strawberry.ID,
        changes: ConnectionChangesInput | None = None,
        idempotency_key: str | None = None,
    ) -> StartRunResult:
        context = info.context
        started = await context.services.integration.validate(
            context.principal,
            uuid_in(id, CONNECTION),
            None if changes is None else changes.to_domain(),
            update_id=idempotency_key,
        )
        return StartedRun.from_domain(started)

    @mutation(IntegrationService.retry, "A new attempt after a failed validation.")
    async def retry_connection(
        self,
        info: GraphqlInfo,
        id: strawberry.ID,
        changes: ConnectionChangesInput | None = None,
        idempotency_key: str | None = None,
    ) -> StartRunResult:
        context = info.context
        started = await context.services.integration.retry(
            context.principal,
            uuid_in(id, CONNECTION),
            None if changes is None else changes.to_domain(),
            update_id=idempotency_key,
        )
        return StartedRun.from_domain(started)

    @mutation(IntegrationService.cancel, "Stop the validation under way, or give up a failed one.")
    async def cancel_connection(
        self, info: GraphqlInfo, id: strawberry.ID, reason: str = ""
    ) -> CancelResult:
        context = info.context
        await context.services.integration.cancel(
            context.principal, uuid_in(id, CONNECTION), reason
        )
        return Cancelled(id=id)

    @mutation(IntegrationHistory.cancel_run, "Stop a backfill or sync.")
    async def cancel_run(
        self, info: GraphqlInfo, id: strawberry.ID, reason: str = ""
    ) -> CancelResult:
        context = info.context
        await context.services.history.cancel_run(context.principal, uuid_in(id, RUN), reason)
        return Cancelled(id=id)
