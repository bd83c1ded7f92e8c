"""Which sites of a connection a backfill has read, is reading, and still owes."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from tensorcost.domain.integration.catch_up import OwedSite
from tensorcost.domain.integration.plan import Site
from tensorcost.domain.integration.states import SourceKind
from tensorcost.storage.integration_sites import SITE_COLUMNS, site_of
from tensorcost.storage.session import TenantTx

_OWED = """
    SELECT site_key, source, backfill_tries, backfill_tried_at FROM app.connection_site s
    WHERE tenant_id = :tenant AND connection_id = :connection AND active
        AND backfilled_at IS NULL
        AND (CAST(:run AS uuid) IS NULL OR EXISTS (
            SELECT FROM app.sync_step p WHERE p.tenant_id = :tenant AND p.run_id = :run
                AND p.site_key = s.site_key AND p.state = 'completed'))
    ORDER BY site_key
"""
_ASSIGN = """
    UPDATE app.connection_site SET backfill_run = :run, backfill_tries = backfill_tries + 1,
        backfill_tried_at = :now
    WHERE tenant_id = :tenant AND connection_id = :connection AND site_key = ANY(:keys)
"""
_MARK = """
    UPDATE app.connection_site s SET backfilled_at = :now
    FROM (
        SELECT site_key FROM app.sync_step WHERE tenant_id = :tenant AND run_id = :run
        GROUP BY site_key HAVING bool_and(state = 'completed')
    ) whole
    WHERE s.tenant_id = :tenant AND s.connection_id = :connection AND s.backfill_run = :run
        AND s.site_key = whole.site_key
"""


async def owed_sites(
    tx: TenantTx, connection_id: UUID, *, read_by: UUID | None = None
) -> list[OwedSite]:
    """Active sites that no backfill has read whole; of them those that a run could read."""
    rows = await tx.all(_OWED, tenant=tx.tenant_id, connection=connection_id, run=read_by)
    return [
        OwedSite(row.site_key, SourceKind(row.source), row.backfill_tries, row.backfill_tried_at)
        for row in rows
    ]


async def assign_backfill(
    tx: TenantTx, connection_id: UUID, run_id: UUID, keys: Sequence[str], now: datetime
) -> None:
    """Make the run the one that reads these sites."""
    await tx.run(
        _ASSIGN,
        tenant=tx.tenant_id,
        connection=connection_id,
        run=run_id,
        keys=list(keys),
        now=now,
    )


async def sites_of_backfill(tx: TenantTx, connection_id: UUID, run_id: UUID) -> list[Site]:
    """The active sites that the run was opened for."""
    rows = await tx.all(
        f"SELECT {SITE_COLUMNS} FROM app.connection_site WHERE tenant_id = :tenant "
        "AND connection_id = :connection AND active AND backfill_run = :run ORDER BY site_key",
        tenant=tx.tenant_id,
        connection=connection_id,
        run=run_id,
    )
    return [site_of(row) for row in rows]


async def mark_backfilled(tx: TenantTx, connection_id: UUID, run_id: UUID, now: datetime) -> None:
    """Note which of its sites the run has read whole, however the run itself ended."""
    await tx.run(_MARK, tenant=tx.tenant_id, connection=connection_id, run=run_id, now=now)
