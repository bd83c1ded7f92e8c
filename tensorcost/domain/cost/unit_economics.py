"""Unit economics of a selection of spend (C3), exact to one nano-dollar, half-even.

Each figure divides the *whole* priced cost of the selection by one volume. The figures
per 1K input and per 1K output tokens answer "what does a thousand of these cost us, all in"
and are therefore not parts of a sum.
"""

from dataclasses import dataclass
from decimal import Decimal

from tensorcost.domain.cost.rollup import RollupMeasures
from tensorcost.domain.money import decimal_from_nano, divide_half_even

_RATE_PLACES = 10**6


@dataclass(frozen=True, slots=True)
class UnitEconomics:
    """None where the volume is zero: nothing was used, so nothing has a unit cost."""

    usd_per_1k_input_tokens: Decimal | None
    """Cost over all input tokens: plain, read from cache and written to cache."""
    usd_per_1k_output_tokens: Decimal | None
    usd_per_1k_tokens: Decimal | None
    usd_per_request: Decimal | None
    """Cost over the requests that have a price, failed ones included."""
    cache_hit_rate: Decimal | None
    """Tokens read from cache over all input tokens, 0 to 1, six decimals."""
    error_rate: Decimal | None
    """Failed requests over all requests, 0 to 1, six decimals."""
    average_latency_ms: Decimal | None
    """Over the requests whose latency is known, three decimals."""
    is_lower_bound: bool
    """Some tokens or requests are unpriced: the token figures are too low by their cost."""


def unit_economics(measures: RollupMeasures) -> UnitEconomics:
    """The figures for summed measures."""
    cost = measures.cost_nano
    return UnitEconomics(
        usd_per_1k_input_tokens=_usd(cost * 1000, measures.all_input_tokens),
        usd_per_1k_output_tokens=_usd(cost * 1000, measures.output_tokens),
        usd_per_1k_tokens=_usd(cost * 1000, measures.all_tokens),
        usd_per_request=_usd(cost, measures.requests - measures.unpriced_requests),
        cache_hit_rate=_rate(measures.cached_tokens, measures.all_input_tokens),
        error_rate=_rate(measures.error_requests, measures.requests),
        average_latency_ms=_milliseconds(measures.latency_ms_sum, measures.latency_count),
        is_lower_bound=measures.unpriced_tokens > 0 or measures.unpriced_requests > 0,
    )


def _usd(nano: int, volume: int) -> Decimal | None:
    return decimal_from_nano(divide_half_even(nano, volume)) if volume > 0 else None


def _rate(part: int, whole: int) -> Decimal | None:
    if whole <= 0:
        return None
    return Decimal(divide_half_even(part * _RATE_PLACES, whole)).scaleb(-6)


def _milliseconds(total: int, count: int) -> Decimal | None:
    return Decimal(divide_half_even(total * 1000, count)).scaleb(-3) if count > 0 else None
