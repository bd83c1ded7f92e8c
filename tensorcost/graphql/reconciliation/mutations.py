"""Asking for a reconciliation now."""

from typing import Annotated

import strawberry

from tensorcost.graphql.context import GraphqlInfo
from tensorcost.graphql.problems import (
    ForbiddenProblem,
    NotFoundProblem,
    UnavailableProblem,
    ValidationProblem,
)
from tensorcost.graphql.roots import mutation
from tensorcost.services.reconciliation.service import ReconciliationService


@strawberry.type(description="Asked for. `reconciliation.*` events tell of each month.")
class ReconciliationRequested:
    workflow_id: str


ReconcileResult = Annotated[
    ReconciliationRequested
    | ValidationProblem
    | ForbiddenProblem
    | NotFoundProblem
    | UnavailableProblem,
    strawberry.union("ReconcileResult"),
]


@strawberry.type
class ReconciliationMutations:
    @mutation(
        ReconciliationService.reconcile,
        "Reconcile what is due now, and `period` even where nothing has changed.",
    )
    async def reconcile(self, info: GraphqlInfo, period: str | None = None) -> ReconcileResult:
        context = info.context
        asked = await context.services.reconciliation.reconcile(context.principal, period)
        return ReconciliationRequested(workflow_id=asked.workflow_id)
