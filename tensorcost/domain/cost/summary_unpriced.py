"""Why a part of the usage has no price, told from today's price book."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Final

from tensorcost.domain.cost.price import TOKEN_KINDS, Price, UnpricedReason
from tensorcost.domain.cost.price_book import PriceBook
from tensorcost.domain.cost.query_window import midnight
from tensorcost.domain.cost.rollup import RollupMeasures
from tensorcost.domain.spend.facts import Dimension, Source

PRICED_SINCE: Final = "priced_since"
"""A price was imported after the rows; they wait for their rating."""


@dataclass(frozen=True, slots=True)
class UnpricedUsage:
    """Sums of rollup rows of which a part is unpriced; the account is left out of ``where``."""

    where: Dimension
    last_day: date
    measures: RollupMeasures


@dataclass(frozen=True, slots=True)
class UnpricedPart:
    """Usage missing from a total. ``reason`` is an UnpricedReason or ``priced_since``."""

    source: Source
    model_id: str
    reason: str
    requests: int
    tokens: int


def explain_unpriced(usages: Iterable[UnpricedUsage], book: PriceBook) -> tuple[UnpricedPart, ...]:
    """Parts by source, model and reason, the most tokens first."""
    parts: dict[tuple[Source, str, str], UnpricedPart] = {}
    for usage in usages:
        reason = _reason(usage, book)
        at = (usage.where.source, usage.where.model_id, reason)
        known = parts.get(at, UnpricedPart(*at, requests=0, tokens=0))
        parts[at] = replace(
            known,
            requests=known.requests + usage.measures.unpriced_requests,
            tokens=known.tokens + usage.measures.unpriced_tokens,
        )
    return tuple(sorted(parts.values(), key=lambda p: (-p.tokens, -p.requests, p.model_id)))


def _reason(usage: UnpricedUsage, book: PriceBook) -> str:
    """The first token kind in use that has no price on the last day says why."""
    m = usage.measures
    counts = (
        m.input_tokens,
        m.cached_tokens,
        m.cache_write_5m_tokens,
        m.cache_write_1h_tokens,
        m.output_tokens,
    )
    moment = _end_of(usage.last_day)
    found: list[Price | UnpricedReason] = [
        book.find(usage.where, kind, moment)
        for kind, count in zip(TOKEN_KINDS, counts, strict=True)
        if count
    ]
    for price in found:
        if isinstance(price, UnpricedReason):
            return price.value
    if found and not m.quantity_micro:
        return PRICED_SINCE
    known = book.find(usage.where, TOKEN_KINDS[0], moment)
    if known is UnpricedReason.UNKNOWN_MODEL:
        return known.value
    return (UnpricedReason.UNKNOWN_UNIT if m.quantity_micro else UnpricedReason.NO_USAGE).value


def _end_of(day: date) -> datetime:
    return midnight(day + timedelta(days=1)) - timedelta(microseconds=1)
