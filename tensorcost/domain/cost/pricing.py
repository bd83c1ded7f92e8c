"""Prices the columns of a parser. Exact: each request is rounded once, half-even.

What a row without usage costs: a call that failed (it has an error code) costs nothing; so
does a call of a model that is sold by the token alone, at a time when its price is known.
Any other row without usage is unpriced: an unknown model or an image model whose source
does not say how many images were made cannot be called free.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tensorcost.domain.cost.price import (
    TOKEN_KINDS,
    Price,
    UnitKind,
    UnpricedReason,
)
from tensorcost.domain.cost.price_book import PriceBook
from tensorcost.domain.cost.rates import (
    Int64,
    RateTable,
    build_rates,
    reason_code,
    unit_cost,
)
from tensorcost.domain.cost.unpriced import UnpricedGroup, group_unpriced
from tensorcost.domain.money import INT64_MAX
from tensorcost.domain.spend.parsed import ParsedSpend

_SAFE_ESTIMATE: Final = 2.0**61
"""Below this a float estimate of a sum proves that the sum fits into 64 bits."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_UNITS: Final[Mapping[str, UnitKind]] = {kind.value: kind for kind in UnitKind}


@dataclass(frozen=True, slots=True)
class PricedColumns:
    """One value per row of the ``ParsedSpend``, and those of its columns that pricing reads."""

    ts_us: Int64
    dim: Int64
    tokens: tuple[Int64, ...]
    """In the order of ``TOKEN_KINDS``."""
    cost_nano: Int64
    """Nano-USD; 0 where ``priced`` is false."""
    priced: NDArray[np.bool_]
    price_version: Int64
    """Newest version among the prices that the row used; 0 where no price was used."""
    unpriced: tuple[UnpricedGroup, ...]

    def __len__(self) -> int:
        return len(self.cost_nano)

    def cost_list(self) -> list[int | None]:
        """Cost per row, None where unpriced."""
        return [
            cost if known else None
            for cost, known in zip(self.cost_nano.tolist(), self.priced.tolist(), strict=True)
        ]


def price_columns(parsed: ParsedSpend, book: PriceBook) -> PricedColumns:
    """Price every row of ``parsed``; a row with a nonzero kind without price is unpriced whole.

    Token counts must not be negative and must fit into 64 bits (``spend.limits`` sees to it).
    """
    if not len(parsed):
        none = np.zeros(0, dtype=np.int64)
        no_tokens = (none,) * len(TOKEN_KINDS)
        return PricedColumns(none, none, no_tokens, none, np.zeros(0, dtype=np.bool_), none, ())
    ts_us, dim = _column(parsed.ts_us), _column(parsed.dim)
    table = build_rates(parsed.dimensions, book, int(ts_us.min()), int(ts_us.max()))
    tokens = _token_columns(parsed)
    rate = table.locate(dim, ts_us)
    code = _missing(table, tokens, rate)
    version = _versions(table, tokens, rate)
    cost, doubtful = _sums(table, tokens, rate)
    _price_idle(parsed, table, tokens, rate, code)
    by_hand = set(np.flatnonzero(doubtful & (code == 0)).tolist())
    by_hand.update(_rows_with_quantity(parsed))
    _price_by_hand(parsed, book, table, rate, by_hand, (cost, version, code))
    priced = code == 0
    return PricedColumns(
        ts_us=ts_us,
        dim=dim,
        tokens=tokens,
        cost_nano=np.where(priced, cost, 0),
        priced=priced,
        price_version=np.where(priced, version, 0),
        unpriced=group_unpriced(parsed, tokens, code),
    )


def _column(values: list[int]) -> Int64:
    return np.array(values, dtype=np.int64)


def _token_columns(parsed: ParsedSpend) -> tuple[Int64, ...]:
    return (
        _column(parsed.input_tokens),
        _column(parsed.cached_tokens),
        _column(parsed.cache_write_5m_tokens),
        _column(parsed.cache_write_1h_tokens),
        _column(parsed.output_tokens),
    )


def _missing(table: RateTable, tokens: tuple[Int64, ...], rate: Int64) -> NDArray[np.int8]:
    """Reason code of each row's first nonzero kind without price; 0 where all are priced."""
    code = np.zeros(len(rate), dtype=np.int8)
    for kind in reversed(range(len(TOKEN_KINDS))):
        if table.code[:, kind].any():
            lacking = table.code[rate, kind]
            code = np.where((lacking != 0) & (tokens[kind] > 0), lacking, code)
    return code


def _versions(table: RateTable, tokens: tuple[Int64, ...], rate: Int64) -> Int64:
    newest = table.version.max(axis=1)
    present = np.where(table.version == 0, newest[:, None], table.version)
    if (present == newest[:, None]).all():
        return np.asarray(newest[rate], dtype=np.int64)
    version = np.zeros(len(rate), dtype=np.int64)
    for kind, counts in enumerate(tokens):
        version = np.maximum(version, np.where(counts > 0, table.version[rate, kind], 0))
    # A row without usage is free because its model's input price is known: that one counts.
    return np.where(version == 0, table.version[rate, 0], version)


def _sums(
    table: RateTable, tokens: tuple[Int64, ...], rate: Int64
) -> tuple[Int64, NDArray[np.bool_]]:
    """Rounded cost per row, and which rows the 64-bit sum cannot be trusted with."""
    total = np.zeros(len(rate), dtype=np.int64)
    bound = 0.0
    for kind, counts in enumerate(tokens):
        prices = table.price[:, kind]
        if prices.any():
            total += counts * prices[rate]
            bound += float(counts.max()) * float(prices.max())
    doubtful = table.exact_only[rate]
    if bound >= _SAFE_ESTIMATE:
        estimate = np.zeros(len(rate), dtype=np.float64)
        for kind, counts in enumerate(tokens):
            estimate += counts.astype(np.float64) * table.price[rate, kind]
        doubtful = doubtful | (estimate >= _SAFE_ESTIMATE)
    return _divide_half_even(total, 10**table.scale), doubtful


def _divide_half_even(numerator: Int64, denominator: int) -> Int64:
    if denominator == 1:
        return numerator
    quotient, remainder = np.divmod(numerator, denominator)
    double = 2 * remainder
    up = (double > denominator) | ((double == denominator) & (quotient & 1 == 1))
    return np.asarray(quotient + up, dtype=np.int64)


def _price_idle(
    parsed: ParsedSpend,
    table: RateTable,
    tokens: tuple[Int64, ...],
    rate: Int64,
    code: NDArray[np.int8],
) -> None:
    """Mark rows without any usage that cannot be called free."""
    idle = np.ones(len(rate), dtype=np.bool_)
    for counts in tokens:
        idle &= counts == 0
    no_kind = reason_code(UnpricedReason.UNKNOWN_TOKEN_KIND)
    no_usage = reason_code(UnpricedReason.NO_USAGE)
    for row in np.flatnonzero(idle & ~table.free_when_idle[rate]).tolist():
        if parsed.error_code[row] is None and not parsed.quantity_micro[row]:
            lacking = int(table.code[rate[row], 0])
            code[row] = no_usage if lacking in (0, no_kind) else lacking


def _rows_with_quantity(parsed: ParsedSpend) -> Iterable[int]:
    quantities = parsed.quantity_micro
    if quantities.count(None) == len(quantities):
        return ()
    return (row for row, quantity in enumerate(quantities) if quantity)


def _price_by_hand(
    parsed: ParsedSpend,
    book: PriceBook,
    table: RateTable,
    rate: Int64,
    rows: set[int],
    into: tuple[Int64, Int64, NDArray[np.int8]],
) -> None:
    """Rows with a quantity and rows beyond 64-bit sums, in exact fractions."""
    cost, version, code = into
    for row in sorted(rows):
        if code[row]:
            continue
        total = Fraction(0)
        newest = int(version[row]) if _has_tokens(parsed, row) else 0
        for kind, count in enumerate(_tokens_of(parsed, row)):
            if count:
                total += count * table.rates[rate[row]].nano_per_token(kind)
        if quantity := parsed.quantity_micro[row]:
            unit = _unit_price(parsed, book, row)
            if isinstance(unit, UnpricedReason):
                code[row] = reason_code(unit)
                continue
            total += unit_cost(unit.usd_per_million, quantity)
            newest = max(newest, unit.version)
        nano = round(total)
        if nano > INT64_MAX:
            code[row] = reason_code(UnpricedReason.OUT_OF_RANGE)
            continue
        cost[row], version[row] = nano, newest


def _unit_price(parsed: ParsedSpend, book: PriceBook, row: int) -> Price | UnpricedReason:
    kind = _UNITS.get(parsed.unit[row] or "")
    if kind is None:
        return UnpricedReason.UNKNOWN_UNIT
    moment = _EPOCH + timedelta(microseconds=parsed.ts_us[row])
    return book.find(parsed.dimensions[parsed.dim[row]], kind, moment)


def _tokens_of(parsed: ParsedSpend, row: int) -> tuple[int, ...]:
    return (
        parsed.input_tokens[row],
        parsed.cached_tokens[row],
        parsed.cache_write_5m_tokens[row],
        parsed.cache_write_1h_tokens[row],
        parsed.output_tokens[row],
    )


def _has_tokens(parsed: ParsedSpend, row: int) -> bool:
    return any(_tokens_of(parsed, row))
