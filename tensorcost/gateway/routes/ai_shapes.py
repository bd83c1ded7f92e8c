"""The published shapes of AI spend: totals, unit costs, attribution, pushed events."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from tensorcost.domain.cost.query import GroupBy
from tensorcost.domain.cost.unit_economics import UnitEconomics
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
)
from tensorcost.providers.exports.event_spec import CachedTokens
from tensorcost.services.cursors import MAX_CURSOR
from tensorcost.services.spend.push import MAX_EVENTS
from tensorcost.services.spend.service import MAX_EVENTS as MAX_LISTED
from tensorcost.services.spend.service import EventsRequest


class EventParams(WindowParams, FilterParams):
    unpriced_only: bool = Field(default=False, description="Only events without a price.")
    limit: int | None = Field(default=None, ge=1, le=MAX_LISTED, description="Events to list.")
    cursor: str | None = Field(
        default=None, max_length=MAX_CURSOR, description="`next_cursor` of the page before."
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
