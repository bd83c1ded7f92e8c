"""Hourly and daily rollups, the deltas behind ``asOf``, and the grains present per cell.

Summed by the caller, written in key order so that two loads cannot deadlock, in the same
transaction as the events.
"""

from dataclasses import dataclass
from typing import Any, Final

from tensorcost.storage.session import TenantTx

MEASURES: Final = (
    "requests",
    "input_tokens",
    "cached_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "output_tokens",
    "quantity_micro",
    "cost_nano",
    "unpriced_requests",
    "unpriced_tokens",
    "error_requests",
    "latency_ms_sum",
    "latency_count",
)
_NAMES: Final = ", ".join(MEASURES)
_ARRAYS: Final = ", ".join(f"${n + 6}::bigint[]" for n in range(len(MEASURES)))


def _upsert(table: str, period: str, kind: str) -> str:
    added = ", ".join(f"{name} = r.{name} + excluded.{name}" for name in MEASURES)
    return (
        f"INSERT INTO ai.{table} AS r (tenant_id, {period}, dim_id, actor_id, grain, {_NAMES}) "
        f"SELECT $1, * FROM unnest($2::{kind}[], $3::bigint[], $4::bigint[], $5::smallint[], "
        f"{_ARRAYS}) ON CONFLICT (tenant_id, {period}, dim_id, actor_id, grain) "
        f"DO UPDATE SET {added}"
    )


_HOURLY: Final = _upsert("spend_hourly", "hour", "timestamptz")
_DAILY: Final = _upsert("spend_daily", "day", "date")
_DELTA: Final = (
    f"INSERT INTO ai.spend_delta (tenant_id, batch_id, day, dim_id, actor_id, grain, {_NAMES}) "
    f"SELECT $1, ${6 + len(MEASURES)}, * FROM unnest($2::date[], $3::bigint[], $4::bigint[], "
    f"$5::smallint[], {_ARRAYS})"
)
_CELLS: Final = (
    "INSERT INTO ai.spend_cell (tenant_id, day, cell_id, grain) "
    "SELECT DISTINCT $1::uuid, v.day, d.cell_id, v.grain "
    "FROM unnest($2::date[], $3::bigint[], $4::smallint[]) AS v (day, dim_id, grain) "
    "JOIN ai.dimension d ON d.tenant_id = $1 AND d.dim_id = v.dim_id "
    "ORDER BY 2, 3, 4 ON CONFLICT DO NOTHING"
)


@dataclass(frozen=True, slots=True)
class RollupRows:
    """Columns sorted by (period, dim_id, actor_id, grain), one row a key."""

    period: list[Any]
    """``datetime`` of the hour, or ``date`` of the day."""
    dim_id: list[int]
    actor_id: list[int]
    grain: list[int]
    measures: list[list[int]]
    """One list a measure, in the order of ``MEASURES``."""

    def __len__(self) -> int:
        return len(self.period)


async def add_rollups(tx: TenantTx, batch_id: int, hourly: RollupRows, daily: RollupRows) -> None:
    """Add the sums of one batch. Differences may be negative (re-read metric windows)."""
    if not len(hourly):
        return
    driver = await tx.driver()
    for statement, rows in ((_HOURLY, hourly), (_DAILY, daily)):
        await driver.execute(statement, tx.tenant_id, *_columns(rows))
    await driver.execute(_DELTA, tx.tenant_id, *_columns(daily), batch_id)
    await driver.execute(_CELLS, tx.tenant_id, daily.period, daily.dim_id, daily.grain)


def _columns(rows: RollupRows) -> tuple[list[Any], ...]:
    return (rows.period, rows.dim_id, rows.actor_id, rows.grain, *rows.measures)
