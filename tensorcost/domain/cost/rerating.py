"""Which stored rows a change of prices concerns, and what it does to them (decisions 4).

A row is re-rated where its cost changes. Rows that had no price get one without approval; rows
that had one are changed at once only in a month that still runs.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from hashlib import blake2b
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


class ChangeKind(StrEnum):
    NEWLY_PRICED = "newly_priced"
    CHANGED = "changed"


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


@dataclass(frozen=True, slots=True, order=True)
class ChangeKey:
    period: date
    provider: str
    model_id: str
    kind: ChangeKind


@dataclass(frozen=True, slots=True)
class ChangeSum:
    """Rows that change, and what they cost before and after; a row without a price costs 0."""

    rows: int = 0
    requests: int = 0
    before_nano: int = 0
    after_nano: int = 0
    unpriced_rows: int = 0
    """Rows that lose their price."""

    def __add__(self, other: "ChangeSum") -> "ChangeSum":
        return ChangeSum(
            self.rows + other.rows,
            self.requests + other.requests,
            self.before_nano + other.before_nano,
            self.after_nano + other.after_nano,
            self.unpriced_rows + other.unpriced_rows,
        )

    @property
    def delta_nano(self) -> int:
        return self.after_nano - self.before_nano


@dataclass(slots=True)
class Changes:
    """Exact sums of a preview; memory goes by months and models, not by rows."""

    sums: dict[ChangeKey, ChangeSum] = field(default_factory=dict)

    def add(
        self,
        period: date,
        names: Sequence[tuple[str, str]],
        dim: Int64,
        requests: Int64,
        repriced: Repriced,
    ) -> None:
        """Rows of one month; ``dim`` indexes ``names`` (provider, model)."""
        for kind, rows in (
            (ChangeKind.NEWLY_PRICED, repriced.newly_priced),
            (ChangeKind.CHANGED, repriced.changed),
        ):
            for index in np.unique(dim[rows]).tolist():
                mine = rows & (dim == index)
                provider, model_id = names[index]
                key = ChangeKey(period, provider, model_id, kind)
                found = ChangeSum(
                    rows=int(mine.sum()),
                    requests=int(requests[mine].sum()),
                    before_nano=int(repriced.old_nano[mine & repriced.old_priced].sum()),
                    after_nano=int(repriced.new_nano[mine & repriced.new_priced].sum()),
                    unpriced_rows=int((mine & ~repriced.new_priced).sum()),
                )
                self.sums[key] = self.sums.get(key, ChangeSum()) + found

    def total(self, open_months: Iterable[date], *, approved: bool) -> ChangeSum:
        """What is to be written without approval, or (``approved``) only with it."""
        months = set(open_months)
        total = ChangeSum()
        for key, found in self.sums.items():
            if needs_approval(key, months) is approved:
                total += found
        return total

    def digest(self, open_months: Iterable[date]) -> str:
        """What an approval stands for: equal exactly where all that needs it is equal."""
        months = set(open_months)
        waiting = sorted(
            (item for item in self.sums.items() if needs_approval(item[0], months)),
            key=lambda item: item[0],
        )
        return blake2b(repr(waiting).encode(), digest_size=16).hexdigest()


def needs_approval(key: ChangeKey, open_months: Collection[date]) -> bool:
    """Only rows that have a price, of a month that is over (decisions 4)."""
    return key.kind is ChangeKind.CHANGED and key.period not in open_months


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
