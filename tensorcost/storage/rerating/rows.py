"""Single events on their way to another price: read a portion at a time, written by the day.

The price that held before is kept in ``ai.event_price_history``, so that a new version stands
beside the old one.
"""

from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from uuid import UUID

from tensorcost.storage.session import TenantTx

PORTION: Final = 10_000
"""Rows in memory at a time."""
_COLUMNS: Final = (
    "ts",
    "event_id",
    "batch_id",
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
    "unit",
    "error_code",
    "cost_nano",
)
_READ: Final = ", ".join(f"e.{name}" for name in _COLUMNS)
_SCAN: Final = f"""
    SELECT {_READ}, NULL::bigint AS was_nano, NULL::int AS was_version FROM ai.spend_event e
    WHERE e.tenant_id = $1 AND e.ts >= $2 AND e.ts < $3 AND e.dim_id = ANY($4::bigint[])
"""
# What was changed again since, by another re-rating or by its own source, is left as it is.
_SCAN_REPLACED: Final = f"""
    SELECT DISTINCT ON (h.ts, h.event_id) {_READ}, h.cost_nano AS was_nano,
           h.price_version AS was_version
    FROM ai.event_price_history h
    JOIN ai.spend_event e ON e.tenant_id = h.tenant_id AND e.ts = h.ts AND e.event_id = h.event_id
    WHERE h.tenant_id = $1 AND h.ts >= $2 AND h.ts < $3 AND h.batch_id = ANY($4::bigint[])
      AND e.batch_id < h.batch_id AND NOT EXISTS (
        SELECT FROM ai.event_price_history l
        WHERE l.tenant_id = h.tenant_id AND l.ts = h.ts AND l.event_id = h.event_id
          AND l.batch_id > h.batch_id AND l.batch_id <> ALL($4::bigint[])
      )
    ORDER BY h.ts, h.event_id, h.batch_id
"""
_MAKE_STAGE: Final = """
    CREATE TEMP TABLE IF NOT EXISTS rerate_stage (
        ts timestamptz, event_id uuid, batch_id bigint, old_nano bigint, cost_nano bigint,
        price_version int
    ) ON COMMIT DROP
"""
_STAGED: Final = ("ts", "event_id", "batch_id", "old_nano", "cost_nano", "price_version")
_REPLACE: Final = """
    WITH changed AS (
        UPDATE ai.spend_event e SET cost_nano = s.cost_nano, price_version = s.price_version
        FROM rerate_stage s
        WHERE e.tenant_id = $1 AND e.ts >= $2 AND e.ts < $3 AND e.ts = s.ts
          AND e.event_id = s.event_id AND e.batch_id = s.batch_id
          AND e.cost_nano IS NOT DISTINCT FROM s.old_nano
        RETURNING e.ts, e.event_id, old.cost_nano, old.price_version
    )
    INSERT INTO ai.event_price_history
        (tenant_id, ts, event_id, batch_id, cost_nano, price_version)
    SELECT $1, ts, event_id, $4, cost_nano, price_version FROM changed
"""


class RowsMoved(Exception):
    """Another load changed a row meanwhile: the day is to be read again."""


@dataclass(frozen=True, slots=True)
class StoredRows:
    """Columns of equal length, as stored. ``was_*`` is the former price where one was read."""

    ts: Sequence[datetime]
    event_id: Sequence[UUID]
    batch_id: Sequence[int]
    dim_id: Sequence[int]
    actor_id: Sequence[int]
    grain: Sequence[int]
    requests: Sequence[int]
    input_tokens: Sequence[int]
    cached_tokens: Sequence[int]
    cache_write_5m_tokens: Sequence[int]
    cache_write_1h_tokens: Sequence[int]
    output_tokens: Sequence[int]
    quantity_micro: Sequence[int | None]
    unit: Sequence[str | None]
    error_code: Sequence[str | None]
    cost_nano: Sequence[int | None]
    was_nano: Sequence[int | None]
    was_version: Sequence[int | None]

    def __len__(self) -> int:
        return len(self.ts)


@dataclass(frozen=True, slots=True)
class NewPrice:
    """What one event is to cost; None is unpriced. It is found by key and by what it was."""

    ts: datetime
    event_id: UUID
    batch_id: int
    old_nano: int | None
    cost_nano: int | None
    price_version: int | None


async def scan_day(
    tx: TenantTx, day: date, dim_ids: Collection[int], *, size: int = PORTION
) -> AsyncIterator[StoredRows]:
    """The events of the dimensions on a UTC day, in portions, in no order."""
    async for rows in _portions(tx, _SCAN, day, sorted(dim_ids), size):
        yield rows


async def scan_replaced(
    tx: TenantTx, day: date, batch_ids: Collection[int], *, size: int = PORTION
) -> AsyncIterator[StoredRows]:
    """The events of a day that re-rating batches changed last, with the price before them."""
    async for rows in _portions(tx, _SCAN_REPLACED, day, sorted(batch_ids), size):
        yield rows


async def stage_prices(tx: TenantTx, prices: Sequence[NewPrice]) -> None:
    """Put new prices aside until ``write_staged``."""
    driver = await tx.driver()
    await driver.execute(_MAKE_STAGE)
    records = [
        (p.ts, p.event_id, p.batch_id, p.old_nano, p.cost_nano, p.price_version) for p in prices
    ]
    await driver.copy_records_to_table("rerate_stage", records=records, columns=list(_STAGED))


async def write_staged(tx: TenantTx, day: date, batch_id: int, staged: int) -> None:
    """Write what was staged for a day and keep what held before, under ``batch_id``.

    Raises RowsMoved where a row is not as it was read.
    """
    driver = await tx.driver()
    await driver.execute("ANALYZE rerate_stage")
    status = await driver.execute(_REPLACE, tx.tenant_id, *_bounds(day), batch_id)
    written = int(status.rsplit(" ", 1)[-1])
    if written != staged:
        raise RowsMoved(f"{staged - written} of {staged} rows of {day} have moved")


async def _portions(
    tx: TenantTx, sql: str, day: date, among: list[int], size: int
) -> AsyncIterator[StoredRows]:
    driver = await tx.driver()
    cursor = await driver.cursor(sql, tx.tenant_id, *_bounds(day), among)
    while records := await cursor.fetch(size):
        columns: list[Any] = list(zip(*records, strict=True))
        yield StoredRows(*columns)


def _bounds(day: date) -> tuple[datetime, datetime]:
    start = datetime.combine(day, time(), UTC)
    return start, start + timedelta(days=1)
