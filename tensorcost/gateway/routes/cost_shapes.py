"""The published shapes of sums. Money is a decimal string in US dollars; null means unpriced."""

from datetime import date, datetime
from typing import Any

from pydantic import BaseModel, Field

from tensorcost.domain.cost.query import Charges, CostBasis
from tensorcost.domain.cost.query_window import Window
from tensorcost.domain.cost.reserved import RESERVED
from tensorcost.domain.cost.rollup import RollupMeasures
from tensorcost.domain.cost.summary import CURRENCY, Beside, Line, Row, Sums, Table, known_cost
from tensorcost.domain.cost.summary_unpriced import UnpricedPart
from tensorcost.domain.money import format_nano
from tensorcost.services.cost.answers import Breakdown, Bucket, Settlement, TimeSeries

Json = dict[str, Any]
_TOKENS = (
    "input_tokens",
    "cached_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "output_tokens",
)


class WindowOut(BaseModel):
    start: datetime = Field(serialization_alias="from", description="Inclusive, UTC.")
    end: datetime = Field(serialization_alias="to", description="Exclusive, UTC.")


class MissingOut(BaseModel):
    requests: int
    tokens: int


class GrainOut(BaseModel):
    cost_usd: str | None
    requests: int
    tokens: int


class SumsOut(BaseModel):
    cost_usd: str | None = Field(
        description="Exact. Null where usage was found and none of it has a price.",
        examples=["1234.567890000"],
    )
    requests: int
    input_tokens: int = Field(description="Neither read from nor written to a cache.")
    cached_tokens: int
    cache_write_5m_tokens: int
    cache_write_1h_tokens: int
    output_tokens: int
    error_requests: int
    unpriced: MissingOut = Field(description="Usage that is missing from `cost_usd`.")
    by_grain: dict[str, GrainOut] = Field(
        description="What counts, by `request`, `metric`, `bill`."
    )


class RowOut(SumsOut):
    key: str | None = Field(
        description="Null for what names nothing here; in parentheses, as `(tax)`, for billed "
        "money that names nothing."
    )
    attributed: bool


class RestOut(SumsOut):
    groups: int


class BesideOut(BaseModel):
    grain: str
    reason: str = Field(description="Why it is shown and not added, e.g. `finer_grain`, `tax`.")
    currency: str = Field(
        description="Other than USD: days here are billed in it, none of it in the totals."
    )
    cost: str | None
    requests: int
    tokens: int


class UnpricedOut(BaseModel):
    source: str
    model_id: str
    reason: str
    requests: int
    tokens: int


class WatermarkOut(BaseModel):
    source: str
    grain: str
    last_day: date
    complete_through: date = Field(description="The last UTC day that will not grow any more.")


class Answered(BaseModel):
    window: WindowOut
    as_of: datetime | None
    currency: str
    basis: CostBasis
    charges: Charges
    reconciled_days: int = Field(description="Days of the window for which a bill answers.")
    reconciled_through: date | None = Field(description="The last of these days.")
    billed_usd: str = Field(description="The part of the total that is reconciled with a bill.")
    estimated_usd: str | None = Field(description="The rest of it, by list price.")


class SummaryOut(Answered):
    totals: SumsOut
    by_workload: list[RowOut]
    by_source: list[RowOut]
    beside: list[BesideOut]
    unpriced: list[UnpricedOut]
    freshness: list[WatermarkOut]


class BreakdownOut(Answered):
    group_by: str
    totals: SumsOut
    rows: list[RowOut]
    rest: RestOut | None = Field(description="The groups beyond `limit`, summed.")
    beside: list[BesideOut]


class BucketOut(BaseModel):
    start: datetime
    whole: bool = Field(description="False for one that is cut by the window or not over yet.")


class PointOut(BaseModel):
    cost_usd: str | None
    requests: int
    tokens: int


class LineOut(BaseModel):
    key: str | None
    attributed: bool
    is_rest: bool = Field(description="The total, or what the other lines leave over.")
    totals: SumsOut
    points: list[PointOut] = Field(description="One a bucket, in the same order.")


class SeriesOut(Answered):
    step: str
    group_by: str | None
    buckets: list[BucketOut]
    lines: list[LineOut]
    totals: SumsOut
    beside: list[BesideOut]


def answered(window: Window, as_of: datetime | None, settlement: Settlement) -> Json:
    return {
        "window": window_json(window),
        "as_of": as_of,
        "currency": CURRENCY,
        "basis": settlement.basis.value,
        "charges": settlement.charges.value,
        "reconciled_days": settlement.reconciled.days,
        "reconciled_through": settlement.reconciled.through,
        "billed_usd": format_nano(settlement.billed_nano),
        "estimated_usd": money(settlement.estimated_nano),
    }


def breakdown_json(found: Breakdown) -> Json:
    """What ``BreakdownOut`` describes; also what the command line prints."""
    return {
        **answered(found.window, found.as_of, found.settlement),
        "group_by": found.group_by.value,
        "totals": sums_json(found.table.sums),
        "rows": rows_json(found.table),
        "rest": rest_json(found.table),
        "beside": beside_json(found.table.beside),
    }


def series_json(found: TimeSeries) -> Json:
    """What ``SeriesOut`` describes; also what the command line prints."""
    return {
        **answered(found.window, found.as_of, found.settlement),
        "step": found.step.value,
        "group_by": None if found.group_by is None else found.group_by.value,
        "buckets": buckets_json(found.buckets),
        "lines": [line_json(line) for line in found.lines],
        "totals": sums_json(found.sums),
        "beside": beside_json(found.beside),
    }


def window_json(window: Window) -> Json:
    return {"from": window.start, "to": window.end}


def money(nano: int | None) -> str | None:
    return None if nano is None else format_nano(nano)


def sums_json(sums: Sums) -> Json:
    total = sums.total
    return {
        "cost_usd": money(sums.cost_nano),
        "requests": total.requests,
        **{name: getattr(total, name) for name in _TOKENS},
        "error_requests": total.error_requests,
        "unpriced": {"requests": total.unpriced_requests, "tokens": total.unpriced_tokens},
        "by_grain": {
            grain.name.lower(): _volume(measures) for grain, measures in sums.by_grain.items()
        },
    }


def rows_json(table: Table) -> list[Json]:
    return [_row(row) for row in table.rows]


def rest_json(table: Table) -> Json | None:
    if table.rest is None:
        return None
    return {**sums_json(table.rest.sums), "groups": table.rest_count}


def beside_json(beside: tuple[Beside, ...]) -> list[Json]:
    return [
        {
            "grain": one.grain.name.lower(),
            "reason": one.reason.value,
            "currency": one.currency,
            "cost": money(known_cost(one.measures)),
            "requests": one.measures.requests,
            "tokens": one.measures.all_tokens,
        }
        for one in beside
    ]


def unpriced_json(parts: tuple[UnpricedPart, ...]) -> list[Json]:
    return [
        {
            "source": part.source.value,
            "model_id": part.model_id,
            "reason": part.reason,
            "requests": part.requests,
            "tokens": part.tokens,
        }
        for part in parts
    ]


def buckets_json(buckets: tuple[Bucket, ...]) -> list[Json]:
    return [{"start": bucket.start, "whole": bucket.is_whole} for bucket in buckets]


def line_json(line: Line) -> Json:
    return {
        **key_json(line.key),
        "is_rest": not line.key,
        "totals": sums_json(line.sums),
        "points": [_volume_of(point.sums) for point in line.points],
    }


def key_json(key: tuple[str, ...]) -> Json:
    name = key[0] if key else ""
    return {"key": name or None, "attributed": bool(name) and name not in RESERVED}


def _row(row: Row) -> Json:
    return {**key_json(row.key), **sums_json(row.sums)}


def _volume_of(sums: Sums) -> Json:
    return _volume(sums.total)


def _volume(measures: RollupMeasures) -> Json:
    return {
        "cost_usd": money(known_cost(measures)),
        "requests": measures.requests,
        "tokens": measures.all_tokens,
    }
