"""One spend event with the origin of its price."""

from datetime import datetime
from decimal import Decimal

import strawberry
from strawberry.scalars import JSON

from tensorcost.domain.spend.facts import Grain, Source
from tensorcost.graphql.ids import Node, global_id
from tensorcost.graphql.scalars import Count, Money, Rate
from tensorcost.services.spend.answers import PricedEvent
from tensorcost.storage.price_queries import PriceVersion


@strawberry.type(description="Where a price came from.")
class PriceOrigin:
    version: int
    source: str
    effective_from: datetime
    imported_at: datetime
    is_override: bool

    @classmethod
    def from_domain(cls, found: PriceVersion) -> "PriceOrigin":
        return cls(
            version=found.version,
            source=found.source,
            effective_from=found.effective_from,
            imported_at=found.imported_at,
            is_override=found.is_override,
        )


@strawberry.type(description="`cost` is null where the event is unpriced, never zero.")
class SpendEvent(Node):
    ts: datetime
    grain: Grain
    source: Source
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
    application: str
    team: str
    environment: str
    owner: str
    tags: JSON
    user: str
    agent: str
    workflow: str
    requests: Count
    input_tokens: Count
    cached_tokens: Count
    cache_write_5m_tokens: Count
    cache_write_1h_tokens: Count
    output_tokens: Count
    quantity: Rate | None
    unit: str | None
    cost: Money | None
    recorded_cost: Money | None = strawberry.field(
        description="What the source itself states, in `recordedCurrency`."
    )
    recorded_currency: str | None
    price: PriceOrigin | None
    latency_ms: int | None
    error_code: str | None
    request_id: str | None
    conversation_id: str | None
    session_id: str | None

    @classmethod
    def from_domain(cls, found: PricedEvent) -> "SpendEvent":
        event = found.event
        return cls(
            id=global_id("SpendEvent", event.event_id),
            **{name: getattr(event, name) for name in _AS_THEY_ARE},
            quantity=_quantity(event.quantity_micro),
            cost=_money(event.cost_nano),
            recorded_cost=_money(event.recorded_cost_nano),
            price=None if found.price is None else PriceOrigin.from_domain(found.price),
        )


_AS_THEY_ARE = (
    *("ts", "grain", "source", "provider", "account_id", "usage_account_id", "region"),
    *("routing_scope", "model_id", "model_family", "model_tier", "service_tier", "modality"),
    *("context_bucket", "operation", "application", "team", "environment", "owner", "tags"),
    *("user", "agent", "workflow", "requests", "input_tokens", "cached_tokens"),
    *("cache_write_5m_tokens", "cache_write_1h_tokens", "output_tokens", "unit"),
    *("recorded_currency", "latency_ms", "error_code", "request_id", "conversation_id"),
    "session_id",
)


def _quantity(micro: int | None) -> Rate | None:
    return None if micro is None else Rate(Decimal(micro).scaleb(-6))


def _money(nano: int | None) -> Money | None:
    return None if nano is None else Money(nano)
