"""Stored usage by what its price depends on."""

from collections.abc import Collection, Sequence
from datetime import date
from typing import Final

from tensorcost.domain.cost.price_matches import UsedPlace
from tensorcost.storage.session import TenantTx
from tensorcost.storage.spend.dimensions import PRICED_BY, priced_dimension

_PRICED_BY: Final = ", ".join(f"d.{name}" for name in PRICED_BY)
# Requests as the cost queries count them: those of metric rows where no request row is.
_USED: Final = f"""
    SELECT {_PRICED_BY}, count(DISTINCT s.dim_id) AS dimensions, max(s.day) AS last_day,
           coalesce(sum(s.requests) FILTER (WHERE s.day >= :since AND f.cell_id IS NULL), 0)::bigint
               AS requests
    FROM ai.spend_daily s
    JOIN ai.dimension d ON d.tenant_id = :tenant AND d.dim_id = s.dim_id
    LEFT JOIN ai.spend_cell f ON f.tenant_id = :tenant AND f.day = s.day
        AND f.cell_id = d.cell_id AND f.grain = 1 AND s.grain = 2
    WHERE s.tenant_id = :tenant AND d.model_id = ANY(:models)
    GROUP BY {_PRICED_BY}
"""


async def read_used_places(
    tx: TenantTx, models: Collection[str], since: date
) -> Sequence[UsedPlace]:
    """All stored usage of the models; its requests from the UTC day ``since`` on."""
    rows = await tx.all(_USED, tenant=tx.tenant_id, models=sorted(models), since=since)
    return [
        UsedPlace(priced_dimension(row._asdict()), row.dimensions, row.requests, row.last_day)
        for row in rows
    ]


async def read_used_models(tx: TenantTx) -> set[str]:
    """The names of every model of which usage or a bill is stored."""
    rows = await tx.all(
        "SELECT DISTINCT model_id FROM ai.dimension WHERE tenant_id = :tenant AND model_id <> ''",
        tenant=tx.tenant_id,
    )
    return {row.model_id for row in rows}
