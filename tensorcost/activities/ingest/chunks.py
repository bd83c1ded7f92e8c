"""A parser's chunks, priced and in Arrow form, read in a thread ahead of the load."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TypeVar

import numpy as np
import pyarrow as pa

from tensorcost.activities.ingest.columns import to_events
from tensorcost.domain.cost.price_book import PriceBook
from tensorcost.domain.cost.pricing import price_columns
from tensorcost.domain.cost.rates import Int64
from tensorcost.domain.cost.unpriced import UnpricedGroup
from tensorcost.domain.spend.facts import Actor, Dimension, Grain
from tensorcost.domain.spend.parsed import ParsedSpend, Reject, line_of

Chunks = Callable[[], Iterable[ParsedSpend]]
"""Called in a thread; yields parsed chunks in bounded memory."""

T = TypeVar("T")

_EPOCH = date(1970, 1, 1)
_DAY_US = 86_400_000_000


@dataclass(frozen=True, slots=True)
class Prepared:
    """One chunk, ready to load. The parser's lists are let go: Arrow is a tenth of their size."""

    events: pa.RecordBatch
    """All but the batch id, which the load itself assigns."""
    grain: Grain
    dimensions: Sequence[Dimension]
    actors: Sequence[Actor]
    days: frozenset[date]
    """UTC days of the events, for their partitions."""
    unpriced: tuple[UnpricedGroup, ...]
    rejects: list[Reject]
    rows_read: int
    lines: Sequence[tuple[int, int]] = ()
    """As the parser has them."""
    order: Int64 | None = None
    """Of each event its row as parsed, where they were sorted since."""

    def line_of(self, row: int) -> int:
        """The line of the event at ``row``; 0 where it has none."""
        return line_of(self.lines, row if self.order is None else int(self.order[row]))


def prepare(parsed: ParsedSpend, book: PriceBook) -> Prepared:
    """Price a chunk and turn it into Arrow."""
    priced = price_columns(parsed, book)
    return Prepared(
        events=to_events(parsed, priced),
        grain=parsed.grain,
        dimensions=parsed.dimensions,
        actors=parsed.actors,
        days=_days(priced.ts_us),
        unpriced=priced.unpriced,
        rejects=parsed.rejects,
        rows_read=parsed.rows_read,
        lines=parsed.lines,
    )


async def ahead(step: Callable[[], T | None]) -> AsyncGenerator[T, None]:
    """Run ``step`` in a thread until it gives None, always one call ahead of the reader.

    Its work overlaps with what the reader does with the value before. Close the iterator.
    """
    task = asyncio.create_task(asyncio.to_thread(step))
    try:
        while (value := await task) is not None:
            task = asyncio.create_task(asyncio.to_thread(step))
            yield value
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _days(ts_us: Int64) -> frozenset[date]:
    return frozenset(_EPOCH + timedelta(days=day) for day in np.unique(ts_us // _DAY_US).tolist())
