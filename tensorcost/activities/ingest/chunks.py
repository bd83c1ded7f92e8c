"""Reads a parser's chunks in a thread, priced and in Arrow form, a few ahead of the load."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from tensorcost.activities.ingest.columns import LoadBatch, to_load_batch
from tensorcost.domain.cost.price_book import PriceBook
from tensorcost.domain.cost.pricing import price_columns
from tensorcost.domain.cost.unpriced import UnpricedGroup
from tensorcost.domain.spend.parsed import ParsedSpend, Reject

Chunks = Callable[[], Iterable[ParsedSpend]]
"""Called in a thread; yields parsed chunks in bounded memory."""

_EPOCH = date(1970, 1, 1)
_DAY_US = 86_400_000_000


@dataclass(frozen=True, slots=True)
class Prepared:
    """One chunk, ready to load."""

    load: LoadBatch
    unpriced: tuple[UnpricedGroup, ...]
    rejects: list[Reject]
    rows_read: int

    def days(self) -> set[date]:
        """UTC days of the events, for their partitions."""
        numbers = np.unique(np.array(self.load.parsed.ts_us, dtype=np.int64) // _DAY_US)
        return {_EPOCH + timedelta(days=int(number)) for number in numbers}


def prepare(parsed: ParsedSpend, book: PriceBook) -> Prepared:
    """Price a chunk and turn it into Arrow."""
    priced = price_columns(parsed, book)
    return Prepared(
        load=to_load_batch(parsed, priced),
        unpriced=priced.unpriced,
        rejects=parsed.rejects,
        rows_read=parsed.rows_read,
    )


async def prepared_chunks(chunks: Chunks, book: PriceBook) -> AsyncIterator[Prepared]:
    """Parse and price in a thread, one chunk at a time."""
    iterator: Iterator[ParsedSpend] | None = None

    def step() -> Prepared | None:
        nonlocal iterator
        if iterator is None:
            iterator = iter(chunks())
        parsed = next(iterator, None)
        return None if parsed is None else prepare(parsed, book)

    while (prepared := await asyncio.to_thread(step)) is not None:
        yield prepared
