"""How usage stands in the answers about cost: by the very rules of the cost queries."""

from datetime import date, timedelta
from typing import Any, Final

from tensorcost.domain.cost.query import CostQuery
from tensorcost.domain.cost.query_window import Window
from tensorcost.domain.cost.rerating_changes import Standing
from tensorcost.storage.cost_queries.billed import (
    IS_COVERED,
    billed_tables,
    bind_billed,
    join_covered,
)
from tensorcost.storage.cost_queries.sources import bounds, requested_cells
from tensorcost.storage.session import TenantTx

_JUDGED: Final = f"""
    WITH {{tables}}
    SELECT s.*, d.provider, d.model_id,
           CASE WHEN f.cell_id IS NOT NULL THEN '{Standing.BESIDE}'
                WHEN {IS_COVERED} THEN '{Standing.BILLED}'
                ELSE '{Standing.COUNTED}' END AS standing
    FROM ({{usage}}) s
    JOIN ai.dimension d ON d.tenant_id = :tenant AND d.dim_id = s.dim_id
    LEFT JOIN ({{requested}}) f ON s.grain = 2 AND f.day = s.day AND f.cell_id = d.cell_id
    LEFT JOIN billed v ON v.day = s.day
    {join_covered("v")}
"""
_OF_DAY: Final = (
    "SELECT DISTINCT day, dim_id, grain FROM ai.spend_daily "
    "WHERE tenant_id = :tenant AND day = :first_day"
)


def judged(tx: TenantTx, usage: str, first: date, end: date) -> tuple[str, dict[str, Any]]:
    """SELECT of ``usage`` (day, dim_id, grain and what else it has) with provider, model_id and
    ``standing`` as of now, and what it binds; ``usage`` lies in the days ``[first, end)``."""
    query = CostQuery(Window.of_days(first, end))
    params = bounds(tx, query)
    bind_billed(query, params)
    sql = _JUDGED.format(tables=billed_tables(query), usage=usage, requested=requested_cells(query))
    return sql, params


async def read_standing(tx: TenantTx, day: date) -> dict[tuple[int, int], Standing]:
    """How the usage of a UTC day stands, by (dimension, grain)."""
    sql, params = judged(tx, _OF_DAY, day, day + timedelta(days=1))
    rows = await tx.all(sql, **params)
    return {(row.dim_id, row.grain): Standing(row.standing) for row in rows}
