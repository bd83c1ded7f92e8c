"""The newest days of every source, and when its connections were last read."""

from datetime import date, datetime
from typing import Final

from tensorcost.domain.cost.summary_freshness import Seen
from tensorcost.domain.spend.facts import Grain
from tensorcost.storage.cost_queries.sources import LIVE_DELIVERIES
from tensorcost.storage.session import TenantTx

_SEEN: Final = f"""
    WITH named AS (
        SELECT DISTINCT cell_id, source FROM ai.dimension WHERE tenant_id = :tenant
    )
    SELECT n.source, c.grain::int AS grain, max(c.day) AS last_day
    FROM ai.spend_cell c JOIN named n USING (cell_id)
    WHERE c.tenant_id = :tenant AND c.day >= :since AND c.grain IN (1, 2)
    GROUP BY 1, 2
    UNION ALL
    SELECT d.source, 3, max(b.day)
    FROM ai.bill_daily b
    JOIN ai.dimension d ON d.tenant_id = :tenant AND d.dim_id = b.dim_id
    WHERE b.tenant_id = :tenant AND b.day >= :since
      AND b.in_scope AND b.charge_category = 'Usage'
      AND b.delivery_id IN ({LIVE_DELIVERIES})
    GROUP BY 1
    ORDER BY 1, 2
"""
_SYNCED: Final = """
    SELECT provider,
           CASE WHEN bool_and(last_synced_at IS NOT NULL) THEN min(last_synced_at) END AS at
    FROM app.connection WHERE tenant_id = :tenant AND state = 'connected'
    GROUP BY provider
"""


async def read_seen(tx: TenantTx, since: date) -> list[Seen]:
    """The newest day with rows of each (source, grain), looking back to ``since``."""
    rows = await tx.all(_SEEN, tenant=tx.tenant_id, since=since)
    return [Seen(row.source, Grain(row.grain), row.last_day) for row in rows]


async def read_synced(tx: TenantTx) -> dict[str, datetime]:
    """By source, when the slowest of its connections was last read; absent where one never was."""
    rows = await tx.all(_SYNCED, tenant=tx.tenant_id)
    return {row.provider: row.at for row in rows if row.at is not None}


async def read_time_zone(tx: TenantTx) -> str:
    """The tenant's IANA time zone name."""
    zone: str | None = await tx.scalar(
        "SELECT time_zone FROM app.tenant WHERE tenant_id = :tenant", tenant=tx.tenant_id
    )
    return zone or "UTC"
