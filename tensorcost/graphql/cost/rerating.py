"""Reading, asking for and deciding re-ratings."""

from typing import Annotated

import strawberry

from tensorcost.graphql.context import GraphqlInfo
from tensorcost.graphql.cost.rerating_types import (
    RERATING,
    Rerating,
    ReratingDetails,
    StartedReratingRun,
)
from tensorcost.graphql.ids import uuid_in
from tensorcost.graphql.paging import Connection, connection, page_of, time_key
from tensorcost.graphql.problems import (
    ConflictProblem,
    ForbiddenProblem,
    NotFoundProblem,
    UnavailableProblem,
    ValidationProblem,
)
from tensorcost.graphql.roots import mutation, query
from tensorcost.services.rerating import ReratingService

ReratingResult = Annotated[
    ReratingDetails
    | ValidationProblem
    | ForbiddenProblem
    | NotFoundProblem
    | ConflictProblem
    | UnavailableProblem,
    strawberry.union("ReratingResult"),
]
StartReratingResult = Annotated[
    StartedReratingRun
    | ValidationProblem
    | ForbiddenProblem
    | NotFoundProblem
    | ConflictProblem
    | UnavailableProblem,
    strawberry.union("StartReratingResult"),
]


@strawberry.type
class ReratingQueries:
    @query(ReratingService.list, "Re-ratings that changed something or would, newest first.")
    async def reratings(
        self, info: GraphqlInfo, first: int, after: str | None = None
    ) -> Connection[Rerating] | None:
        context, page = info.context, page_of(first, after)
        rows = await context.services.reratings.list(
            context.principal, limit=page.limit, after=page.after_time()
        )
        return connection(
            rows,
            page,
            node=Rerating.from_domain,
            key=lambda row: time_key(row.opened_at, row.rerating_id),
        )

    @query(ReratingService.get, "One re-rating and the difference by month and model.")
    async def rerating(self, info: GraphqlInfo, id: strawberry.ID) -> ReratingDetails | None:
        context = info.context
        found = await context.services.reratings.get(context.principal, uuid_in(id, RERATING))
        return ReratingDetails.from_domain(found)


@strawberry.type
class ReratingMutations:
    @mutation(ReratingService.request, "Hold every stored row against the newest prices.")
    async def request_rerating(self, info: GraphqlInfo) -> StartReratingResult:
        context = info.context
        begun = await context.services.reratings.request(context.principal)
        return StartedReratingRun.from_domain(begun)

    @mutation(ReratingService.revert, "Give the rows of a re-rating their former price back.")
    async def revert_rerating(self, info: GraphqlInfo, id: strawberry.ID) -> StartReratingResult:
        context = info.context
        begun = await context.services.reratings.revert(context.principal, uuid_in(id, RERATING))
        return StartedReratingRun.from_domain(begun)

    @mutation(ReratingService.approve, "Change months that are over as the preview shows.")
    async def approve_rerating(
        self, info: GraphqlInfo, id: strawberry.ID, preview: int, reason: str = ""
    ) -> ReratingResult:
        context = info.context
        found = await context.services.reratings.approve(
            context.principal, uuid_in(id, RERATING), preview=preview, reason=reason
        )
        return ReratingDetails.from_domain(found)

    @mutation(ReratingService.reject, "Leave months that are over as they are.")
    async def reject_rerating(
        self, info: GraphqlInfo, id: strawberry.ID, reason: str = ""
    ) -> ReratingResult:
        context = info.context
        found = await context.services.reratings.reject(
            context.principal, uuid_in(id, RERATING), reason=reason
        )
        return ReratingDetails.from_domain(found)
