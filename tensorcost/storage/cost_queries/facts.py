"""One statement that sums a window and judges every sum (decisions 1).

Rows of request grain always count. Rows of metric grain count where their cell has no
request row. On days that a reconciled bill answers for, their money is the bill's (``billed``)
and only their volumes are summed here. On the other days bill lines count where their cell has
neither and, when their model is not resolved, where no finer row exists for their account, day
and region at all. One statement, because two would see two states of the database and could
count a use twice.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Row

from tensorcost.domain.cost.query import Charges, CostQuery, Step
from tensorcost.domain.cost.rollup import MEASURE_NAMES, RollupMeasures
from tensorcost.domain.cost.summary import Fact, Verdict
from tensorcost.domain.spend.facts import Grain
from tensorcost.storage.cost_queries.billed import (
    COST_ALONE,
    IS_COVERED,
    bill_amount,
    billed_money,
    billed_tables,
    bind_billed,
    join_covered,
)
from tensorcost.storage.cost_queries.grouping import (
    Grouping,
    actor_filter,
    dimension_filter,
    grouping_of,
    line_filter,
)
from tensorcost.storage.cost_queries.members import share_of
from tensorcost.storage.cost_queries.sources import (
    SUMS,
    bounds,
    deliveries,
    finer_cells,
    requested_cells,
    summed_rows,
    sums_where,
)
from tensorcost.storage.session import TenantTx

_USAGE: Final = """
    SELECT {keys}{bucket} AS bucket, s.grain::int AS grain,
           CASE WHEN f.cell_id IS NOT NULL THEN 'finer_grain' {unbilled}ELSE 'counted' END
               AS verdict,
           'USD' AS currency, false AS is_billed, {sums}
    FROM ({rows}) s
    JOIN ai.dimension d ON d.tenant_id = :tenant AND d.dim_id = s.dim_id
    {actor_join}
    LEFT JOIN ({requested}) f ON s.grain = 2 AND f.day = s.day AND f.cell_id = d.cell_id
    {covered_join}
    WHERE true{only_dimension}
    GROUP BY {positions}
"""
_ACTOR_JOIN: Final = "LEFT JOIN ai.actor a ON a.tenant_id = :tenant AND a.actor_id = s.actor_id"
_BILL: Final = """
    SELECT {keys}{bucket} AS bucket, s.grain,
           CASE WHEN s.share <> 'unlogged' THEN s.share
                WHEN f.cell_id IS NOT NULL OR g.region IS NOT NULL THEN 'finer_grain'
                WHEN {partial} THEN 'partial_day'
                ELSE 'counted' END AS verdict,
           s.currency, false AS is_billed, {sums}
    FROM (
        SELECT b.day, b.dim_id, 3 AS grain, {share} AS share, b.currency,
               sum(b.{amount}) AS cost_nano
        FROM ai.bill_daily b
        WHERE b.tenant_id = :tenant AND b.day >= :first_day AND b.day < :end_day
          AND b.delivery_id IN ({deliveries}){unreconciled}
        GROUP BY 1, 2, 3, 4, 5
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
_UNRECONCILED: Final = " AND b.day NOT IN (SELECT day FROM billed)"
_BUCKETS: Final[dict[Step | None, str]] = {
    None: "NULL::timestamptz",
    Step.DAY: "s.day::timestamp AT TIME ZONE 'UTC'",
    Step.HOUR: "s.hour",
}
_QUANTITY: Final = MEASURE_NAMES.index("quantity_micro")
# Looked up: calling an enum costs more than the rest of a fact.
_GRAINS: Final = {grain.value: grain for grain in Grain}
_VERDICTS: Final = {verdict.value: verdict for verdict in Verdict}


async def read_facts(tx: TenantTx, query: CostQuery) -> list[Fact]:
    """Every sum of the window by key, bucket, grain, verdict and currency, unordered."""
    params = bounds(tx, query)
    rows = await tx.all(statement(query, params), **params)
    return facts_of(rows, len(query.group_by))


def statement(query: CostQuery, params: dict[str, Any]) -> str:
    """The SQL of ``query``; adds what it binds to ``params``."""
    grouping = grouping_of(query)
    tables: list[str] = []
    parts = [_usage(query, grouping, params)]
    if bind_billed(query, params):
        tables.append(billed_tables(query))
        parts.append(
            billed_money(
                query,
                grouping,
                params,
                bucket=_BUCKETS[query.step],
                actor_join=_ACTOR_JOIN if grouping.joins_actor else "",
                positions=_positions(query),
            )
        )
    # Nobody is named on a bill line: an answer about somebody has none.
    if not query.filter.names_an_actor():
        tables.append(f"finer AS ({finer_cells(query)})")
        parts.append(_bill(query, grouping, params))
    tables_first = f"WITH {', '.join(tables)} " if tables else ""
    return tables_first + " UNION ALL ".join(parts)


def facts_of(rows: Sequence[Row[Any]], keys: int) -> list[Fact]:
    """Rows of ``statement`` as facts."""
    return [
        Fact(
            key=tuple(row[:keys]),
            bucket=_utc(row[keys]),
            grain=_GRAINS[row[keys + 1]],
            verdict=_VERDICTS[row[keys + 2]],
            currency=row[keys + 3],
            is_billed=row[keys + 4],
            measures=_measures(row[keys + 5 :]),
        )
        for row in map(tuple, rows)
    ]


def _measures(row: Sequence[Any]) -> RollupMeasures:
    values = list(row)
    values[_QUANTITY] = int(values[_QUANTITY])
    return RollupMeasures(*values)


def _usage(query: CostQuery, grouping: Grouping, params: dict[str, Any]) -> str:
    may_be_billed = query.billed_days() is not None
    is_invoice = may_be_billed and query.charges is Charges.INVOICE
    unbilled = f"WHEN s.period IS NOT NULL AND NOT {IS_COVERED} THEN 'not_billed' "
    return _USAGE.format(
        requested=requested_cells(query),
        bucket=_BUCKETS[query.step],
        unbilled=unbilled if is_invoice else "",
        # What a finer row explains goes on standing beside at its estimate.
        sums=sums_where(f"f.cell_id IS NOT NULL OR NOT {IS_COVERED}") if may_be_billed else SUMS,
        rows=summed_rows(
            query,
            params,
            by_actor=grouping.by_actor,
            where=actor_filter("s", query.filter, params),
        ),
        keys=grouping.usage_keys,
        actor_join=_ACTOR_JOIN if grouping.joins_actor else "",
        covered_join=join_covered("s") if may_be_billed else "",
        only_dimension=dimension_filter(query.filter, params),
        positions=_positions(query),
    )


def _bill(query: CostQuery, grouping: Grouping, params: dict[str, Any]) -> str:
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
        share=share_of("b"),
        amount=bill_amount(query),
        sums=COST_ALONE,
        deliveries=deliveries(query),
        unreconciled="" if query.billed_days() is None else _UNRECONCILED,
        only_dimension=dimension_filter(query.filter, params, billed=True)
        + line_filter(query.filter, params),
        positions=_positions(query),
    )


def _positions(query: CostQuery) -> str:
    """GROUP BY the key columns, then bucket, grain, verdict, currency and whether billed."""
    return ", ".join(str(n + 1) for n in range(len(query.group_by) + 5))


def _utc(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.astimezone(UTC)
