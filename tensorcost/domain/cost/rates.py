"""Prices of a set of dimensions as integer tables, so that rows are priced by arithmetic.

A *rate* is what one dimension costs during one stretch of time: five token prices as
integers scaled by a common power of ten. Rates are found per row by (dimension, time).
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from fractions import Fraction
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tensorcost.domain.cost.price import TOKEN_KINDS, Price, UnitKind, UnpricedReason
from tensorcost.domain.cost.price_book import BEGINNING, PriceBook, Span
from tensorcost.domain.spend.bill import TokenKind
from tensorcost.domain.spend.facts import Dimension
from tensorcost.domain.spend.limits import to_us

REASONS: Final = tuple(UnpricedReason)
"""A reason's code is its index here plus one; 0 means priced."""
MAX_SCALE: Final = 9
"""Decimal places of a nano-dollar per token that the integer tables carry."""
_MAX_TABLE_PRICE: Final = 2**53
_BILLED_UNITS: Final = frozenset(UnitKind) - {UnitKind.INPUT_CHARACTER, UnitKind.OUTPUT_CHARACTER}
"""Characters are another measure of the same text, not something billed beside the tokens."""
_NANO_PER_TOKEN: Final = 1000
"""USD per million tokens times this is nano-dollars per token."""

Int64 = NDArray[np.int64]


def reason_code(reason: UnpricedReason) -> int:
    return REASONS.index(reason) + 1


@dataclass(frozen=True, slots=True)
class Rate:
    """Prices of one dimension from ``start_us`` on; ``codes`` explain the missing ones."""

    start_us: int
    prices: tuple[Price | None, ...]
    codes: tuple[int, ...]
    free_when_idle: bool
    """Sold by the token alone, so that no tokens means no cost."""

    def nano_per_token(self, kind: int) -> Fraction:
        """Exact nano-dollars per token of a priced kind (index into TOKEN_KINDS)."""
        price = self.prices[kind]
        if price is None:
            raise ValueError(f"{TOKEN_KINDS[kind]} has no price")
        return Fraction(price.usd_per_million) * _NANO_PER_TOKEN


@dataclass(frozen=True, slots=True)
class RateTable:
    """Rates of every price identity in order of time, as columns."""

    rates: tuple[Rate, ...]
    first: Int64
    """By dimension: index of its first rate."""
    count: Int64
    """By dimension: how many rates it has; seldom more than one, as batches are short."""
    start_us: Int64
    scale: int
    """Table prices are nano-dollars per token times 10^scale."""
    price: Int64
    """(rates, 5); 0 where missing or not representable."""
    code: NDArray[np.int8]
    """(rates, 5) reason codes; 0 where priced."""
    version: Int64
    """(rates, 5); 0 where missing."""
    exact_only: NDArray[np.bool_]
    """Rates whose prices do not fit the table: their rows are priced one by one."""
    free_when_idle: NDArray[np.bool_]

    def locate(self, dim: Int64, ts_us: Int64) -> Int64:
        """Index of each row's rate."""
        index = self.first[dim]
        for several in np.flatnonzero(self.count > 1):
            low = self.first[several]
            rows = np.flatnonzero(dim == several)
            starts = self.start_us[low : low + self.count[several]]
            index[rows] = low + np.searchsorted(starts, ts_us[rows], side="right") - 1
        return index


def build_rates(
    dimensions: Sequence[Dimension], book: PriceBook, first_us: int, last_us: int
) -> RateTable:
    """The table for ``dimensions`` in their order, for times in [first_us, last_us]."""
    rates: list[Rate] = []
    placed: dict[Hashable, tuple[int, int]] = {}
    places: list[tuple[int, int]] = []
    for dimension in dimensions:
        identity = price_identity(dimension)
        if identity not in placed:
            found = _within(rates_of(dimension, book), first_us, last_us)
            placed[identity] = (len(rates), len(found))
            rates.extend(found)
        places.append(placed[identity])
    scale = max((_places(p) for r in rates for p in r.prices if p and _fits(p)), default=0)
    exact_only = [any(p is not None and not _fits(p) for p in r.prices) for r in rates]
    return RateTable(
        rates=tuple(rates),
        first=np.array([start for start, _ in places], dtype=np.int64),
        count=np.array([count for _, count in places], dtype=np.int64),
        start_us=np.array([r.start_us for r in rates], dtype=np.int64),
        scale=scale,
        price=_table([[_scaled(p, scale) for p in r.prices] for r in rates]),
        code=np.array([r.codes for r in rates], dtype=np.int8).reshape(-1, len(TOKEN_KINDS)),
        version=_table([[p.version if p else 0 for p in r.prices] for r in rates]),
        exact_only=np.array(exact_only, dtype=np.bool_),
        free_when_idle=np.array([r.free_when_idle for r in rates], dtype=np.bool_),
    )


def price_identity(dimension: Dimension) -> tuple[str, ...]:
    """The values of a dimension on which its prices depend; the rest does not matter."""
    return (
        dimension.source,
        dimension.provider,
        dimension.model_id,
        dimension.region,
        dimension.routing_scope,
        dimension.service_tier,
        dimension.modality,
        dimension.context_bucket,
    )


def rates_of(dimension: Dimension, book: PriceBook) -> tuple[Rate, ...]:
    """All rates of a dimension in order of time, from the beginning."""
    key = ("rates", price_identity(dimension))
    return book.derived(key, lambda: tuple(_rates_of(dimension, book)))


def token_rates(
    dimension: Dimension, book: PriceBook, day: date
) -> Mapping[TokenKind, Fraction | None]:
    """Nano-dollars a token by kind as they hold when the UTC day begins; None where unknown.

    The same object for everything that is priced alike.
    """
    at_us = to_us(datetime.combine(day, time(), UTC))
    rate = next(rate for rate in reversed(rates_of(dimension, book)) if rate.start_us <= at_us)
    key = ("token rates", price_identity(dimension), rate.start_us)
    return book.derived(key, lambda: _nano_per_token(rate))


def _nano_per_token(rate: Rate) -> dict[TokenKind, Fraction | None]:
    return {
        kind: None if rate.prices[index] is None else rate.nano_per_token(index)
        for index, kind in enumerate(TOKEN_KINDS)
    }


def _rates_of(dimension: Dimension, book: PriceBook) -> list[Rate]:
    timelines = [book.timeline(dimension, kind) for kind in TOKEN_KINDS]
    missing = tuple(reason_code(book.missing_reason(dimension, kind)) for kind in TOKEN_KINDS)
    sold_by_unit = any(
        span.price is not None and span.price.usd_per_million > 0
        for kind in _BILLED_UNITS
        for span in book.timeline(dimension, kind)
    )
    starts = sorted({span.start for line in timelines for span in line} | {BEGINNING})
    rates: list[Rate] = []
    for start in starts:
        prices = tuple(_at(line, start) for line in timelines)
        codes = tuple(0 if p else code for p, code in zip(prices, missing, strict=True))
        free_when_idle = prices[0] is not None and not sold_by_unit
        rates.append(Rate(to_us(start), prices, codes, free_when_idle))
    return rates


def _within(rates: tuple[Rate, ...], first_us: int, last_us: int) -> tuple[Rate, ...]:
    """Rates that hold at some time of the window; the others would only slow the search."""
    begun = max(i for i, rate in enumerate(rates) if i == 0 or rate.start_us <= first_us)
    later = (rate for rate in rates[begun + 1 :] if rate.start_us <= last_us)
    return (rates[begun], *later)


def _at(line: tuple[Span, ...], moment: datetime) -> Price | None:
    return next((span.price for span in reversed(line) if span.start <= moment), None)


def _places(price: Price) -> int:
    """Decimal places of the price in nano-dollars per token."""
    exponent = (price.usd_per_million * _NANO_PER_TOKEN).normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def _fits(price: Price) -> bool:
    nano = price.usd_per_million * _NANO_PER_TOKEN
    return _places(price) <= MAX_SCALE and nano * 10**MAX_SCALE < _MAX_TABLE_PRICE


def _scaled(price: Price | None, scale: int) -> int:
    if price is None or not _fits(price):
        return 0
    return int((price.usd_per_million * _NANO_PER_TOKEN).scaleb(scale))


def _table(rows: list[list[int]]) -> Int64:
    return np.array(rows, dtype=np.int64).reshape(-1, len(TOKEN_KINDS))


def unit_cost(price: Decimal, quantity_micro: int) -> Fraction:
    """Exact nano-dollars of a quantity times 10^6 at a price per 1,000,000 units."""
    return Fraction(price) * quantity_micro / 1000
