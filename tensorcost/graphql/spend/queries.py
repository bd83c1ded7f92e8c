"""AI spend: event by event, in sum, per unit, by agent and workflow; and what things cost."""

from typing import Annotated

import strawberry

from tensorcost.domain.cost.query import Charges, CostBasis, GroupBy
from tensorcost.domain.cost.query_listing import EventKey
from tensorcost.graphql.context import GraphqlInfo
from tensorcost.graphql.cost.inputs import SpendFilterInput, WindowInput, cost_request
from tensorcost.graphql.paging import Connection, connection, page_of
from tensorcost.graphql.roots import query
from tensorcost.graphql.scalars import Moment
from tensorcost.graphql.spend.events import SpendEvent, event_of
from tensorcost.graphql.spend.prices import ModelPrices
from tensorcost.graphql.spend.types import ActorCost, AiSpendSummary, UnitEconomics
from tensorcost.services.prices import PriceService
from tensorcost.services.spend.service import EventsRequest, SpendService


@strawberry.type
class SpendQueries:
    @query(SpendService.events, "Single spend events, newest first: by default the last 24 hours.")
    async def ai_spend(
        self,
        info: GraphqlInfo,
        first: int,
        after: str | None = None,
        from_: Annotated[Moment | None, strawberry.argument(name="from")] = None,
        to: Moment | None = None,
        filter: SpendFilterInput | None = None,
        unpriced_only: bool = False,
    ) -> Connection[SpendEvent] | None:
        context, page = info.context, page_of(first, after)
        given = (filter or SpendFilterInput()).to_domain()
        after_key = page.after_time()
        found = await context.services.spend.events(
            context.principal,
            EventsRequest(start=from_, end=to, filter=given, unpriced_only=unpriced_only),
            page.limit,
            None if after_key is None else EventKey(*after_key),
        )
        return connection(
            found.rows,
            page,
            node=lambda row: event_of(row, info),
            key=lambda row: row.event.key.parts(),
        )

    @query(SpendService.summary, "AI spend without GPU hours, in sum.")
    async def ai_spend_summary(
        self,
        info: GraphqlInfo,
        window: WindowInput | None = None,
        filter: SpendFilterInput | None = None,
        basis: CostBasis = CostBasis.UNBLENDED,
        charges: Charges = Charges.USAGE,
        limit: int | None = None,
    ) -> AiSpendSummary | None:
        context = info.context
        found = await context.services.spend.summary(
            context.principal, cost_request(window, filter, basis, charges), limit
        )
        return AiSpendSummary.from_domain(found)

    @query(SpendService.unit_economics, "Cost per 1K tokens and per request, cache-hit rate.")
    async def unit_economics(
        self,
        info: GraphqlInfo,
        dimension: GroupBy = GroupBy.MODEL,
        window: WindowInput | None = None,
        filter: SpendFilterInput | None = None,
        basis: CostBasis = CostBasis.UNBLENDED,
        charges: Charges = Charges.USAGE,
        limit: int | None = None,
    ) -> UnitEconomics | None:
        context = info.context
        found = await context.services.spend.unit_economics(
            context.principal, cost_request(window, filter, basis, charges), dimension, limit
        )
        return UnitEconomics.from_domain(found)

    @query(SpendService.agent_cost, "What one agent cost.")
    async def agent_cost(
        self,
        info: GraphqlInfo,
        agent: str,
        window: WindowInput | None = None,
        filter: SpendFilterInput | None = None,
        basis: CostBasis = CostBasis.UNBLENDED,
        charges: Charges = Charges.USAGE,
    ) -> ActorCost | None:
        context = info.context
        found = await context.services.spend.agent_cost(
            context.principal, agent, cost_request(window, filter, basis, charges)
        )
        return ActorCost.from_domain(found)

    @query(SpendService.workflow_cost, "What one workflow cost.")
    async def workflow_cost(
        self,
        info: GraphqlInfo,
        workflow: str,
        window: WindowInput | None = None,
        filter: SpendFilterInput | None = None,
        basis: CostBasis = CostBasis.UNBLENDED,
        charges: Charges = Charges.USAGE,
    ) -> ActorCost | None:
        context = info.context
        found = await context.services.spend.workflow_cost(
            context.principal, workflow, cost_request(window, filter, basis, charges)
        )
        return ActorCost.from_domain(found)

    @query(PriceService.in_force, "A model's prices at a time of use, list and overrides.")
    async def prices(
        self,
        info: GraphqlInfo,
        model_id: str,
        at: Moment | None = None,
        provider: str | None = None,
    ) -> ModelPrices | None:
        context = info.context
        found = await context.services.prices.in_force(context.principal, model_id, at, provider)
        return ModelPrices.from_domain(found)
