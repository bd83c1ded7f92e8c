"""Metric rows are upserted over a re-read window; rollups get the difference (decisions 11)."""

from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from tensorcost.storage.session import TenantTx
from tensorcost.storage.spend.events import COLUMNS, CONTENT, EVENT_SCHEMA, copy_batches

_KEY: Final = ("ts", "event_id")
_CHANGING: Final = tuple(name for name in COLUMNS if name not in _KEY)
_STAGE: Final = (
    "CREATE TEMP TABLE IF NOT EXISTS metric_stage ON COMMIT DROP AS "
    f"SELECT {', '.join(COLUMNS)} FROM ai.spend_event WITH NO DATA"
)
_COMPARED: Final = ("dim_id", "actor_id", *CONTENT, "cost_nano", "price_version")
_OLD: Final = (
    f"SELECT {', '.join(f'e.{name}' for name in COLUMNS)} FROM metric_stage s "
    "JOIN ai.spend_event e ON e.tenant_id = $1 AND e.ts = s.ts AND e.event_id = s.event_id "
    "FOR UPDATE OF e"
)
_UPSERT: Final = (
    f"INSERT INTO ai.spend_event AS e ({', '.join(COLUMNS)}) "
    f"SELECT {', '.join(COLUMNS)} FROM metric_stage ORDER BY ts, event_id "
    "ON CONFLICT (tenant_id, ts, event_id) DO UPDATE SET "
    f"{', '.join(f'{name} = excluded.{name}' for name in _CHANGING)} "
    f"WHERE ({', '.join(f'e.{name}' for name in _COMPARED)}) IS DISTINCT FROM "
    f"({', '.join(f'excluded.{name}' for name in _COMPARED)}) RETURNING event_id"
)


@dataclass(frozen=True, slots=True)
class Upserted:
    replaced: pa.RecordBatch
    """The former rows of those that changed."""
    written: frozenset[bytes]
    """Ids that are new or changed."""


async def upsert_metrics(tx: TenantTx, events: pa.RecordBatch) -> Upserted:
    """Insert new metric rows, replace changed ones, leave equal ones alone."""
    driver = await tx.driver()
    # One writer of a tenant's metric rows at a time: the difference needs a stable before.
    await driver.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended($1, 17))", f"metrics/{tx.tenant_id}"
    )
    await driver.execute(_STAGE)
    await driver.execute("DELETE FROM metric_stage")
    await copy_batches(driver, "metric_stage", [events])
    before = await driver.fetch(_OLD, tx.tenant_id)
    written = frozenset(row[0].bytes for row in await driver.fetch(_UPSERT))
    old = [
        {**dict(row), "event_id": row["event_id"].bytes, "request_id": None}
        for row in before
        if row["event_id"].bytes in written
    ]
    return Upserted(pa.RecordBatch.from_pylist(old, schema=EVENT_SCHEMA), written)
