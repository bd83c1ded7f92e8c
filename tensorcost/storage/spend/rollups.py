"""Hourly and daily rollups, the deltas behind ``asOf``, and the grains present per cell.

One statement in the transaction of the events. Its rows come sorted by key, so that two
loads meet the same rows in the same order and cannot deadlock.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import orjson

from tensorcost.domain.cost.rates import Int64
from tensorcost.domain.cost.rollup import MEASURE_NAMES
from tensorcost.storage.session import TenantTx

_NAMES: Final = ", ".join(MEASURE_NAMES)
_ARRAYS: Final = ", ".join(f"${n + 7}::text::bigint[]" for n in range(len(MEASURE_NAMES)))
_SUMS: Final = ", ".join(f"sum({name})::bigint AS {name}" for name in MEASURE_NAMES)
_ADDED: Final = ", ".join(f"{name} = r.{name} + excluded.{name}" for name in MEASURE_NAMES)


def _upsert(table: str, period: str, rows: str) -> str:
    return (
        f"INSERT INTO ai.{table} AS r (tenant_id, {period}, dim_id, actor_id, grain, {_NAMES}) "
        f"SELECT $1, {period}, dim_id, actor_id, grain, {_NAMES} FROM {rows} "
        f"ORDER BY {period}, dim_id, actor_id, grain "
        f"ON CONFLICT (tenant_id, {period}, dim_id, actor_id, grain) DO UPDATE SET {_ADDED}"
    )


_ADD: Final = f"""
    WITH hourly AS (
        SELECT to_timestamp(v.hours * 3600) AS hour, v.* FROM unnest($3::text::bigint[],
            $4::text::bigint[], $5::text::bigint[], $6::text::smallint[], {_ARRAYS})
            AS v (hours, dim_id, actor_id, grain, {_NAMES})
    ), daily AS (
        SELECT DATE '1970-01-01' + (hours / 24)::int AS day, dim_id, actor_id, grain, {_SUMS}
        FROM hourly GROUP BY 1, 2, 3, 4
    ), into_hourly AS ({_upsert("spend_hourly", "hour", "hourly")}
    ), into_daily AS ({_upsert("spend_daily", "day", "daily")}
    ), into_delta AS (
        INSERT INTO ai.spend_delta
            (tenant_id, batch_id, day, dim_id, actor_id, grain, {_NAMES})
        SELECT $1, $2, day, dim_id, actor_id, grain, {_NAMES} FROM daily
    )
    INSERT INTO ai.spend_cell (tenant_id, day, cell_id, grain)
    SELECT DISTINCT $1::uuid, v.day, d.cell_id, v.grain
    FROM (SELECT DISTINCT day, dim_id, grain FROM daily) AS v
    JOIN ai.dimension d ON d.tenant_id = $1 AND d.dim_id = v.dim_id
    ORDER BY 2, 3, 4 ON CONFLICT DO NOTHING
"""


@dataclass(frozen=True, slots=True)
class HourlySums:
    """Sums of ``MEASURE_NAMES``, one column a key, no key twice."""

    keys: Int64
    """(4, n): hours since the Unix epoch, dimension, actor, grain."""
    measures: Int64
    """(13, n), in the order of ``MEASURE_NAMES``."""


async def add_rollups(tx: TenantTx, batch_id: int, sums: HourlySums) -> None:
    """Add the sums of one batch. Differences may be negative (re-read metric windows)."""
    if not sums.keys.shape[1]:
        return
    columns = [_array_text(column) for column in (*sums.keys, *sums.measures)]
    driver = await tx.driver()
    await driver.execute(_ADD, tx.tenant_id, batch_id, *columns)


def _array_text(values: Int64) -> str:
    """A Postgres array in text form: asyncpg takes eight times as long to write a binary one."""
    digits = orjson.dumps(np.ascontiguousarray(values), option=orjson.OPT_SERIALIZE_NUMPY)
    return f"{{{digits[1:-1].decode()}}}"
