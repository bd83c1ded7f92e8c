"""One day of a re-rating: new prices beside the old ones, and the rollups' signed deltas."""

from collections.abc import Sequence
from datetime import date
from itertools import compress

import numpy as np
import pyarrow as pa

from tensorcost.activities.ingest.rollup import Rollup, sum_by_hour
from tensorcost.activities.rerating.sources import Portion, Source
from tensorcost.domain.cost.contracts_rerating import RunKey
from tensorcost.domain.cost.rerating import Bools
from tensorcost.storage.rerating import days
from tensorcost.storage.rerating.rows import NewPrice, stage_prices, write_staged
from tensorcost.storage.session import TenantTx
from tensorcost.storage.spend.batches import Origin, open_batch
from tensorcost.storage.spend.events import EVENT_SCHEMA
from tensorcost.storage.spend.rollups import add_rollups

_SUMMED = (
    "ts",
    "dim_id",
    "actor_id",
    "grain",
    "requests",
    "input_tokens",
    "cached_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "output_tokens",
    "quantity_micro",
    "error_code",
)


async def write_day(
    tx: TenantTx, run: RunKey, source: Source, day: date, *, approved: bool, frozen: bool
) -> int:
    """Write a day once: events, history, rollups and deltas together. How many rows changed.

    ``frozen``: the day's month is over. Raises RowsMoved where another load was in between.
    """
    if not await days.begin_day(tx, run, day, approved=approved):
        return 0
    rollup, staged = Rollup(), 0
    async for portion in source.portions(tx, day):
        chosen = portion.repriced.selected(approved=approved, frozen=frozen)
        if chosen.any():
            prices = _new_prices(portion, chosen)
            await stage_prices(tx, prices)
            staged += len(prices)
            rollup.add(sum_by_hour([_summed(portion, chosen, [p.cost_nano for p in prices])]))
            former = [p.old_nano for p in prices]
            rollup.add(sum_by_hour([_summed(portion, chosen, former)], sign=-1))
    if staged:
        batch_id = await open_batch(tx, Origin(f"rerating/{run.rerating_id}"))
        await write_staged(tx, day, batch_id, staged)
        await add_rollups(tx, batch_id, rollup.sums())
        await days.end_day(tx, run, day, approved=approved, batch_id=batch_id, rows=staged)
    return staged


def _new_prices(portion: Portion, chosen: Bools) -> list[NewPrice]:
    rows, repriced = portion.rows, portion.repriced
    places = np.flatnonzero(chosen)
    cost = repriced.new_nano[places].tolist()
    priced = repriced.new_priced[places].tolist()
    version = portion.new_version[places].tolist()
    return [
        NewPrice(
            ts=rows.ts[place],
            event_id=rows.event_id[place],
            batch_id=rows.batch_id[place],
            old_nano=rows.cost_nano[place],
            cost_nano=cost[n] if priced[n] else None,
            price_version=(version[n] or None) if priced[n] else None,
        )
        for n, place in enumerate(places.tolist())
    ]


def _summed(portion: Portion, chosen: Bools, costs: Sequence[int | None]) -> pa.RecordBatch:
    """The chosen rows at these costs, as the rollup reads them. Latency does not change: it is
    left out of both sides."""
    mask = chosen.tolist()
    columns = [
        pa.array(list(compress(getattr(portion.rows, name), mask)), EVENT_SCHEMA.field(name).type)
        for name in _SUMMED
    ]
    names = [*_SUMMED, "cost_nano", "latency_ms"]
    nothing = pa.nulls(len(costs), pa.int32())
    return pa.RecordBatch.from_arrays([*columns, pa.array(costs, pa.int64()), nothing], names=names)
