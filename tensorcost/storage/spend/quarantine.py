"""What was not accepted: position, reason and a hash of the line, never the line."""

from collections.abc import Sequence

from tensorcost.domain.spend.parsed import Reject
from tensorcost.storage.session import TenantTx
from tensorcost.storage.spend.batches import Origin

MAX_DETAIL = 500


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
