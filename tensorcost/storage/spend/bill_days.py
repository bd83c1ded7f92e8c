"""A delivery's lines summed by charge day, negations of savings plans with their usage."""

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row

from tensorcost.domain.cost.reconciliation.facts import Money
from tensorcost.domain.cost.reconciliation.negation import (
    COVERED_USAGE,
    NEGATION,
    Covered,
    Negated,
    follow,
)
from tensorcost.domain.spend.bill import ChargeCategory
from tensorcost.storage.session import TenantTx

CHARGE_DAY: Final = """greatest(CAST(:period AS date),
    least((l.usage_start AT TIME ZONE 'UTC')::date,
        (CAST(:period AS date) + interval '1 month')::date - 1))"""
"""A line dated outside the billing month stands on the nearest day of the month that bills it."""
LAST_CHARGE_DAY: Final = CHARGE_DAY.replace(
    "l.usage_start", "greatest(l.usage_start, l.usage_end - interval '1 microsecond')"
)
"""The last day of what the line is for; a line for an hour or a day ends on the day it begins."""
_DISCOUNTS: Final = ("EdpDiscount", "PrivateRateDiscount", "BundledDiscount", "Discount")
CHARGE_NET: Final = f"""CASE WHEN l.net_nano IS NULL AND l.line_item_type IN {_DISCOUNTS} AND (
    SELECT v.has_net FROM ai.bill_delivery v
    WHERE v.tenant_id = l.tenant_id AND v.delivery_id = l.delivery_id
) THEN 0 ELSE coalesce(l.net_nano, l.unblended_nano) END"""
"""A line without a net amount costs its unblended one. But a discount line is no amount of its own
beside net ones: these are what is left after discounts, and AWS's net column says 0 or nothing."""
_KEY: Final = (
    "day",
    "dim_id",
    "charge_category",
    "in_scope",
    "currency",
    "token_kind",
    "unit",
    "line_item_type",
)
_SUMS: Final = (
    "lines",
    "quantity_micro",
    "unblended_nano",
    "amortized_nano",
    "net_nano",
)
_LINES: Final = f"""
    SELECT {CHARGE_DAY} AS day, l.dim_id, l.charge_category, l.in_scope, l.currency,
        coalesce(l.token_kind, '') AS token_kind, l.unit, l.line_item_type, {{more}}
        count(*) AS lines, sum(l.quantity_micro) AS quantity_micro,
        sum(l.unblended_nano)::bigint AS unblended_nano,
        sum(l.amortized_nano)::bigint AS amortized_nano,
        sum({CHARGE_NET})::bigint AS net_nano
    FROM ai.bill_line l
    WHERE l.tenant_id = :tenant AND l.delivery_id = :delivery AND {{which}}
    GROUP BY {{positions}}
"""
_IS_COVERED: Final = (
    f"(l.in_scope AND l.charge_category = '{ChargeCategory.USAGE}' "
    f"AND l.line_item_type IN ('{COVERED_USAGE}', '{NEGATION}'))"
)
_PLAIN: Final = (
    f"INSERT INTO ai.bill_daily (tenant_id, delivery_id, {', '.join((*_KEY, *_SUMS))}) "
    "SELECT :tenant, :delivery, l.* FROM ("
    + _LINES.format(more="", which=f"NOT {_IS_COVERED}", positions="1, 2, 3, 4, 5, 6, 7, 8")
    + ") l"
)
_COVERED: Final = (
    # Summed before it is joined: without statistics of a new delivery it would be read once for
    # each of the tenant's dimensions.
    "SELECT l.*, d.region FROM ("
    + _LINES.format(
        more="l.payer_account_id, l.usage_account_id AS account_id, l.product_code, "
        "l.usage_type, l.operation, l.savings_plan_arn, ",
        which=_IS_COVERED,
        positions=", ".join(str(n + 1) for n in range(14)),
    )
    + """) l
    JOIN ai.dimension d ON d.tenant_id = :tenant AND d.dim_id = l.dim_id
    ORDER BY l.day, l.dim_id, l.token_kind, l.unit, l.line_item_type, l.payer_account_id,
        l.usage_type, l.operation, l.savings_plan_arn"""
)
_INSERT: Final = (
    f"INSERT INTO ai.bill_daily (tenant_id, delivery_id, {', '.join((*_KEY, *_SUMS))}) "
    f"VALUES ({', '.join(f'${n + 1}' for n in range(2 + len(_KEY) + len(_SUMS)))})"
)


async def sum_by_day(tx: TenantTx, delivery_id: UUID, period: date) -> None:
    """Fill the daily rollup of a delivery whose lines are all there.

    What is left of a negation stands on its own dimension, without a quantity: it takes back
    money, not use.
    """
    bound = {"tenant": tx.tenant_id, "delivery": delivery_id, "period": period}
    await tx.run(_PLAIN, **bound)
    if rows := await tx.all(_COVERED, **bound):
        driver = await tx.driver()
        key = (tx.tenant_id, delivery_id)
        await driver.executemany(_INSERT, [(*key, *row) for row in _followed(rows)])


def _followed(rows: Iterable[Row[Any]]) -> list[tuple[Any, ...]]:
    """Rows of the rollup, one a key; negations that are used up are gone."""
    by_day: dict[date, list[Row[Any]]] = {}
    for row in rows:
        by_day.setdefault(row.day, []).append(row)
    sums: dict[tuple[Any, ...], list[int]] = {}
    for found in by_day.values():
        after = follow([_covered(row) for row in found])
        for row, (money, lines) in zip(found, after, strict=True):
            is_negation = row.line_item_type == NEGATION
            if is_negation and not any(money):
                continue
            quantity = 0 if is_negation else int(row.quantity_micro)
            known = sums.setdefault(tuple(row[: len(_KEY)]), [0] * len(_SUMS))
            for n, value in enumerate((lines, quantity, *money)):
                known[n] += value
    return [(*key, lines, Decimal(n), *money) for key, (lines, n, *money) in sums.items()]


def _covered(row: Row[Any]) -> Covered:
    return Covered(
        negated=Negated(*(getattr(row, name) for name in Negated._fields)),
        savings_plan_arn=row.savings_plan_arn,
        is_negation=row.line_item_type == NEGATION,
        money=Money(row.unblended_nano, row.amortized_nano, row.net_nano),
        lines=row.lines,
    )
