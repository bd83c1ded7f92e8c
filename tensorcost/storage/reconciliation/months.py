"""Sums of whole months: what their bill says, what was reconciled of it, and their gaps."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row

from tensorcost.domain.cost.query_window import midnight
from tensorcost.domain.cost.reconciliation.closing import period_end
from tensorcost.domain.cost.reconciliation.facts import GapClass, Money
from tensorcost.storage.cost_queries.sources import KNOWN_DELIVERIES
from tensorcost.storage.reconciliation.chosen import chosen_days, money_of, sums
from tensorcost.storage.reconciliation.versions import Version
from tensorcost.storage.session import TenantTx

_BILLS: Final = """
    SELECT period, current_delivery_id AS delivery_id, invoice_id, invoice_since
    FROM ai.bill_period WHERE tenant_id = :tenant AND counted
    ORDER BY period DESC, current_delivery_id
"""
_KNOWN_BILLS: Final = f"""
    SELECT v.period, v.delivery_id, v.origin, v.export_name, p.invoice_id, p.invoice_since
    FROM ai.bill_delivery v
    JOIN ai.bill_period p USING (tenant_id, origin, export_name, period)
    WHERE v.tenant_id = :tenant AND v.period = ANY(CAST(:periods AS date[]))
      AND v.delivery_id IN ({KNOWN_DELIVERIES})
    ORDER BY v.period DESC, v.delivery_id
"""
_DELIVERIES: Final = """
    SELECT delivery_id, known_at FROM ai.bill_delivery
    WHERE tenant_id = :tenant AND origin = :origin AND export_name = :export
      AND period = :period AND state <> 'loading' AND known_at <= :as_of
    ORDER BY known_at DESC, delivery_id DESC
"""
_INVOICE: Final = (
    "SELECT coalesce(max(invoice_id), '') FROM ai.bill_line "
    "WHERE tenant_id = :tenant AND delivery_id = :delivery"
)
_BILLED: Final = f"""
    SELECT v.period, b.currency, {sums("", alias="b")}
    FROM unnest(CAST(:periods AS date[]), CAST(:ends AS date[]), CAST(:deliveries AS uuid[]))
        AS v (period, closed_until, delivery_id)
    JOIN ai.bill_daily b ON b.tenant_id = :tenant AND b.delivery_id = v.delivery_id
        AND b.day < v.closed_until
    GROUP BY 1, 2
"""
_OF_DAYS: Final = (
    "c.tenant_id = :tenant AND c.day = v.day AND c.reconciliation_id = v.reconciliation_id"
)
_MONTH: Final = "date_trunc('month', c.day)::date AS period"
_ESTIMATES: Final = f"""
    SELECT {_MONTH}, sum(c.estimate_nano)::bigint AS estimate_nano
    FROM ({{days}}) v JOIN ai.reconciled_day c ON {_OF_DAYS}
    GROUP BY 1
"""
_GAPS: Final = f"""
    SELECT {_MONTH}, c.currency, c.gap_class, {sums("", alias="c")}
    FROM ({{days}}) v JOIN ai.reconciled_class c ON {_OF_DAYS}
    GROUP BY 1, 2, 3
"""
_ORDER: Final = {gap_class: place for place, gap_class in enumerate(GapClass)}


@dataclass(frozen=True, slots=True)
class HeldBill:
    """One counted export of a month: the delivery that holds, and the invoice that it names."""

    delivery_id: UUID
    invoice_id: str
    invoice_since: datetime | None


@dataclass(frozen=True, slots=True)
class MonthGaps:
    """What a month's closed days were estimated at, and why their bill differs."""

    estimate_nano: int
    """In dollars, as all list prices are."""
    gaps: Mapping[str, Mapping[GapClass, Money]]
    """By currency; they add up to billed minus estimate."""


async def read_month_bills(tx: TenantTx) -> dict[date, list[HeldBill]]:
    """Every billed month's counted deliveries by id, the newest month first."""
    found: dict[date, list[HeldBill]] = defaultdict(list)
    for row in await tx.all(_BILLS, tenant=tx.tenant_id):
        found[row.period].append(HeldBill(row.delivery_id, row.invoice_id, row.invoice_since))
    return dict(found)


async def read_known_bills(
    tx: TenantTx, periods: Sequence[date], as_of: datetime
) -> dict[date, list[HeldBill]]:
    """The same of these months as it stood at ``as_of``, each with the invoice named by then."""
    rows = await tx.all(_KNOWN_BILLS, tenant=tx.tenant_id, periods=list(periods), as_of=as_of)
    found: dict[date, list[HeldBill]] = defaultdict(list)
    for row in rows:
        if row.invoice_since is not None and row.invoice_since <= as_of:
            invoice = (row.invoice_id, row.invoice_since)
        elif as_of < midnight(period_end(row.period)):
            invoice = ("", None)  # an open month is open whatever its bill names
        else:
            invoice = await _invoice_by(tx, row, as_of)
        found[row.period].append(HeldBill(row.delivery_id, *invoice))
    return dict(found)


async def _invoice_by(
    tx: TenantTx, export: Row[Any], as_of: datetime
) -> tuple[str, datetime | None]:
    """The invoice that the export named at ``as_of``, and since when: what it names today came
    later. Its deliveries are read from the newest back, as far as they name the same one."""
    deliveries = await tx.all(
        _DELIVERIES,
        tenant=tx.tenant_id,
        origin=export.origin,
        export=export.export_name,
        period=export.period,
        as_of=as_of,
    )
    invoice_id, since = "", None
    for delivery in deliveries:
        named = await tx.scalar(_INVOICE, tenant=tx.tenant_id, delivery=delivery.delivery_id)
        if not named or invoice_id not in ("", named):
            break
        invoice_id, since = named, delivery.known_at
    return invoice_id, since


async def read_billed(tx: TenantTx, versions: Sequence[Version]) -> dict[date, dict[str, Money]]:
    """What the bills that the versions were made of say about their closed days, by month and
    currency. Read from the bill itself, so that it proves what was reconciled."""
    named = [(v.period, v.closed_until, one) for v in versions for one in v.deliveries]
    periods, ends, deliveries = zip(*named, strict=True) if named else ((), (), ())
    rows = await tx.all(
        _BILLED,
        tenant=tx.tenant_id,
        periods=list(periods),
        ends=list(ends),
        deliveries=list(deliveries),
    )
    found: dict[date, dict[str, Money]] = defaultdict(dict)
    for row in rows:
        found[row.period][row.currency] = money_of(row)
    return dict(found)


async def read_month_gaps(
    tx: TenantTx, first_day: date, end_day: date, as_of: datetime | None = None
) -> dict[date, MonthGaps]:
    """Estimates and gaps of the reconciled months between the days."""
    bounds: dict[str, Any] = {"tenant": tx.tenant_id, "first_day": first_day, "end_day": end_day}
    if as_of is not None:
        bounds["as_of"] = as_of
    days = chosen_days(as_of)
    gaps: dict[date, dict[str, dict[GapClass, Money]]] = defaultdict(lambda: defaultdict(dict))
    for row in await tx.all(_GAPS.format(days=days), **bounds):
        gaps[row.period][row.currency][GapClass(row.gap_class)] = money_of(row)
    return {
        row.period: MonthGaps(
            row.estimate_nano,
            {currency: _in_order(classes) for currency, classes in gaps[row.period].items()},
        )
        for row in await tx.all(_ESTIMATES.format(days=days), **bounds)
    }


def _in_order(classes: Mapping[GapClass, Money]) -> dict[GapClass, Money]:
    return {name: classes[name] for name in sorted(classes, key=_ORDER.__getitem__)}
