"""Sums of cost and usage as every cost answer shows them."""

from typing import Any

import strawberry

from tensorcost.domain.cost.summary import Beside, Row, Sums, known_cost
from tensorcost.domain.spend.facts import Grain
from tensorcost.graphql.execution.sizes import listed
from tensorcost.graphql.scalars import Count, Money

strawberry.enum(Grain, name="Grain", description="How fine a source's rows are; finer wins.")


@strawberry.type(description="What counts of one grain.")
class GrainTotals:
    grain: Grain
    cost: Money | None
    requests: Count


@strawberry.type(description="Cost and usage. `cost` is null where nothing has a price.")
class CostTotals:
    cost: Money | None
    requests: Count
    input_tokens: Count
    cached_tokens: Count
    cache_write_5m_tokens: Count
    cache_write_1h_tokens: Count
    output_tokens: Count
    unpriced_requests: Count
    unpriced_tokens: Count
    error_requests: Count
    grains: list[GrainTotals] = listed(len(Grain))


@strawberry.type(
    description="One group. `name` is null for what names nothing there, and in parentheses, as "
    "`(tax)` or `(unattributed)`, for billed money that names nothing."
)
class CostRow(CostTotals):
    name: str | None


@strawberry.type(description="What is shown and not added, with the reason why.")
class CostBeside:
    grain: Grain
    reason: str
    currency: str = strawberry.field(
        description="Other than USD: days here are billed in it, none of it in the totals."
    )
    cost: Money | None
    requests: Count
    tokens: Count


def totals_of(sums: Sums) -> CostTotals:
    """The sums of everything that counts."""
    return CostTotals(**_fields(sums))


def row_of(row: Row) -> CostRow:
    """One group by its first key."""
    return CostRow(name=(row.key[0] if row.key else "") or None, **_fields(row.sums))


def beside_of(beside: Beside) -> CostBeside:
    """One entry of what does not count."""
    return CostBeside(
        grain=beside.grain,
        reason=beside.reason.value,
        currency=beside.currency,
        cost=_money(known_cost(beside.measures)),
        requests=Count(beside.measures.requests),
        tokens=Count(beside.measures.all_tokens),
    )


def _fields(sums: Sums) -> dict[str, Any]:
    total = sums.total
    return {
        "cost": _money(sums.cost_nano),
        "requests": Count(total.requests),
        "input_tokens": Count(total.input_tokens),
        "cached_tokens": Count(total.cached_tokens),
        "cache_write_5m_tokens": Count(total.cache_write_5m_tokens),
        "cache_write_1h_tokens": Count(total.cache_write_1h_tokens),
        "output_tokens": Count(total.output_tokens),
        "unpriced_requests": Count(total.unpriced_requests),
        "unpriced_tokens": Count(total.unpriced_tokens),
        "error_requests": Count(total.error_requests),
        "grains": [
            GrainTotals(grain=grain, cost=_money(known_cost(part)), requests=Count(part.requests))
            for grain, part in sums.by_grain.items()
        ],
    }


def _money(nano: int | None) -> Money | None:
    return None if nano is None else Money(nano)
