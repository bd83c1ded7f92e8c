"""Which dimensions hold usage without a price."""

from typing import Any, Final

from sqlalchemy import Row

from tensorcost.domain.cost.query import Charges, CostQuery
from tensorcost.domain.cost.rollup import MEASURE_NAMES, RollupMeasures
from tensorcost.domain.cost.summary_unpriced import UnpricedUsage
from tensorcost.storage.cost_queries.billed import (
    IS_COVERED,
    billed_tables,
    bind_billed,
    join_covered,
)
from tensorcost.storage.cost_queries.grouping import actor_filter, dimension_filter
from tensorcost.storage.cost_queries.sources import SUMS, bounds, requested_cells, rollup_rows
from tensorcost.storage.session import TenantTx
from tensorcost.storage.spend.dimensions import PRICED_BY, priced_dimension

_PRICED_BY: Final = ", ".join(f"d.{name}" for name in PRICED_BY)
_UNPRICED: Final = """
    {tables}SELECT {priced_by}, max(s.day) AS last_day, {sums}
    FROM ({rows}) s
    JOIN ai.dimension d ON d.tenant_id = :tenant AND d.dim_id = s.dim_id
    LEFT JOIN ({requested}) f ON s.grain = 2 AND f.day = s.day AND f.cell_id = d.cell_id
    {billed_join} {covered_join}
    WHERE (s.unpriced_requests > 0 OR s.unpriced_tokens > 0)
      AND f.cell_id IS NULL{only_actor}{only_dimension}{only_unbilled}
    GROUP BY {priced_by}
"""
_JOIN_UNKNOWN: Final = (
    "LEFT JOIN ai.reconciled_unpriced u ON u.tenant_id = :tenant AND u.day = s.day "
    "AND u.reconciliation_id = v.reconciliation_id AND u.dim_id = s.dim_id "
    "AND u.actor_id = s.actor_id AND u.grain = s.grain"
)
# In an invoice's answer no estimate counts on a reconciled day: none is missing from it.
_UNBILLED: Final[dict[Charges, str]] = {
    Charges.USAGE: f" AND (u.dim_id IS NOT NULL OR NOT {IS_COVERED})",
    Charges.INVOICE: " AND (u.dim_id IS NOT NULL OR v.period IS NULL)",
}


async def read_unpriced(tx: TenantTx, query: CostQuery) -> list[UnpricedUsage]:
    """Usage that counts and has no price, by what a price depends on. Groups are ignored."""
    params = bounds(tx, query)
    tables = billed_join = covered_join = only_unbilled = ""
    if bind_billed(query, params):
        tables = f"WITH {billed_tables(query)} "
        billed_join = f"LEFT JOIN billed v ON v.day = s.day {_JOIN_UNKNOWN}"
        covered_join = join_covered("v")
        only_unbilled = _UNBILLED[query.charges]
    sql = _UNPRICED.format(
        tables=tables,
        billed_join=billed_join,
        covered_join=covered_join,
        only_unbilled=only_unbilled,
        requested=requested_cells(query),
        sums=SUMS,
        rows=rollup_rows(query, params),
        only_actor=actor_filter("s", query.filter, params),
        only_dimension=dimension_filter(query.filter, params),
        priced_by=_PRICED_BY,
    )
    return [_usage(row) for row in await tx.all(sql, **params)]


def _usage(row: Row[Any]) -> UnpricedUsage:
    where = priced_dimension(row._asdict())
    measures = RollupMeasures(*(int(getattr(row, name)) for name in MEASURE_NAMES))
    return UnpricedUsage(where, row.last_day, measures)
