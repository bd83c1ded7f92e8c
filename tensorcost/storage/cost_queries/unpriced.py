"""Which dimensions hold usage without a price."""

from typing import Any, Final

from sqlalchemy import Row

from tensorcost.domain.cost.query import CostQuery
from tensorcost.domain.cost.rollup import MEASURE_NAMES, RollupMeasures
from tensorcost.domain.cost.summary_unpriced import UnpricedUsage
from tensorcost.domain.spend.facts import (
    Dimension,
    ModelTier,
    RoutingScope,
    ServiceTier,
    Source,
)
from tensorcost.storage.cost_queries.grouping import actor_filter, dimension_filter
from tensorcost.storage.cost_queries.sources import SUMS, requested_cells, rollup_rows
from tensorcost.storage.session import TenantTx

_PRICED_BY: Final = (
    "d.source, d.provider, d.region, d.routing_scope, d.model_id, d.service_tier, "
    "d.modality, d.context_bucket"
)
_UNPRICED: Final = """
    SELECT {priced_by}, max(s.day) AS last_day, {sums}
    FROM ({rows}) s
    JOIN ai.dimension d ON d.tenant_id = :tenant AND d.dim_id = s.dim_id
    LEFT JOIN ({requested}) f ON s.grain = 2 AND f.day = s.day AND f.cell_id = d.cell_id
    WHERE (s.unpriced_requests > 0 OR s.unpriced_tokens > 0)
      AND f.cell_id IS NULL{only_actor}{only_dimension}
    GROUP BY {priced_by}
"""


async def read_unpriced(tx: TenantTx, query: CostQuery) -> list[UnpricedUsage]:
    """Usage that counts and has no price, by what a price depends on. Groups are ignored."""
    params: dict[str, Any] = {
        "tenant": tx.tenant_id,
        "first_day": query.window.first_day,
        "end_day": query.window.end_day,
    }
    if query.as_of is not None:
        params["as_of"] = query.as_of
    sql = _UNPRICED.format(
        requested=requested_cells(query),
        sums=SUMS,
        rows=rollup_rows(query, params),
        only_actor=actor_filter("s", query.filter, params),
        only_dimension=dimension_filter(query.filter, params),
        priced_by=_PRICED_BY,
    )
    return [_usage(row) for row in await tx.all(sql, **params)]


def _usage(row: Row[Any]) -> UnpricedUsage:
    where = Dimension(
        source=Source(row.source),
        provider=row.provider,
        account_id="",
        usage_account_id="",
        region=row.region,
        routing_scope=RoutingScope(row.routing_scope),
        model_id=row.model_id,
        model_tier=ModelTier.UNKNOWN,
        service_tier=ServiceTier(row.service_tier),
        modality=row.modality,
        context_bucket=row.context_bucket,
    )
    measures = RollupMeasures(*(int(getattr(row, name)) for name in MEASURE_NAMES))
    return UnpricedUsage(where, row.last_day, measures)
