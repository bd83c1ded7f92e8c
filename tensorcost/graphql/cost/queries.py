"""Where the money went."""

import strawberry

from tensorcost.domain.cost.query import Charges, CostBasis, GroupBy, Step
from tensorcost.graphql.context import GraphqlInfo
from tensorcost.graphql.cost.inputs import SpendFilterInput, WindowInput, cost_request
from tensorcost.graphql.cost.types import CostBreakdown, CostSummary, CostTimeSeries
from tensorcost.graphql.roots import query
from tensorcost.services.cost.service import CostService


@strawberry.type
class CostQueries:
    @query(CostService.summary, "Totals by workload and source, and what they leave out.")
    async def cost_summary(
        self,
        info: GraphqlInfo,
        window: WindowInput | None = None,
        filter: SpendFilterInput | None = None,
        basis: CostBasis = CostBasis.UNBLENDED,
        charges: Charges = Charges.USAGE,
    ) -> CostSummary | None:
        context = info.context
        found = await context.services.cost.summary(
            context.principal, cost_request(window, filter, basis, charges)
        )
        return CostSummary.from_domain(found)

    @query(CostService.by_source, "Every source, those without cost at zero.")
    async def cost_by_source(
        self,
        info: GraphqlInfo,
        window: WindowInput | None = None,
        filter: SpendFilterInput | None = None,
        basis: CostBasis = CostBasis.UNBLENDED,
        charges: Charges = Charges.USAGE,
    ) -> CostBreakdown | None:
        context = info.context
        found = await context.services.cost.by_source(
            context.principal, cost_request(window, filter, basis, charges)
        )
        return CostBreakdown.from_domain(found)

    @query(
        CostService.breakdown,
        "By application, team, environment, owner, model, account, region, user, "
        "agent, workflow or anything else in CostDimension.",
    )
    async def cost_breakdown(
        self,
        info: GraphqlInfo,
        dimension: GroupBy,
        window: WindowInput | None = None,
        filter: SpendFilterInput | None = None,
        basis: CostBasis = CostBasis.UNBLENDED,
        charges: Charges = Charges.USAGE,
        limit: int | None = None,
    ) -> CostBreakdown | None:
        context = info.context
        found = await context.services.cost.breakdown(
            context.principal, cost_request(window, filter, basis, charges), dimension, limit
        )
        return CostBreakdown.from_domain(found)

    @query(CostService.timeseries, "Cost by day or hour, one line a group.")
    async def cost_time_series(
        self,
        info: GraphqlInfo,
        step: Step = Step.DAY,
        dimension: GroupBy | None = None,
        window: WindowInput | None = None,
        filter: SpendFilterInput | None = None,
        basis: CostBasis = CostBasis.UNBLENDED,
        charges: Charges = Charges.USAGE,
        lines: int | None = None,
    ) -> CostTimeSeries | None:
        context = info.context
        found = await context.services.cost.timeseries(
            context.principal, cost_request(window, filter, basis, charges), step, dimension, lines
        )
        return CostTimeSeries.from_domain(found)
