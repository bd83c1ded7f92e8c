"""The published shapes of AI spend: events, unit costs, attribution, pushed events."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from tensorcost.domain.cost.query import GroupBy
from tensorcost.domain.cost.unit_economics import UnitEconomics
from tensorcost.domain.money import format_nano
from tensorcost.gateway.routes.cost_params import FilterParams, LimitedParams, WindowParams
from tensorcost.gateway.routes.cost_shapes import (
    Answered,
    BesideOut,
    BucketOut,
    Json,
    LineOut,
    RowOut,
    SumsOut,
    UnpricedOut,
    money,
)
from tensorcost.providers.exports.event_spec import CachedTokens
from tensorcost.services.spend.answers import PricedEvent
from tensorcost.services.spend.push import MAX_EVENTS
from tensorcost.services.spend.service import MAX_EVENTS as MAX_LISTED
from tensorcost.services.spend.service import EventsRequest


class EventParams(WindowParams, FilterParams):
    unpriced_only: bool = Field(default=False, description="Only events without a price.")
    limit: int | None = Field(default=None, ge=1, le=MAX_LISTED, description="Events to list.")
    cursor: str | None = Field(
        default=None, max_length=512, description="`next_cursor` of the page before."
    )

    def ask(self) -> EventsRequest:
        """The question as the service takes it."""
        return EventsRequest(
            start=self.from_,
            end=self.to,
            filter=self.filter(),
            unpriced_only=self.unpriced_only,
        )


class UnitParams(LimitedParams):
    group_by: GroupBy = Field(
        default=GroupBy.MODEL, description="What to break the figures down by."
    )


class PriceOriginOut(BaseModel):
    version: int
    source: str
    effective_from: datetime
    imported_at: datetime
    override: bool = Field(description="The tenant's own price.")


class EventOut(BaseModel):
    model_config = ConfigDict(protected_namespaces=())
    id: UUID
    timestamp: datetime
    grain: str
    source: str
    provider: str
    account_id: str
    usage_account_id: str
    region: str
    routing_scope: str
    model_id: str
    model_family: str
    model_tier: str
    service_tier: str
    modality: str
    context_bucket: str
    operation: str
    application: str | None
    team: str | None
    environment: str | None
    owner: str | None
    tags: dict[str, str]
    user: str | None
    agent: str | None
    workflow: str | None
    requests: int
    input_tokens: int
    cached_tokens: int
    cache_write_5m_tokens: int
    cache_write_1h_tokens: int
    output_tokens: int
    quantity: str | None = Field(description="What is not tokens, in `unit`.")
    unit: str | None
    cost_usd: str | None = Field(description="By our price; null means unpriced.")
    price: PriceOriginOut | None = Field(description="Where the price came from.")
    recorded_cost: str | None = Field(description="What the source itself states.")
    recorded_currency: str | None
    latency_ms: int | None
    error_code: str | None
    request_id: str | None
    conversation_id: str | None
    session_id: str | None


class SpendSummaryOut(Answered):
    totals: SumsOut
    by_provider: list[RowOut]
    by_model: list[RowOut]
    by_application: list[RowOut]
    by_team: list[RowOut]
    beside: list[BesideOut]
    unpriced: list[UnpricedOut]


class FiguresOut(BaseModel):
    usd_per_1k_input_tokens: str | None = Field(
        description="The whole cost over all input tokens, cache reads and writes included."
    )
    usd_per_1k_output_tokens: str | None
    usd_per_1k_tokens: str | None
    usd_per_request: str | None
    cache_hit_rate: str | None = Field(description="Input tokens read from cache, 0 to 1.")
    error_rate: str | None
    average_latency_ms: str | None
    is_lower_bound: bool = Field(description="A part of the usage is unpriced.")


class UnitRowOut(FiguresOut):
    key: str | None
    attributed: bool
    totals: SumsOut


class UnitEconomicsOut(Answered):
    group_by: str
    totals: UnitRowOut
    rows: list[UnitRowOut]
    rest_groups: int = Field(description="Groups beyond `limit`; the totals have them too.")


class ActorCostOut(Answered):
    id: str
    totals: SumsOut
    figures: FiguresOut
    buckets: list[BucketOut]
    daily: LineOut
    by_model: list[RowOut]
    by_partner: list[RowOut] = Field(
        description="By workflow for an agent, by agent for a workflow."
    )
    beside: list[BesideOut]


class PushedBody(BaseModel):
    """Events with the fields of `tensorcost import --format events`; `id` is required.

    The id is unique within source, account and region, as in CloudEvents.
    """

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "events": [
                        {
                            "id": "req-0001",
                            "timestamp": "2026-11-03T12:00:00Z",
                            "source": "openai_api",
                            "model_id": "gpt-4o-mini",
                            "input_tokens": 1200,
                            "cached_tokens": 0,
                            "output_tokens": 300,
                            "application": "support-bot",
                            "agent": "triage",
                        }
                    ]
                }
            ]
        },
    )
    events: list[Any] = Field(description=f"1 to {MAX_EVENTS} objects.")
    cached: CachedTokens = Field(
        default=CachedTokens.BESIDE,
        description="Whether `input_tokens` includes the cached tokens or stands beside them.",
    )


class RejectedOut(BaseModel):
    index: int = Field(description="Place in `events`, from 0.")
    reason: str
    detail: str


class PushOut(BaseModel):
    received: int
    accepted: int = Field(description="Durable now.")
    duplicate: int
    unpriced: int
    rejected: list[RejectedOut]
    unlisted: int = Field(description="Rejected beyond those listed.")


def figures_json(figures: UnitEconomics) -> Json:
    """The figures by their published names, which are the domain's."""
    return {name: getattr(figures, name) for name in FiguresOut.model_fields}


def event_json(found: PricedEvent) -> Json:
    """One event; empty texts of who and what for become null."""
    event = found.event
    return {
        "id": event.event_id,
        "timestamp": event.ts,
        "grain": event.grain.name.lower(),
        **{name: getattr(event, name) for name in _PLAIN},
        **{name: getattr(event, name) or None for name in _NAMED},
        "quantity": _quantity(event.quantity_micro),
        "cost_usd": money(event.cost_nano),
        "price": _price(found),
        "recorded_cost": _recorded(event.recorded_cost_nano),
    }


_NAMED = ("application", "team", "environment", "owner", "user", "agent", "workflow")
_BUILT = ("id", "timestamp", "grain", "quantity", "cost_usd", "price", "recorded_cost")
_PLAIN = tuple(name for name in EventOut.model_fields if name not in (*_NAMED, *_BUILT))


def _price(found: PricedEvent) -> Json | None:
    price = found.price
    if price is None:
        return None
    return {
        "version": price.version,
        "source": price.source,
        "effective_from": price.effective_from,
        "imported_at": price.imported_at,
        "override": price.is_override,
    }


def _quantity(micro: int | None) -> Decimal | None:
    return None if micro is None else Decimal(micro).scaleb(-6)


def _recorded(nano: int | None) -> str | None:
    return None if nano is None else format_nano(nano)
