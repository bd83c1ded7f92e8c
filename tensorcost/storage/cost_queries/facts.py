"""One statement that sums a window and judges every sum (decisions 1).

Rows of request grain always count. Rows of metric grain count where their cell has no
request row. Bill lines count where their cell has neither and, when their model is not
resolved, where no finer row exists for their account, day and region at all. One statement,
because two would see two states of the database and could count a use twice.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Row

from tensorcost.domain.cost.query import CostQuery, Step
from tensorcost.domain.cost.rollup import MEASURE_NAMES, RollupMeasures
from tensorcost.domain.cost.summary import Fact, Verdict
from tensorcost.domain.spend.facts import Grain
from tensorcost.storage.cost_queries.grouping import (
    Grouping,
    actor_filter,
    dimension_filter,
    grouping_of,
)
from tensorcost.storage.cost_queries.sources import (
    SUMS,
    deliveries,
    finer_cells,
    requested_cells,
    summed_rows,
)
from tensorcost.storage.session import TenantTx

_USAGE: Final = """
    SELECT {keys}{bucket} AS bucket, s.grain::int AS grain,
           CASE WHEN f.cell_id IS NULL THEN 'counted' ELSE 'finer_grain' END AS verdict,
           'USD' AS currency, {sums}
    FROM ({rows}) s
    JOIN ai.dimension d ON d.tenant_id = :tenant AND d.dim_id = s.dim_id
    {actor_join}
    LEFT JOIN ({requested}) f ON s.grain = 2 AND f.day = s.day AND f.cell_id = d.cell_id
    WHERE true{only_dimension}
    GROUP BY {positions}
"""
_ACTOR_JOIN: Final = "LEFT JOIN ai.actor a ON a.tenant_id = :tenant AND a.actor_id = s.actor_id"
_BILL: Final = """
    SELECT {keys}{bucket} AS bucket, 3 AS grain,
           CASE WHEN NOT s.in_scope THEN 'out_of_scope'
                WHEN s.charge_category <> 'Usage' THEN lower(s.charge_category)
                WHEN s.currency <> 'USD' THEN 'other_currency'
                WHEN f.cell_id IS NOT NULL OR g.region IS NOT NULL THEN 'finer_grain'
                WHEN {partial} THEN 'partial_day'
                ELSE 'counted' END AS verdict,
           s.currency, {sums}
    FROM (
        SELECT b.day, b.dim_id, b.charge_category, b.in_scope, b.currency,
               sum(b.unblended_nano) AS unblended_nano
        FROM ai.bill_daily b
        WHERE b.tenant_id = :tenant AND b.day >= :first_day AND b.day < :end_day
          AND b.delivery_id IN ({deliveries})
        GROUP BY b.day, b.dim_id, b.charge_category, b.in_scope, b.currency
    ) s
    JOIN ai.dimension d ON d.tenant_id = :tenant AND d.dim_id = s.dim_id
    LEFT JOIN finer f ON f.day = s.day AND f.cell_id = d.cell_id
    LEFT JOIN (
        SELECT DISTINCT n.day, c.usage_account_id, c.region
        FROM finer n JOIN (
            SELECT DISTINCT cell_id, usage_account_id, region FROM ai.dimension
            WHERE tenant_id = :tenant
        ) c USING (cell_id)
    ) g ON d.model_id = '' AND g.day = s.day
       AND g.usage_account_id = d.usage_account_id AND g.region = d.region
    WHERE true{only_dimension}
    GROUP BY {positions}
"""
_BUCKETS: Final[dict[Step | None, str]] = {
    None: "NULL::timestamptz",
    Step.DAY: "s.day::timestamp AT TIME ZONE 'UTC'",
    Step.HOUR: "s.hour",
}
_QUANTITY: Final = MEASURE_NAMES.index("quantity_micro")
# Looked up: calling an enum costs more than the rest of a fact.
_GRAINS: Final = {grain.value: grain for grain in Grain}
_VERDICTS: Final = {verdict.value: verdict for verdict in Verdict}
_BILL_SUMS: Final = ", ".join(
    f"sum(s.unblended_nano)::bigint AS {name}" if name == "cost_nano" else f"0 AS {name}"
    for name in MEASURE_NAMES
)


async def read_facts(tx: TenantTx, query: CostQuery) -> list[Fact]:
    """Every sum of the window by key, bucket, grain, verdict and currency, unordered."""
    params: dict[str, Any] = {
        "tenant": tx.tenant_id,
        "first_day": query.window.first_day,
        "end_day": query.window.end_day,
    }
    if query.as_of is not None:
        params["as_of"] = query.as_of
    rows = await tx.all(statement(query, params), **params)
    return facts_of(rows, len(query.group_by))


def statement(query: CostQuery, params: dict[str, Any]) -> str:
    """The SQL of ``query``; adds what it binds to ``params``."""
    grouping = grouping_of(query)
    only_dimension = dimension_filter(query.filter, params)
    usage = _USAGE.format(
        requested=requested_cells(query),
        bucket=_BUCKETS[query.step],
        sums=SUMS,
        rows=summed_rows(
            query,
            params,
            by_actor=grouping.by_actor,
            where=actor_filter("s", query.filter, params),
        ),
        keys=grouping.usage_keys,
        actor_join=_ACTOR_JOIN if grouping.joins_actor else "",
        only_dimension=only_dimension,
        positions=_positions(query),
    )
    # Nobody is named on a bill line: an answer about somebody has none.
    if query.filter.names_an_actor():
        return usage
    bill = _bill(query, grouping, only_dimension, params)
    return f"WITH finer AS ({finer_cells(query)}) {usage} UNION ALL {bill}"


def facts_of(rows: Sequence[Row[Any]], keys: int) -> list[Fact]:
    """Rows of ``statement`` as facts."""
    return [
        Fact(
            key=tuple(row[:keys]),
            bucket=_utc(row[keys]),
            grain=_GRAINS[row[keys + 1]],
            verdict=_VERDICTS[row[keys + 2]],
            currency=row[keys + 3],
            measures=_measures(row[keys + 4 :]),
        )
        for row in map(tuple, rows)
    ]


def _measures(row: Sequence[Any]) -> RollupMeasures:
    values = list(row)
    values[_QUANTITY] = int(values[_QUANTITY])
    return RollupMeasures(*values)


def _bill(query: CostQuery, grouping: Grouping, only_dimension: str, params: dict[str, Any]) -> str:
    days = query.window.whole_days()
    if query.step is Step.HOUR or days is None:
        partial = "true"
    elif query.window.is_whole_days():
        partial = "false"
    else:
        params.update(whole_low=days[0], whole_high=days[1])
        partial = "s.day < :whole_low OR s.day >= :whole_high"
    return _BILL.format(
        keys=grouping.bill_keys,
        bucket=_BUCKETS[Step.DAY if query.step is Step.DAY else None],
        partial=partial,
        sums=_BILL_SUMS,
        deliveries=deliveries(query),
        only_dimension=only_dimension,
        positions=_positions(query),
    )


def _positions(query: CostQuery) -> str:
    """GROUP BY the key columns, then bucket, grain, verdict and currency."""
    return ", ".join(str(n + 1) for n in range(len(query.group_by) + 4))


def _utc(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.astimezone(UTC)
