"""One spend event with the origin of its price.

A page of events is the longest list there is, so its rows are not copied: the fields below
bear the names of ``ListedEvent``'s attributes and are read from it directly.
"""

from datetime import datetime
from typing import cast

import strawberry
from strawberry.scalars import JSON

from tensorcost.domain.spend.facts import Grain, Source
from tensorcost.graphql.context import GraphqlInfo
from tensorcost.graphql.scalars import Count, Money, Quantity
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
class SpendEvent:
    event_id: strawberry.ID = strawberry.field(name="id")
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
    quantity_micro: Quantity | None = strawberry.field(
        name="quantity", description="What is not tokens, in `unit`."
    )
    unit: str | None
    cost_nano: Money | None = strawberry.field(name="cost")
    recorded_cost_nano: Money | None = strawberry.field(
        name="recordedCost", description="What the source itself states, in `recordedCurrency`."
    )
    recorded_currency: str | None
    price_version: int | None
    latency_ms: int | None
    error_code: str | None
    request_id: str | None
    conversation_id: str | None
    session_id: str | None

    @strawberry.field(description="Null where the event is unpriced, or free by rule.")  # type: ignore[untyped-decorator]
    def price(self, info: GraphqlInfo) -> PriceOrigin | None:
        found = info.context.prices.get(self.price_version or 0)
        return None if found is None else PriceOrigin.from_domain(found)


def event_of(found: PricedEvent, info: GraphqlInfo) -> SpendEvent:
    """The event as its fields are read, with the origin of its price in the context."""
    if found.price is not None:
        info.context.prices[found.price.version] = found.price
    return cast("SpendEvent", found.event)
