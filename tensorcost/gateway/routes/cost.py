"""Summed cost: summary, breakdowns, time series, prices in force and of one's own (C2, N2, N4)."""

from datetime import datetime
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field

from tensorcost.activities.ingest.price_import import PriceImportReport
from tensorcost.gateway.envelope import Bytes, Envelope, ok
from tensorcost.gateway.routes.cost_params import (
    CostParams,
    GroupParams,
    PriceImportParams,
    PriceParams,
    SeriesParams,
    TagParams,
)
from tensorcost.gateway.routes.cost_shapes import (
    BreakdownOut,
    Json,
    SeriesOut,
    SummaryOut,
    answered,
    beside_json,
    breakdown_json,
    rows_json,
    series_json,
    sums_json,
    unpriced_json,
)
from tensorcost.gateway.routes.price_shapes import PriceMatchOut, matches_json
from tensorcost.gateway.scoped import Caller, api
from tensorcost.services.authorise import serves
from tensorcost.services.cost.answers import CostSummary
from tensorcost.services.cost.service import CostService
from tensorcost.services.prices import PriceInForce, PriceService


class PriceOut(BaseModel):
    provider: str
    model_id: str
    region: str = Field(description="A region, a geography such as `us-*`, or `*`.")
    routing_scope: str
    service_tier: str
    modality: str
    context_bucket: str
    unit_kind: str
    usd_per_million: str = Field(examples=["3.00"])
    valid_from: datetime
    valid_to: datetime | None
    version: int
    source: str
    override: bool = Field(description="The tenant's own price.")
    overridden: bool = Field(description="A list price that an override replaces.")


class SkippedPricesOut(BaseModel):
    reason: str
    count: int


class UnknownPriceOut(BaseModel):
    model: str
    field: str


class PriceImportOut(BaseModel):
    version: int
    new: bool = Field(description="False where the same map was there for the same day.")
    source: str
    effective_from: datetime
    prices: int
    models: int
    skipped: list[SkippedPricesOut] = Field(description="What was left out, by reason.")
    unknown: list[UnknownPriceOut] = Field(description="Price fields that we do not know.")
    conflicts: int = Field(description="Prices that two models give differently; one won.")
    matches: list[PriceMatchOut] = Field(
        description="The stored usage that takes its price from them, by model, at most 100: those "
        "whose usage takes none come first."
    )
    idle_models: int = Field(description="Models of which no stored call takes a price of these.")


_PRICE_MAP: Final[Json] = {
    "requestBody": {
        "required": True,
        "description": "A LiteLLM-shaped price map: by model its provider, mode and prices in "
        "dollars a token. At most 4 MiB.",
        "content": {
            "application/json": {
                "schema": {"type": "object", "additionalProperties": {"type": "object"}},
                "example": {
                    "gpt-4o": {
                        "litellm_provider": "openai",
                        "mode": "chat",
                        "input_cost_per_token": 2.5e-06,
                        "output_cost_per_token": 1e-05,
                    }
                },
            }
        },
    }
}


def router(costs: CostService, prices: PriceService) -> APIRouter:
    """``/v1/cost``."""
    routes = api("/v1/cost", "cost")
    _sums(routes, costs)
    _prices(routes, prices)
    return routes


def _sums(routes: APIRouter, costs: CostService) -> None:
    @routes.get("/summary", response_model=Envelope[SummaryOut])
    @serves(CostService.summary)
    async def get_cost_summary(caller: Caller, params: Annotated[CostParams, Query()]) -> Bytes:
        """Tenant-wide totals across GPU, managed inference and agent workloads."""
        return ok(_summary(await costs.summary(caller, params.ask())))

    @routes.get("/by-source", response_model=Envelope[BreakdownOut])
    @serves(CostService.by_source)
    async def get_cost_by_source(caller: Caller, params: Annotated[CostParams, Query()]) -> Bytes:
        """Cost by source; sources without cost are listed at zero."""
        return ok(breakdown_json(await costs.by_source(caller, params.ask())))

    @routes.get("/by-tag", response_model=Envelope[BreakdownOut])
    @serves(CostService.by_tag)
    async def get_cost_by_tag(caller: Caller, params: Annotated[TagParams, Query()]) -> Bytes:
        """Cost by application, team, environment or owner; the unattributed part is a row."""
        return ok(
            breakdown_json(await costs.by_tag(caller, params.ask(), params.tag, params.limit))
        )

    @routes.get("/breakdown", response_model=Envelope[BreakdownOut])
    @serves(CostService.breakdown)
    async def get_cost_breakdown(caller: Caller, params: Annotated[GroupParams, Query()]) -> Bytes:
        """Cost by model, account, region, user, agent, workflow and more."""
        found = await costs.breakdown(caller, params.ask(), params.group_by, params.limit)
        return ok(breakdown_json(found))

    @routes.get("/timeseries", response_model=Envelope[SeriesOut])
    @serves(CostService.timeseries)
    async def get_cost_timeseries(
        caller: Caller, params: Annotated[SeriesParams, Query()]
    ) -> Bytes:
        """Cost by day or hour, in one line or one a group."""
        found = await costs.timeseries(
            caller, params.ask(), params.step, params.group_by, params.lines
        )
        return ok(series_json(found))


def _prices(routes: APIRouter, prices: PriceService) -> None:
    @routes.get("/prices", response_model=Envelope[list[PriceOut]])
    @serves(PriceService.in_force)
    async def list_prices(caller: Caller, params: Annotated[PriceParams, Query()]) -> Bytes:
        """Prices of a model in force at a time of use, with their version and source."""
        found = await prices.in_force(caller, params.model_id, params.at, params.provider)
        return ok([_price(one) for one in found.prices])

    # The body is read as text: a price must not pass through a float.
    @routes.post("/prices", response_model=Envelope[PriceImportOut], openapi_extra=_PRICE_MAP)
    @serves(PriceService.import_own)
    async def import_prices(
        caller: Caller, params: Annotated[PriceImportParams, Query()], request: Request
    ) -> Bytes:
        """Your own negotiated prices: they win over the list from their day on. Stored rows that
        they concern are re-rated, after an approval where their month is over."""
        raw = await request.body()
        report = await prices.import_own(caller, raw, params.effective_from, params.source)
        return ok(_imported(report))


def _summary(found: CostSummary) -> Json:
    return {
        **answered(found.window, found.as_of, found.settlement),
        "totals": sums_json(found.sums),
        "by_workload": rows_json(found.by_workload),
        "by_source": rows_json(found.by_source),
        "beside": beside_json(found.by_source.beside),
        "unpriced": unpriced_json(found.unpriced),
        "freshness": [
            {
                "source": mark.source,
                "grain": mark.grain.name.lower(),
                "last_day": mark.last_day,
                "complete_through": mark.complete_through,
            }
            for mark in found.freshness
        ],
    }


def _imported(report: PriceImportReport) -> Json:
    return {
        "version": report.version,
        "new": report.new,
        "source": report.source,
        "effective_from": report.effective_from,
        "prices": report.prices,
        "models": report.models,
        "skipped": [{"reason": why, "count": count} for why, count in report.skipped.items()],
        "unknown": [{"model": model, "field": field} for model, field in report.unknown],
        "conflicts": report.conflicts,
        "matches": matches_json(report.matches),
        "idle_models": sum(match.is_idle for match in report.matches),
    }


def _price(found: PriceInForce) -> Json:
    price = found.price
    key = price.key
    return {
        "provider": key.provider,
        "model_id": key.model_id,
        "region": key.region,
        "routing_scope": key.routing_scope.value,
        "service_tier": key.service_tier.value,
        "modality": key.modality,
        "context_bucket": key.context_bucket,
        "unit_kind": key.kind.value,
        "usd_per_million": price.usd_per_million,
        "valid_from": price.valid_from,
        "valid_to": price.valid_to,
        "version": price.version,
        "source": price.source,
        "override": found.is_override,
        "overridden": found.is_overridden,
    }
