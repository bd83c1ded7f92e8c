"""What was not accepted: position, reason and a hash of the line, never the line."""

from collections.abc import Sequence

from tensorcost.domain.spend.parsed import Reject
from tensorcost.storage.session import TenantTx
from tensorcost.storage.spend.batches import ObjectRef, Origin

MAX_DETAIL = 500
_MOST_KEPT = 5_000
_KEPT = """
    WITH version AS (
        SELECT etag, known_at, lead(known_at) OVER (ORDER BY known_at) AS next_at
        FROM ai.ingest_object JOIN ai.ingest_batch USING (tenant_id, batch_id)
        WHERE tenant_id = :tenant AND ingest_object.origin = :origin AND object_key = :key
    )
    SELECT file, position, reason, detail, line_hash
    FROM app.quarantine CROSS JOIN version
    WHERE tenant_id = :tenant AND connection_id IS NOT DISTINCT FROM CAST(:connection AS uuid)
        AND file = :file AND etag = :etag AND (next_at IS NULL OR created_at < next_at)
    ORDER BY created_at >= known_at DESC, quarantine_id
    LIMIT :most
"""


async def quarantine(tx: TenantTx, origin: Origin, rejects: Sequence[Reject]) -> None:
    """Record rejects; the same one met again (a retried object) is recorded once."""
    if not rejects:
        return
    driver = await tx.driver()
    await driver.execute(
        "INSERT INTO app.quarantine (tenant_id, connection_id, run_id, file, position, reason, "
        "detail, line_hash) SELECT $1, $2, $3, * FROM unnest($4::text[], $5::bigint[], "
        "$6::text[], $7::text[], $8::bytea[]) ON CONFLICT DO NOTHING",
        tx.tenant_id,
        origin.connection_id,
        origin.run_id,
        [reject.file for reject in rejects],
        [reject.position for reject in rejects],
        [reject.reason for reject in rejects],
        [reject.detail[:MAX_DETAIL] for reject in rejects],
        [reject.line_hash for reject in rejects],
    )


async def kept_rejects(
    tx: TenantTx, origin: Origin, ref: ObjectRef, file: str, most: int
) -> list[Reject]:
    """What was rejected of an object that is loaded, in the order of its lines.

    Defects that an earlier version of it had too are recorded once, as of then.
    """
    rows = await tx.all(
        _KEPT,
        tenant=tx.tenant_id,
        origin=origin.name,
        key=ref.key,
        etag=ref.etag,
        connection=origin.connection_id,
        file=file,
        most=min(most, _MOST_KEPT),
    )
    found = [Reject(r.file, r.position, r.reason, r.detail, bytes(r.line_hash)) for r in rows]
    return sorted(found, key=lambda one: one.position)
