"""The question behind a listing of single spend events, and its place in the order."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from tensorcost.domain.cost.query import SpendFilter
from tensorcost.domain.cost.query_window import Window
from tensorcost.domain.spend.facts import Grain, Source


@dataclass(frozen=True, slots=True, order=True)
class EventKey:
    """Where an event stands: by time of use, then by id. Listings run from the newest down."""

    ts: datetime
    event_id: UUID

    def parts(self) -> tuple[str, str]:
        """The key as texts, for a cursor; microseconds and all."""
        return (self.ts.isoformat(), str(self.event_id))


@dataclass(frozen=True, slots=True)
class ListingQuery:
    """Events of ``window`` that pass the filter, at most ``limit``, older than ``after``."""

    window: Window
    limit: int
    filter: SpendFilter = field(default_factory=SpendFilter)
    unpriced_only: bool = False
    after: EventKey | None = None


@dataclass(frozen=True, slots=True)
class ListedEvent:
    """One spend event with its dimension and actor. Empty texts mean that nothing is named."""

    event_id: UUID
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
    tags: dict[str, Any]
    user: str
    agent: str
    workflow: str
    requests: int
    input_tokens: int
    cached_tokens: int
    cache_write_5m_tokens: int
    cache_write_1h_tokens: int
    output_tokens: int
    quantity_micro: int | None
    """What is not tokens, times 10^6, in ``unit``."""
    unit: str | None
    cost_nano: int | None
    """Nano-USD by our price; None means unpriced."""
    price_version: int | None
    """0 where the row is free by rule and no price was used."""
    recorded_cost_nano: int | None
    """What the source itself states, in ``recorded_currency``."""
    recorded_currency: str | None
    latency_ms: int | None
    error_code: str | None
    request_id: str | None
    conversation_id: str | None
    session_id: str | None

    @property
    def key(self) -> EventKey:
        return EventKey(self.ts, self.event_id)
