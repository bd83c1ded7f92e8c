"""AI spend: single events, totals, unit costs, per agent and workflow, and pushed events."""

from typing import Annotated

from fastapi import APIRouter, Query

from tensorcost.domain.cost.query_listing import EventKey
from tensorcost.gateway.envelope import Bytes, Envelope, listed, ok
from tensorcost.gateway.paging import CURSOR
from tensorcost.gateway.routes.ai_shapes import (
    ActorCostOut,
    EventParams,
    PushedBody,
    PushOut,
    SpendSummaryOut,
    UnitEconomicsOut,
    UnitParams,
    figures_json,
)
from tensorcost.gateway.routes.cost_params import CostParams, LimitedParams
from tensorcost.gateway.routes.cost_shapes import (
    Json,
    answered,
    beside_json,
    buckets_json,
    key_json,
    line_json,
    rows_json,
    sums_json,
    unpriced_json,
)
from tensorcost.gateway.routes.event_shapes import EventOut, event_row
from tensorcost.gateway.scoped import Caller, api
from tensorcost.services.authorise import serves
from tensorcost.services.cursors import cursor_of, key_of, time_and_id
from tensorcost.services.spend.answers import (
    ActorCost,
    EventPage,
    SpendSummary,
    UnitEconomicsAnswer,
    UnitRow,
)
from tensorcost.services.spend.push import PushService
from tensorcost.services.spend.service import SpendService


def router(spend: SpendService, push: PushService) -> APIRouter:
    """``/v1/ai``, the part about spend."""
    routes = api("/v1/ai", "ai")
    _spend(routes, spend)
    _attribution(routes, spend)
    _push(routes, push)
    return routes


def _spend(routes: APIRouter, spend: SpendService) -> None:
    @routes.get("/spend", response_model=Envelope[list[EventOut]])
    @serves(SpendService.events)
    async def list_ai_spend(caller: Caller, params: Annotated[EventParams, Query()]) -> Bytes:
        """Single events, newest first: the last 24 hours unless `from` and `to` say otherwise."""
        after = time_and_id(key_of(params.cursor, CURSOR), CURSOR)
        page = await spend.events(
            caller, params.ask(), params.limit, None if after is None else EventKey(*after)
        )
        return listed([event_row(row) for row in page.rows], next_cursor=_next(page))

    @routes.get("/spend/summary", response_model=Envelope[SpendSummaryOut])
    @serves(SpendService.summary)
    async def get_ai_spend_summary(
        caller: Caller, params: Annotated[LimitedParams, Query()]
    ) -> Bytes:
        """Totals by provider, model, application and team, without GPU hours."""
        return ok(_summary(await spend.summary(caller, params.ask(), params.limit)))

    @routes.get("/unit-economics", response_model=Envelope[UnitEconomicsOut])
    @serves(SpendService.unit_economics)
    async def get_unit_economics(caller: Caller, params: Annotated[UnitParams, Query()]) -> Bytes:
        """Cost per 1K input and output tokens, per request, and the cache-hit rate."""
        found = await spend.unit_economics(caller, params.ask(), params.group_by, params.limit)
        return ok(_units(found))


def _attribution(routes: APIRouter, spend: SpendService) -> None:
    # Names may hold slashes (ARNs do), hence the path convertor.
    @routes.get("/agents/{id:path}/cost", response_model=Envelope[ActorCostOut])
    @serves(SpendService.agent_cost)
    async def get_agent_cost(
        caller: Caller, id: str, params: Annotated[CostParams, Query()]
    ) -> Bytes:
        """What one agent cost: in sum, by day, by model and by workflow."""
        return ok(_actor(await spend.agent_cost(caller, id, params.ask())))

    @routes.get("/workflows/{id:path}/cost", response_model=Envelope[ActorCostOut])
    @serves(SpendService.workflow_cost)
    async def get_workflow_cost(
        caller: Caller, id: str, params: Annotated[CostParams, Query()]
    ) -> Bytes:
        """What one workflow cost: in sum, by day, by model and by agent."""
        return ok(_actor(await spend.workflow_cost(caller, id, params.ask())))


def _push(routes: APIRouter, push: PushService) -> None:
    @routes.post("/spend/events", response_model=Envelope[PushOut])
    @serves(PushService.push)
    async def push_spend_events(caller: Caller, body: PushedBody) -> Bytes:
        """Report spend from anywhere. Good events are kept even where others are rejected.

        An id that comes again is a duplicate and changes nothing; with other content it is
        rejected as `id_conflict`. Read `rejected`: the answer is 200 also where all are.
        """
        return ok(await push.push(caller, body.events, body.cached))


def _next(page: EventPage) -> str | None:
    return cursor_of(page.rows[-1].event.key.parts()) if page.has_more else None


def _summary(found: SpendSummary) -> Json:
    return {
        **answered(found.window, found.as_of, found.settlement),
        "totals": sums_json(found.sums),
        "by_provider": rows_json(found.by_provider),
        "by_model": rows_json(found.by_model),
        "by_application": rows_json(found.by_application),
        "by_team": rows_json(found.by_team),
        "beside": beside_json(found.beside),
        "unpriced": unpriced_json(found.unpriced),
    }


def _units(found: UnitEconomicsAnswer) -> Json:
    return {
        **answered(found.window, found.as_of, found.settlement),
        "group_by": found.group_by.value,
        "totals": _unit_row(found.total),
        "rows": [_unit_row(row) for row in found.rows],
        "rest_groups": found.rest_count,
    }


def _unit_row(row: UnitRow) -> Json:
    return {**key_json(row.key), **figures_json(row.figures), "totals": sums_json(row.sums)}


def _actor(found: ActorCost) -> Json:
    return {
        **answered(found.window, found.as_of, found.settlement),
        "id": found.name,
        "totals": sums_json(found.sums),
        "figures": figures_json(found.figures),
        "buckets": buckets_json(found.buckets),
        "daily": line_json(found.daily),
        "by_model": rows_json(found.by_model),
        "by_partner": rows_json(found.by_partner),
        "beside": beside_json(found.beside),
    }
