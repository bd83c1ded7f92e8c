"""Where rows get their other price from: a newer price book, or what they cost before."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Protocol
from uuid import UUID

import numpy as np

from tensorcost.domain.cost.price_book import PriceBook
from tensorcost.domain.cost.pricing import price_columns
from tensorcost.domain.cost.rates import Int64, price_identity
from tensorcost.domain.cost.rerating import Bools, Repriced, Span, repriced_spans, touches
from tensorcost.domain.spend.facts import Dimension, Grain
from tensorcost.domain.spend.limits import to_us
from tensorcost.domain.spend.parsed import ParsedSpend
from tensorcost.storage.prices import read_prices
from tensorcost.storage.rerating.plan import read_days, read_dimensions, read_replaced_days
from tensorcost.storage.rerating.rows import StoredRows, scan_day, scan_replaced
from tensorcost.storage.session import TenantTx

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Portion:
    """Rows of one day with their old and new cost."""

    rows: StoredRows
    dim: Int64
    """Index into the source's ``names``."""
    repriced: Repriced
    new_version: Int64
    """0 where no price was used."""


class Source(Protocol):
    """Days to look at, in order, and the rows of each."""

    @property
    def days(self) -> Sequence[date]: ...

    @property
    def names(self) -> Sequence[tuple[str, str]]:
        """(provider, model) by dimension."""

    def portions(self, tx: TenantTx, day: date) -> AsyncIterator[Portion]: ...


@dataclass(slots=True)
class _Names:
    """Dimensions by their place in the order of their ids."""

    ids: Int64
    dimensions: Sequence[Dimension]
    names: list[tuple[str, str]] = field(init=False)

    def __post_init__(self) -> None:
        self.names = [(d.provider, d.model_id) for d in self.dimensions]

    @classmethod
    def of(cls, dimensions: Mapping[int, Dimension]) -> "_Names":
        ids = sorted(dimensions)
        return cls(np.array(ids, dtype=np.int64), [dimensions[one] for one in ids])

    def index(self, dim_ids: Sequence[int]) -> Int64:
        return np.asarray(np.searchsorted(self.ids, np.array(dim_ids, dtype=np.int64)))


class _Days:
    """Days with what to look for on each, and the dimensions that rows of them name."""

    def __init__(self, names: _Names, by_day: Mapping[date, list[int]]) -> None:
        self._known = names
        self._by_day = by_day

    @property
    def days(self) -> Sequence[date]:
        return list(self._by_day)

    @property
    def names(self) -> Sequence[tuple[str, str]]:
        return self._known.names


class BookSource(_Days):
    """Rows of dimensions whose prices differ between two books, priced by the newer one."""

    def __init__(
        self,
        book: PriceBook,
        names: _Names,
        spans: Sequence[tuple[Span, ...]],
        by_day: Mapping[date, list[int]],
    ) -> None:
        super().__init__(names, by_day)
        self._book = book
        self._spans = spans

    async def portions(self, tx: TenantTx, day: date) -> AsyncIterator[Portion]:
        async for rows in scan_day(tx, day, self._by_day[day]):
            yield await asyncio.to_thread(self._priced, rows)

    def _priced(self, rows: StoredRows) -> Portion:
        dim = self._known.index(rows.dim_id)
        used, local = np.unique(dim, return_inverse=True)
        parsed = ParsedSpend(
            Grain.REQUEST,
            ts_us=[to_us(moment) for moment in rows.ts],
            dim=local.tolist(),
            requests=list(rows.requests),
            input_tokens=list(rows.input_tokens),
            cached_tokens=list(rows.cached_tokens),
            cache_write_5m_tokens=list(rows.cache_write_5m_tokens),
            cache_write_1h_tokens=list(rows.cache_write_1h_tokens),
            output_tokens=list(rows.output_tokens),
            quantity_micro=list(rows.quantity_micro),
            unit=list(rows.unit),
            error_code=list(rows.error_code),
            dimensions=[self._known.dimensions[index] for index in used.tolist()],
        )
        priced = price_columns(parsed, self._book)
        old_nano, old_priced = _amounts(rows.cost_nano)
        inside = self._inside(dim, priced.ts_us)
        return Portion(
            rows=rows,
            dim=dim,
            repriced=Repriced(
                old_nano=old_nano,
                old_priced=old_priced,
                new_nano=np.where(inside, priced.cost_nano, old_nano),
                new_priced=np.where(inside, priced.priced, old_priced),
            ),
            new_version=priced.price_version,
        )

    def _inside(self, dim: Int64, ts_us: Int64) -> Bools:
        """Rows of a time at which their prices differ."""
        inside = np.zeros(len(dim), dtype=np.bool_)
        for index in np.unique(dim).tolist():
            mine = dim == index
            for start, end in self._spans[index]:
                inside |= mine & (ts_us >= start) & (True if end is None else ts_us < end)
        return inside


class HistorySource(_Days):
    """Rows that a re-rating changed, with what they cost before it."""

    async def portions(self, tx: TenantTx, day: date) -> AsyncIterator[Portion]:
        async for rows in scan_replaced(tx, day, self._by_day[day]):
            old_nano, old_priced = _amounts(rows.cost_nano)
            new_nano, new_priced = _amounts(rows.was_nano)
            yield Portion(
                rows=rows,
                dim=self._known.index(rows.dim_id),
                repriced=Repriced(old_nano, old_priced, new_nano, new_priced),
                new_version=np.array([version or 0 for version in rows.was_version]),
            )


async def book_source(
    tx: TenantTx, state: tuple[int, int], undecided: Iterable[int], *, every_row: bool
) -> BookSource:
    """The rows that ``undecided`` versions concern, priced by the book as of ``state``, which is
    (newest list version, newest override version).

    ``every_row`` takes all versions as undecided. Reads no row yet.
    """
    listed, own = await read_prices(tx)
    listed = [price for price in listed if price.version <= state[0]]
    own = [price for price in own if price.version <= state[1]]
    new = set(undecided)
    after = PriceBook(listed, own)
    before = PriceBook(
        [price for price in listed if not every_row and price.version not in new],
        [price for price in own if not every_row and price.version not in new],
    )
    dimensions = await read_dimensions(tx)
    found = await asyncio.to_thread(_affected, dimensions, before, after)
    names = _Names.of({dim_id: dimensions[dim_id] for dim_id in found})
    by_day = {
        day: dims
        for day, dims in (await read_days(tx, list(found))).items()
        if any(touches(found[dim_id], *_day_us(day)) for dim_id in dims)
    }
    return BookSource(after, names, [found[dim_id] for dim_id in names.ids.tolist()], by_day)


async def history_source(tx: TenantTx, rerating_id: UUID) -> HistorySource:
    """The rows that a re-rating changed. Reads no row yet."""
    names = _Names.of(await read_dimensions(tx))
    return HistorySource(names, await read_replaced_days(tx, rerating_id))


def _affected(
    dimensions: Mapping[int, Dimension], before: PriceBook, after: PriceBook
) -> dict[int, tuple[Span, ...]]:
    by_identity: dict[tuple[str, ...], tuple[Span, ...]] = {}
    found: dict[int, tuple[Span, ...]] = {}
    for dim_id, dimension in dimensions.items():
        identity = price_identity(dimension)
        if identity not in by_identity:
            by_identity[identity] = repriced_spans(dimension, before, after)
        if by_identity[identity]:
            found[dim_id] = by_identity[identity]
    return found


def _day_us(day: date) -> tuple[int, int]:
    start = datetime.combine(day, time(), UTC)
    return to_us(start), to_us(start + _DAY)


def _amounts(values: Sequence[int | None]) -> tuple[Int64, Bools]:
    """Amounts, 0 where there is none, and where there is one."""
    known = np.array([value is not None for value in values], dtype=np.bool_)
    return np.array([value or 0 for value in values], dtype=np.int64), known
