"""Loading spend events: straight binary COPY for fresh rows, a staging table for overlaps.

The COPY itself runs as the copy role, which row security does not bind, which can insert and
nothing else, and which cannot name a tenant: ``tenant_id`` comes from the column's default,
that is from the transaction's own setting (``performance.md`` section 1).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import asyncpg
import pyarrow as pa

from tensorcost.storage.binary_copy import encoded
from tensorcost.storage.session import TenantTx

_TIMESTAMP: Final = pa.timestamp("us", tz="UTC")
EVENT_SCHEMA: Final = pa.schema(
    [
        ("ts", _TIMESTAMP),
        ("event_id", pa.binary(16)),
        ("dim_id", pa.int64()),
        ("actor_id", pa.int64()),
        ("batch_id", pa.int64()),
        ("grain", pa.int16()),
        ("requests", pa.int64()),
        ("input_tokens", pa.int64()),
        ("cached_tokens", pa.int64()),
        ("cache_write_5m_tokens", pa.int64()),
        ("cache_write_1h_tokens", pa.int64()),
        ("output_tokens", pa.int64()),
        ("quantity_micro", pa.int64()),
        ("unit", pa.string()),
        ("cost_nano", pa.int64()),
        ("price_version", pa.int32()),
        ("recorded_cost_nano", pa.int64()),
        ("recorded_currency", pa.string()),
        ("latency_ms", pa.int32()),
        ("error_code", pa.string()),
        ("request_id", pa.binary(16)),
        ("request_ref", pa.string()),
        ("conversation_id", pa.string()),
        ("session_id", pa.string()),
        ("prompt_hash", pa.binary(16)),
        ("response_hash", pa.binary(16)),
        ("prefix_hashes", pa.binary()),
    ]
)
COLUMNS: Final = tuple(EVENT_SCHEMA.names)
_COLUMN_LIST: Final = ", ".join(COLUMNS)
CONTENT: Final = (
    "requests",
    "input_tokens",
    "cached_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "output_tokens",
    "quantity_micro",
    "recorded_cost_nano",
    "error_code",
)
"""What must be equal for a repeated id to be a duplicate rather than a conflict."""

_MAKE_STAGE: Final = (
    f"CREATE TEMP TABLE IF NOT EXISTS spend_stage ON COMMIT DROP AS "
    f"SELECT {_COLUMN_LIST} FROM ai.spend_event WITH NO DATA"
)
_FROM_STAGE: Final = (
    f"INSERT INTO ai.spend_event ({_COLUMN_LIST}) SELECT {_COLUMN_LIST} FROM spend_stage "
    "ON CONFLICT DO NOTHING RETURNING event_id"
)
_CONFLICTS: Final = (
    "SELECT s.event_id FROM spend_stage s JOIN ai.spend_event e "
    "ON e.tenant_id = $1 AND e.ts = s.ts AND e.event_id = s.event_id WHERE "
    f"({', '.join(f'e.{name}' for name in CONTENT)}) IS DISTINCT FROM "
    f"({', '.join(f's.{name}' for name in CONTENT)})"
)


@dataclass(frozen=True, slots=True)
class Staged:
    """What the slow road did with a batch; ids are the 16 bytes of event_id."""

    accepted: frozenset[bytes]
    conflicts: frozenset[bytes]


async def copy_events(tx: TenantTx, batches: Sequence[pa.RecordBatch]) -> bool:
    """COPY ``batches`` straight in. False when a row was there already: nothing was written."""
    driver = await tx.driver()
    await driver.execute("SAVEPOINT fresh_rows; SET LOCAL ROLE tc_copy")
    try:
        await copy_batches(driver, "spend_event", batches, schema="ai")
    except asyncpg.UniqueViolationError:
        await driver.execute("ROLLBACK TO SAVEPOINT fresh_rows")
        return False
    await driver.execute("RESET ROLE; RELEASE SAVEPOINT fresh_rows")
    return True


async def stage_events(tx: TenantTx, batch: pa.RecordBatch) -> Staged:
    """Insert the rows that are not there yet. Ids must not repeat inside ``batch``."""
    driver = await tx.driver()
    await driver.execute(_MAKE_STAGE)
    await driver.execute("DELETE FROM spend_stage")
    await copy_batches(driver, "spend_stage", [batch])
    accepted = frozenset(row[0].bytes for row in await driver.fetch(_FROM_STAGE))
    conflicts: frozenset[bytes] = frozenset()
    if len(accepted) < batch.num_rows:
        rows = await driver.fetch(_CONFLICTS, tx.tenant_id)
        conflicts = frozenset(row[0].bytes for row in rows)
    return Staged(accepted=accepted, conflicts=conflicts)


async def copy_batches(
    driver: asyncpg.Connection,
    table: str,
    batches: Sequence[pa.RecordBatch],
    *,
    schema: str | None = None,
) -> None:
    """One binary COPY of Arrow batches into ``table``, inside the driver's open transaction."""
    columns = _filled(batches)
    source = encoded(batches, columns, EVENT_SCHEMA)
    await driver.copy_to_table(
        table, schema_name=schema, source=source, columns=columns, format="binary"
    )


def _filled(batches: Sequence[pa.RecordBatch]) -> list[str]:
    """The columns with a value in some row: often two thirds, and no side handles the others.

    Columns that may be NULL have no default, so that leaving them out leaves NULL.
    """
    rows = sum(batch.num_rows for batch in batches)
    nulls = [sum(batch.column(name).null_count for batch in batches) for name in COLUMNS]
    return [name for name, n in zip(COLUMNS, nulls, strict=True) if n < rows or not rows]
