"""Ingest batches and the checkpoint of each object: present means done (at most once)."""

from dataclasses import dataclass
from uuid import UUID

from tensorcost.storage.session import TenantTx

_OPEN_OBJECT = """
    WITH batch AS (
        INSERT INTO ai.ingest_batch (tenant_id, connection_id, run_id, origin)
        SELECT :tenant, :connection, :run, :origin
        WHERE NOT EXISTS (
            SELECT FROM ai.ingest_object WHERE tenant_id = :tenant AND origin = :origin
                AND object_key = :key AND etag = :etag)
        RETURNING batch_id
    )
    INSERT INTO ai.ingest_object (tenant_id, origin, object_key, etag, batch_id)
    SELECT :tenant, :origin, :key, :etag, batch_id FROM batch
    ON CONFLICT DO NOTHING
    RETURNING batch_id
"""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where rows come from: a connection, or a named import without one."""

    name: str
    """Namespace of object keys: the connection id as text, or ``import`` / ``push``."""
    connection_id: UUID | None = None
    run_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class ObjectRef:
    """One version of one object: its key and entity tag (or content hash)."""

    key: str
    etag: str


@dataclass(frozen=True, slots=True)
class Counts:
    accepted: int = 0
    duplicate: int = 0
    rejected: int = 0


async def loaded_counts(tx: TenantTx, origin: Origin, ref: ObjectRef) -> Counts | None:
    """What loading the object did, or None when it was not loaded yet."""
    row = await tx.first(
        "SELECT rows_accepted, rows_duplicate, rows_rejected FROM ai.ingest_object "
        "WHERE tenant_id = :tenant AND origin = :origin AND object_key = :key AND etag = :etag",
        tenant=tx.tenant_id,
        origin=origin.name,
        key=ref.key,
        etag=ref.etag,
    )
    if row is None:
        return None
    return Counts(row.rows_accepted, row.rows_duplicate, row.rows_rejected)


async def open_object(tx: TenantTx, origin: Origin, ref: ObjectRef) -> int | None:
    """Check the object in and return its new batch, or None when it was loaded before."""
    found: int | None = await tx.scalar(
        _OPEN_OBJECT,
        tenant=tx.tenant_id,
        connection=origin.connection_id,
        run=origin.run_id,
        origin=origin.name,
        key=ref.key,
        etag=ref.etag,
    )
    return found


async def open_batch(tx: TenantTx, origin: Origin) -> int:
    """A batch for rows that belong to no object (polled windows, pushed events)."""
    batch_id: int = await tx.scalar(
        "INSERT INTO ai.ingest_batch (tenant_id, connection_id, run_id, origin) "
        "VALUES (:tenant, :connection, :run, :origin) RETURNING batch_id",
        tenant=tx.tenant_id,
        connection=origin.connection_id,
        run=origin.run_id,
        origin=origin.name,
    )
    return batch_id


async def close_batch(
    tx: TenantTx, batch_id: int, counts: Counts, origin: Origin, ref: ObjectRef | None
) -> None:
    """Write the batch's row counts, and the object's where there is one."""
    await tx.run(
        "WITH batch AS (UPDATE ai.ingest_batch SET rows_accepted = :a "
        "WHERE tenant_id = :tenant AND batch_id = :batch) "
        "UPDATE ai.ingest_object SET rows_accepted = :a, rows_duplicate = :d, "
        "rows_rejected = :r WHERE tenant_id = :tenant AND origin = :origin "
        "AND object_key = :key AND etag = :etag",
        a=counts.accepted,
        d=counts.duplicate,
        r=counts.rejected,
        tenant=tx.tenant_id,
        batch=batch_id,
        origin=origin.name,
        key="" if ref is None else ref.key,
        etag="" if ref is None else ref.etag,
    )
