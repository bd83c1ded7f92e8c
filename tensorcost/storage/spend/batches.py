"""Ingest batches and the checkpoint of each object: present means done (at most once)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from tensorcost.storage.session import TenantTx

_WANTED = """
    unnest(CAST(:keys AS text[]), CAST(:etags AS text[])) AS w (object_key, etag)
"""
_LOADED = f"""
    SELECT object_key, etag, rows_accepted, rows_duplicate, rows_rejected
    FROM ai.ingest_object JOIN {_WANTED} USING (object_key, etag)
    WHERE tenant_id = :tenant AND origin = :origin
"""
_OPEN_OBJECTS = f"""
    WITH batch AS (
        INSERT INTO ai.ingest_batch (tenant_id, connection_id, run_id, origin)
        VALUES (:tenant, :connection, :run, :origin) RETURNING batch_id
    ), opened AS (
        INSERT INTO ai.ingest_object (tenant_id, origin, object_key, etag, batch_id)
        SELECT :tenant, :origin, object_key, etag, batch_id FROM {_WANTED}, batch
        ORDER BY object_key, etag
        ON CONFLICT DO NOTHING
        RETURNING object_key, etag
    )
    SELECT batch_id, object_key, etag FROM batch LEFT JOIN opened ON true
"""
_CLOSE_BATCH = """
    WITH batch AS (
        UPDATE ai.ingest_batch SET rows_accepted = :accepted
        WHERE tenant_id = :tenant AND batch_id = :batch
    )
    UPDATE ai.ingest_object o SET rows_accepted = c.accepted, rows_duplicate = c.duplicate,
        rows_rejected = c.rejected
    FROM unnest(CAST(:keys AS text[]), CAST(:etags AS text[]), CAST(:a AS bigint[]),
        CAST(:d AS bigint[]), CAST(:r AS bigint[]))
        AS c (object_key, etag, accepted, duplicate, rejected)
    WHERE o.tenant_id = :tenant AND o.origin = :origin
        AND o.object_key = c.object_key AND o.etag = c.etag
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


@dataclass(frozen=True, slots=True)
class Opened:
    batch_id: int
    refs: frozenset[ObjectRef]
    """The objects checked in now; the others were loaded before."""


async def loaded_counts(
    tx: TenantTx, origin: Origin, refs: Sequence[ObjectRef]
) -> dict[ObjectRef, Counts]:
    """What loading each object did; those not loaded yet are left out."""
    rows = await tx.all(_LOADED, **_objects(tx, origin, refs))
    return {
        ObjectRef(row.object_key, row.etag): Counts(
            row.rows_accepted, row.rows_duplicate, row.rows_rejected
        )
        for row in rows
    }


async def open_objects(tx: TenantTx, origin: Origin, refs: Sequence[ObjectRef]) -> Opened:
    """Check the objects in under one new batch. Waits for a load of the same object."""
    rows = await tx.all(
        _OPEN_OBJECTS,
        **_objects(tx, origin, refs),
        connection=origin.connection_id,
        run=origin.run_id,
    )
    opened = (ObjectRef(row.object_key, row.etag) for row in rows if row.object_key is not None)
    return Opened(rows[0].batch_id, frozenset(opened))


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
    tx: TenantTx,
    batch_id: int,
    accepted: int,
    origin: Origin,
    counts: Mapping[ObjectRef, Counts],
) -> None:
    """Write the batch's row count, and the counts of its objects."""
    await tx.run(
        _CLOSE_BATCH,
        **_objects(tx, origin, list(counts)),
        batch=batch_id,
        accepted=accepted,
        a=[count.accepted for count in counts.values()],
        d=[count.duplicate for count in counts.values()],
        r=[count.rejected for count in counts.values()],
    )


def _objects(tx: TenantTx, origin: Origin, refs: Sequence[ObjectRef]) -> dict[str, object]:
    return {
        "tenant": tx.tenant_id,
        "origin": origin.name,
        "keys": [ref.key for ref in refs],
        "etags": [ref.etag for ref in refs],
    }
