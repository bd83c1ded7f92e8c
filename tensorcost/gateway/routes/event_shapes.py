"""The published shape of a single spend event. A page has many and each has many fields, so
this is the one shape where every look-up shows in the time of an answer."""

from datetime import datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from tensorcost.domain.money import format_nano
from tensorcost.domain.spend.facts import Grain
from tensorcost.gateway.envelope import row_of
from tensorcost.services.spend.answers import PricedEvent
from tensorcost.storage.price_queries import PriceVersion


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


_EventRow: Final = row_of(EventOut)
_PriceRow: Final = row_of(PriceOriginOut)
_GRAINS: Final = {grain: grain.name.lower() for grain in Grain}


def event_row(found: PricedEvent) -> object:
    """An ``EventOut``; empty texts of who and what for become null."""
    event = found.event
    return _EventRow(
        event.event_id,
        event.ts,
        _GRAINS[event.grain],
        event.source,
        event.provider,
        event.account_id,
        event.usage_account_id,
        event.region,
        event.routing_scope,
        event.model_id,
        event.model_family,
        event.model_tier,
        event.service_tier,
        event.modality,
        event.context_bucket,
        event.operation,
        event.application or None,
        event.team or None,
        event.environment or None,
        event.owner or None,
        event.tags,
        event.user or None,
        event.agent or None,
        event.workflow or None,
        event.requests,
        event.input_tokens,
        event.cached_tokens,
        event.cache_write_5m_tokens,
        event.cache_write_1h_tokens,
        event.output_tokens,
        None if event.quantity_micro is None else _quantity(event.quantity_micro),
        event.unit,
        None if event.cost_nano is None else format_nano(event.cost_nano),
        None if found.price is None else _price(found.price),
        None if event.recorded_cost_nano is None else format_nano(event.recorded_cost_nano),
        event.recorded_currency,
        event.latency_ms,
        event.error_code,
        event.request_id,
        event.conversation_id,
        event.session_id,
    )


def _price(price: PriceVersion) -> object:
    return _PriceRow(
        price.version, price.source, price.effective_from, price.imported_at, price.is_override
    )


def _quantity(micro: int) -> str:
    return format(Decimal(micro).scaleb(-6), "f")
