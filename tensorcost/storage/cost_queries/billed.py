"""Money of reconciled days: what the bill says of them, in the basis asked for.

A reconciliation answers for a day as a whole, and in it for the accounts that its bills speak for:
from an account's first usage on them to its last. What is used beside that is on no bill: it goes
on costing its estimate.
"""

from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from tensorcost.domain.cost.query import Charges, CostBasis, CostQuery, Step
from tensorcost.domain.cost.reconciliation.facts import Share
from tensorcost.domain.cost.rollup import MEASURE_NAMES
from tensorcost.domain.cost.summary import CURRENCY
from tensorcost.storage.cost_queries.grouping import (
    Grouping,
    actor_filter,
    dimension_filter,
)
from tensorcost.storage.cost_queries.sources import bounds
from tensorcost.storage.reconciliation.chosen import chosen_days
from tensorcost.storage.session import TenantTx

COST_ALONE: Final = ", ".join(
    f"sum(s.cost_nano)::bigint AS {name}" if name == "cost_nano" else f"0 AS {name}"
    for name in MEASURE_NAMES
)
"""Sums of rows that have money and no volumes."""
IS_COVERED: Final = "c.account_id IS NOT NULL"
"""Of usage rows beside ``join_covered``: the bill answers for them."""
_BILLED: Final = """
    billed AS (
        SELECT v.day, v.reconciliation_id, date_trunc('month', v.day)::date AS period
        FROM ({days}) v WHERE v.day >= :billed_low AND v.day < :billed_high
    ), covered AS (
        SELECT r.period, c.source, c.account_id, c.first_day, c.last_day
        FROM (
            SELECT DISTINCT ON (r.period) r.period, r.reconciliation_id
            FROM ai.reconciliation r
            WHERE r.tenant_id = :tenant AND r.period IN (SELECT period FROM billed){known}
            ORDER BY r.period, r.version DESC
        ) r
        JOIN ai.reconciled_account c
            ON c.tenant_id = :tenant AND c.reconciliation_id = r.reconciliation_id
    ), partly AS (
        SELECT d.dim_id
        FROM covered c
        JOIN ai.dimension d ON d.tenant_id = :tenant AND d.source = c.source
            AND d.usage_account_id = c.account_id
        WHERE EXISTS (SELECT FROM billed v WHERE v.period = c.period
            AND v.day NOT BETWEEN c.first_day AND c.last_day)
    )
"""
_KNOWN: Final = ("cost_nano", "unpriced_requests", "unpriced_tokens")
_SUMS: Final = ", ".join(
    f"sum(s.{name})::bigint AS {name}" if name in _KNOWN else f"0 AS {name}"
    for name in MEASURE_NAMES
)
_MONEY: Final = f"""
    SELECT {{keys}}{{bucket}} AS bucket, s.grain::int AS grain, {{verdict}} AS verdict, s.currency,
           true AS is_billed, {_SUMS}
    FROM (
        SELECT {{rows}}, sum(s.{{basis}}_nano) AS cost_nano, 0 AS unpriced_requests,
               0 AS unpriced_tokens
        FROM billed v
        JOIN ai.reconciled_daily s ON s.tenant_id = :tenant AND s.day = v.day
            AND s.reconciliation_id = v.reconciliation_id
        WHERE true{{only_actor}}
        GROUP BY {{rows}}
        UNION ALL
        SELECT {{unpriced}}, 0, s.unpriced_requests, s.unpriced_tokens
        FROM billed v
        JOIN ai.reconciled_unpriced s ON s.tenant_id = :tenant AND s.day = v.day
            AND s.reconciliation_id = v.reconciliation_id
        WHERE true{{only_caller}}
    ) s
    JOIN ai.dimension d ON d.tenant_id = :tenant AND d.dim_id = s.dim_id
    {{actor_join}}
    WHERE true{{only_dimension}}
    GROUP BY {{positions}}
"""
"""What no line of the bill is about, and has no price, is missing from the money of the rest."""
_VERDICTS: Final[dict[Charges, str]] = {
    Charges.USAGE: "CASE WHEN s.share IN ('attributed', 'unlogged') THEN 'counted' "
    "ELSE s.share END",
    Charges.INVOICE: "CASE WHEN s.currency = 'USD' THEN 'counted' ELSE 'other_currency' END",
}


@dataclass(frozen=True, slots=True)
class ReconciledDays:
    """Days of a window that a reconciled bill answers for."""

    days: int = 0
    through: date | None = None
    """The last of them."""


async def read_reconciled_days(tx: TenantTx, query: CostQuery) -> ReconciledDays:
    """Which days of the window a bill answers for; none where the question is for estimates."""
    params = bounds(tx, query)
    if not bind_billed(query, params):
        return ReconciledDays()
    row = await tx.first(
        f"SELECT count(*) AS days, max(v.day) AS through FROM ({chosen_days(query.as_of)}) v "
        "WHERE v.day >= :billed_low AND v.day < :billed_high",
        **params,
    )
    return ReconciledDays() if row is None else ReconciledDays(row.days, row.through)


def bind_billed(query: CostQuery, params: dict[str, Any]) -> bool:
    """Add the bounds of the days that bills may answer for; False where there are none."""
    days = query.billed_days()
    if days is None:
        return False
    params.update(billed_low=days[0], billed_high=days[1])
    return True


def billed_tables(query: CostQuery) -> str:
    """The tables ``billed`` (day, reconciliation_id, period), ``covered`` (period, source,
    account_id, first_day, last_day) and ``partly`` (dim_id), dimensions that a month's bill speaks
    for on some of its days, for a WITH clause; they need what ``bind_billed`` binds."""
    known = "" if query.as_of is None else " AND r.known_at <= :as_of"
    return _BILLED.format(days=chosen_days(query.as_of), known=known)


def join_covered(alias: str) -> str:
    """A join of usage, whose ``period`` and ``day`` are the alias's, to the accounts that its bill
    speaks for. Usage of ``partly`` must have its day."""
    return (
        f"LEFT JOIN covered c ON c.period = {alias}.period AND c.source = d.source "
        "AND c.account_id = d.usage_account_id "
        f"AND coalesce({alias}.day BETWEEN c.first_day AND c.last_day, true)"
    )


def bill_amount(query: CostQuery) -> str:
    """The column of the basis asked for, in tables that have all three."""
    basis = CostBasis.UNBLENDED if query.basis is CostBasis.ESTIMATE else query.basis
    return f"{basis.value}_nano"


def billed_money(
    query: CostQuery,
    grouping: Grouping,
    params: dict[str, Any],
    *,
    bucket: str,
    actor_join: str,
    positions: str,
) -> str:
    """SELECT of reconciled money in the columns of ``facts.statement``."""
    rows = ["s.dim_id", "s.grain", "s.share", "s.currency"]
    unpriced = ["s.dim_id", "s.grain", f"'{Share.ATTRIBUTED}'", f"'{CURRENCY}'"]
    more = ["s.day"] if query.step is Step.DAY else []
    more += ["s.actor_id"] if grouping.by_actor else []
    return _MONEY.format(
        keys=grouping.money_keys,
        bucket=bucket,
        verdict=_VERDICTS[query.charges],
        rows=", ".join(rows + more),
        unpriced=", ".join(unpriced + more),
        basis=query.basis.value,
        only_actor=actor_filter("s", query.filter, params, billed=True),
        only_caller=actor_filter("s", query.filter, params),
        actor_join=actor_join,
        only_dimension=dimension_filter(query.filter, params, billed=True),
        positions=positions,
    )
