"""AI spend in sum, per unit, and by agent or workflow."""

from decimal import Decimal

import strawberry

from tensorcost.domain.cost.query import DEFAULT_ROWS, GroupBy
from tensorcost.domain.cost.unit_economics import UnitEconomics as Figures
from tensorcost.graphql.cost.totals import (
    CostBeside,
    CostRow,
    CostTotals,
    beside_of,
    row_of,
    totals_of,
)
from tensorcost.graphql.cost.types import (
    CostLine,
    Settled,
    UnpricedPart,
    line_of,
    settled,
    unpriced_of,
)
from tensorcost.graphql.execution.sizes import listed
from tensorcost.graphql.scalars import Rate
from tensorcost.services.spend import answers


@strawberry.type(description="AI spend without GPU hours, four ways.")
class AiSpendSummary(Settled):
    totals: CostTotals
    by_provider: list[CostRow] = listed(DEFAULT_ROWS, by_limit=True)
    by_model: list[CostRow] = listed(DEFAULT_ROWS, by_limit=True)
    by_application: list[CostRow] = listed(DEFAULT_ROWS, by_limit=True)
    by_team: list[CostRow] = listed(DEFAULT_ROWS, by_limit=True)
    beside: list[CostBeside]
    unpriced: list[UnpricedPart]

    @classmethod
    def from_domain(cls, found: answers.SpendSummary) -> "AiSpendSummary":
        return cls(
            **settled(found.window, found.as_of, found.settlement),
            totals=totals_of(found.sums),
            by_provider=[row_of(row) for row in found.by_provider.rows],
            by_model=[row_of(row) for row in found.by_model.rows],
            by_application=[row_of(row) for row in found.by_application.rows],
            by_team=[row_of(row) for row in found.by_team.rows],
            beside=[beside_of(one) for one in found.beside],
            unpriced=[unpriced_of(part) for part in found.unpriced],
        )


@strawberry.type(description="Null where the volume is zero: what was not used has no unit cost.")
class UnitFigures:
    usd_per_1k_input_tokens: Rate | None
    usd_per_1k_output_tokens: Rate | None
    usd_per_1k_tokens: Rate | None
    usd_per_request: Rate | None
    cache_hit_rate: Rate | None
    error_rate: Rate | None
    average_latency_ms: Rate | None
    is_lower_bound: bool = strawberry.field(
        description="A part is unpriced: the figures are too low by its cost."
    )

    @classmethod
    def from_domain(cls, found: Figures) -> "UnitFigures":
        return cls(
            usd_per_1k_input_tokens=_rate(found.usd_per_1k_input_tokens),
            usd_per_1k_output_tokens=_rate(found.usd_per_1k_output_tokens),
            usd_per_1k_tokens=_rate(found.usd_per_1k_tokens),
            usd_per_request=_rate(found.usd_per_request),
            cache_hit_rate=_rate(found.cache_hit_rate),
            error_rate=_rate(found.error_rate),
            average_latency_ms=_rate(found.average_latency_ms),
            is_lower_bound=found.is_lower_bound,
        )


@strawberry.type
class UnitRow:
    name: str | None
    figures: UnitFigures
    totals: CostTotals

    @classmethod
    def from_domain(cls, found: answers.UnitRow) -> "UnitRow":
        return cls(
            name=(found.key[0] if found.key else "") or None,
            figures=UnitFigures.from_domain(found.figures),
            totals=totals_of(found.sums),
        )


@strawberry.type(description="Cost per 1K tokens and per request, in all and by group.")
class UnitEconomics(Settled):
    dimension: GroupBy
    total: UnitRow
    rows: list[UnitRow] = listed(DEFAULT_ROWS, by_limit=True)
    rest_count: int

    @classmethod
    def from_domain(cls, found: answers.UnitEconomicsAnswer) -> "UnitEconomics":
        return cls(
            **settled(found.window, found.as_of, found.settlement),
            dimension=found.group_by,
            total=UnitRow.from_domain(found.total),
            rows=[UnitRow.from_domain(row) for row in found.rows],
            rest_count=found.rest_count,
        )


@strawberry.type(description="What one agent or workflow cost.")
class ActorCost(Settled):
    name: str
    totals: CostTotals
    daily: CostLine
    by_model: list[CostRow]
    by_partner: list[CostRow] = strawberry.field(
        description="By workflow for an agent, by agent for a workflow."
    )
    beside: list[CostBeside]
    figures: UnitFigures

    @classmethod
    def from_domain(cls, found: answers.ActorCost) -> "ActorCost":
        return cls(
            name=found.name,
            **settled(found.window, found.as_of, found.settlement),
            totals=totals_of(found.sums),
            daily=line_of(found.daily, found.buckets),
            by_model=[row_of(row) for row in found.by_model.rows],
            by_partner=[row_of(row) for row in found.by_partner.rows],
            beside=[beside_of(one) for one in found.beside],
            figures=UnitFigures.from_domain(found.figures),
        )


def _rate(value: Decimal | None) -> Rate | None:
    return None if value is None else Rate(value)
