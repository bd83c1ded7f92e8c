"""Which stored rows a change of prices concerns, and which of them it may write (decisions 4).

A row is re-rated where its cost changes. Rows that had no price get one without approval; rows
that had one are changed at once only in a month that still runs.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tensorcost.domain.cost.price import UnitKind
from tensorcost.domain.cost.price_book import PriceBook
from tensorcost.domain.cost.rates import Int64, rates_of
from tensorcost.domain.cost.reconciliation.closing import PeriodState, period_state
from tensorcost.domain.cost.reconciliation.months import least_settled
from tensorcost.domain.spend.facts import Dimension
from tensorcost.domain.spend.limits import to_us

Bools = NDArray[np.bool_]
Span = tuple[int, int | None]
"""[start, end) in microseconds since the epoch; None: for ever."""
_Offer = tuple[tuple[Decimal | None, ...], bool, tuple[Decimal | None, ...]]
"""What one dimension costs at one time: by token kind, whether idle is free, by unit."""
_UNITS: Final = tuple(UnitKind)


def repriced_spans(dimension: Dimension, before: PriceBook, after: PriceBook) -> tuple[Span, ...]:
    """When a use of ``dimension`` costs something else by ``after`` than by ``before``."""
    old, new = _offers(dimension, before), _offers(dimension, after)
    if old == new:
        return ()
    starts = sorted({*old, *new})
    spans: list[Span] = []
    for start, end in zip(starts, [*starts[1:], None], strict=True):
        if _at(old, start) == _at(new, start):
            continue
        if spans and spans[-1][1] == start:
            spans[-1] = (spans[-1][0], end)
        else:
            spans.append((start, end))
    return tuple(spans)


def touches(spans: Iterable[Span], first_us: int, end_us: int) -> bool:
    """Whether some of [first, end) lies in one of the spans."""
    return any(start < end_us and (end is None or first_us < end) for start, end in spans)


def books_state(
    period: date, invoices: Sequence[tuple[str, datetime | None]], now: datetime
) -> PeriodState:
    """How settled a month's books are; (invoice id, since when) of each bill of the month.

    A month without a bill is open while it runs and closing after: nobody may change it unseen.
    """
    known = invoices or [("", None)]
    return least_settled(period_state(period, name, since, now) for name, since in known)


@dataclass(frozen=True, slots=True)
class Repriced:
    """Old and new cost of rows, in nano-USD; an amount counts only where it is priced."""

    old_nano: Int64
    old_priced: Bools
    new_nano: Int64
    new_priced: Bools

    @property
    def newly_priced(self) -> Bools:
        return ~self.old_priced & self.new_priced

    @property
    def changed(self) -> Bools:
        """Rows that had a price and cost something else now, or lose it."""
        differs = ~self.new_priced | (self.old_nano != self.new_nano)
        return np.asarray(self.old_priced & differs)

    def selected(self, *, approved: bool, frozen: bool) -> Bools:
        """The rows of one month to write: what needs no approval, or (``approved``) the rest."""
        if approved:
            return self.changed if frozen else np.zeros_like(self.changed)
        return self.newly_priced if frozen else np.asarray(self.newly_priced | self.changed)


def _offers(dimension: Dimension, book: PriceBook) -> dict[int, _Offer]:
    """What the dimension costs, by the time from which that holds, in order."""
    rates = rates_of(dimension, book)
    lines = [book.timeline(dimension, unit) for unit in _UNITS]
    starts = {rate.start_us for rate in rates}
    starts.update(to_us(span.start) for line in lines for span in line)
    found: dict[int, _Offer] = {}
    for start in sorted(starts):
        rate = next(rate for rate in reversed(rates) if rate.start_us <= start)
        units = (
            next(span.price for span in reversed(line) if to_us(span.start) <= start)
            for line in lines
        )
        found[start] = (
            tuple(None if price is None else price.usd_per_million for price in rate.prices),
            rate.free_when_idle,
            tuple(None if price is None else price.usd_per_million for price in units),
        )
    return found


def _at(offers: dict[int, _Offer], moment: int) -> _Offer:
    return next(offers[start] for start in reversed(offers) if start <= moment)
