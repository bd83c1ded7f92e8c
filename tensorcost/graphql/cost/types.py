"""Answers to cost questions."""

from datetime import date, datetime
from typing import Any

import strawberry

from tensorcost.domain.cost import summary_unpriced
from tensorcost.domain.cost.query import DEFAULT_ROWS, Charges, CostBasis, GroupBy, Step
from tensorcost.domain.cost.query_window import Window
from tensorcost.domain.cost.summary import Line, Table
from tensorcost.domain.spend.facts import Grain, Source
from tensorcost.graphql.cost.totals import (
    CostBeside,
    CostRow,
    CostTotals,
    beside_of,
    row_of,
    totals_of,
)
from tensorcost.graphql.execution.sizes import listed
from tensorcost.graphql.scalars import Count, Money
from tensorcost.services.cost import answers


@strawberry.type(description="Half-open, in UTC.")
class CostWindow:
    from_: datetime = strawberry.field(name="from")
    to: datetime


@strawberry.type(description="Usage missing from a total for want of a price.")
class UnpricedPart:
    source: Source
    model_id: str
    reason: str
    requests: Count
    tokens: Count


@strawberry.type(description="How complete a source's days are.")
class Watermark:
    source: str
    grain: Grain
    last_day: date
    complete_through: date = strawberry.field(
        description="The last UTC day that will not grow by what is on its way."
    )


@strawberry.type(description="What a cost answer is about, and how far a bill confirms it.")
class Settled:
    window: CostWindow
    as_of: datetime | None
    basis: CostBasis
    charges: Charges
    reconciled_days: int = strawberry.field(
        description="Days of the window for which a bill answers."
    )
    reconciled_through: date | None = strawberry.field(description="The last of these days.")
    billed: Money = strawberry.field(description="The part of the total that a bill confirms.")
    estimated: Money | None = strawberry.field(description="The rest of it, by list price.")


@strawberry.type
class CostSummary(Settled):
    totals: CostTotals
    by_source: list[CostRow]
    by_workload: list[CostRow] = strawberry.field(
        description="`gpu`, `inference` and `agent`: disjoint."
    )
    beside: list[CostBeside]
    unpriced: list[UnpricedPart]
    freshness: list[Watermark]

    @classmethod
    def from_domain(cls, found: answers.CostSummary) -> "CostSummary":
        return cls(
            **settled(found.window, found.as_of, found.settlement),
            totals=totals_of(found.sums),
            by_source=_rows(found.by_source),
            by_workload=_rows(found.by_workload),
            beside=[beside_of(one) for one in found.by_workload.beside],
            unpriced=[unpriced_of(part) for part in found.unpriced],
            freshness=[
                Watermark(
                    source=mark.source,
                    grain=mark.grain,
                    last_day=mark.last_day,
                    complete_through=mark.complete_through,
                )
                for mark in found.freshness
            ],
        )


@strawberry.type(description="One row a group, the largest cost first; rows and rest add up.")
class CostBreakdown(Settled):
    dimension: GroupBy
    totals: CostTotals
    rows: list[CostRow] = listed(DEFAULT_ROWS, by_limit=True)
    rest: CostTotals | None = strawberry.field(description="The groups beyond the limit, summed.")
    rest_count: int
    beside: list[CostBeside]

    @classmethod
    def from_domain(cls, found: answers.Breakdown) -> "CostBreakdown":
        table = found.table
        return cls(
            dimension=found.group_by,
            **settled(found.window, found.as_of, found.settlement),
            totals=totals_of(table.sums),
            rows=_rows(table),
            rest=None if table.rest is None else totals_of(table.rest.sums),
            rest_count=table.rest_count,
            beside=[beside_of(one) for one in table.beside],
        )


@strawberry.type
class CostPoint:
    start: datetime
    is_whole: bool = strawberry.field(
        description="A bucket that is not over must not be compared with one that is."
    )
    cost: Money | None
    requests: Count
    tokens: Count


@strawberry.type(description="One group over time. `name` is null for the total or the rest.")
class CostLine:
    name: str | None
    is_rest: bool
    totals: CostTotals
    points: list[CostPoint]


@strawberry.type
class CostTimeSeries(Settled):
    step: Step
    dimension: GroupBy | None
    totals: CostTotals
    lines: list[CostLine]
    beside: list[CostBeside]

    @classmethod
    def from_domain(cls, found: answers.TimeSeries) -> "CostTimeSeries":
        return cls(
            **settled(found.window, found.as_of, found.settlement),
            step=found.step,
            dimension=found.group_by,
            totals=totals_of(found.sums),
            lines=[line_of(line, found.buckets) for line in found.lines],
            beside=[beside_of(one) for one in found.beside],
        )


def settled(
    window: Window, as_of: datetime | None, settlement: answers.Settlement
) -> dict[str, Any]:
    """The fields of ``Settled``."""
    estimated = settlement.estimated_nano
    return {
        "window": window_of(window),
        "as_of": as_of,
        "basis": settlement.basis,
        "charges": settlement.charges,
        "reconciled_days": settlement.reconciled.days,
        "reconciled_through": settlement.reconciled.through,
        "billed": Money(settlement.billed_nano),
        "estimated": None if estimated is None else Money(estimated),
    }


def window_of(window: Window) -> CostWindow:
    """The window that was answered for."""
    return CostWindow(from_=window.start, to=window.end)


def _rows(table: Table) -> list[CostRow]:
    return [row_of(row) for row in table.rows]


def unpriced_of(part: summary_unpriced.UnpricedPart) -> UnpricedPart:
    """One part of what has no price."""
    return UnpricedPart(
        source=part.source,
        model_id=part.model_id,
        reason=part.reason,
        requests=Count(part.requests),
        tokens=Count(part.tokens),
    )


def line_of(line: Line, buckets: tuple[answers.Bucket, ...]) -> CostLine:
    """One group over the buckets of its series."""
    points = []
    for bucket, point in zip(buckets, line.points, strict=True):
        total = point.sums.total
        nano = point.sums.cost_nano
        points.append(
            CostPoint(
                start=bucket.start,
                is_whole=bucket.is_whole,
                cost=None if nano is None else Money(nano),
                requests=Count(total.requests),
                tokens=Count(total.all_tokens),
            )
        )
    return CostLine(
        name=(line.key[0] if line.key else "") or None,
        is_rest=not line.key,
        totals=totals_of(line.sums),
        points=points,
    )
