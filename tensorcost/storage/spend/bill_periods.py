"""Which delivery of a billing month holds for its export, and what each of them sums to."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row

from tensorcost.domain.cost.reconciliation.closing import PeriodState, period_state
from tensorcost.domain.cost.reconciliation.facts import Money
from tensorcost.domain.cost.reconciliation.months import least_settled
from tensorcost.domain.spend.bill import BillDelivery
from tensorcost.storage.session import TenantTx
from tensorcost.storage.spend.batches import Origin
from tensorcost.storage.spend.rival_bills import judge_bills

_NAMED: Final = """
    SELECT coalesce(max(n.invoice_id), '') AS invoice_id,
           CASE WHEN min(n.payer) = max(n.payer) THEN min(n.payer) ELSE '' END AS payer,
           coalesce(array_agg(n.payer || chr(31) || n.account)
               FILTER (WHERE n.payer <> '' OR n.account <> ''), '{}') AS accounts
    FROM (
        SELECT payer_account_id AS payer, usage_account_id AS account,
               max(invoice_id) AS invoice_id
        FROM ai.bill_line WHERE tenant_id = :tenant AND delivery_id = :delivery GROUP BY 1, 2
    ) n
"""
_POINT: Final = """
    INSERT INTO ai.bill_period AS p (tenant_id, origin, export_name, period,
        current_delivery_id, payer_account_id, billed_accounts, counted, invoice_id, invoice_since)
    VALUES (:tenant, :origin, :export, :period, :delivery, :payer, :accounts, true, :invoice,
        CASE WHEN :invoice <> '' THEN clock_timestamp() END)
    ON CONFLICT (tenant_id, origin, export_name, period) DO UPDATE SET
        current_delivery_id = excluded.current_delivery_id,
        payer_account_id = excluded.payer_account_id,
        billed_accounts = excluded.billed_accounts,
        counted = excluded.counted,
        invoice_since = CASE WHEN p.invoice_id = excluded.invoice_id THEN p.invoice_since
            ELSE excluded.invoice_since END,
        invoice_id = excluded.invoice_id
"""
_STATES: Final = """
    SELECT q.period, q.invoice_id, q.invoice_since
    FROM ai.bill_period p
    JOIN ai.bill_period q ON q.tenant_id = p.tenant_id AND q.period = p.period AND q.counted
        AND CASE WHEN p.counted THEN (q.origin, q.export_name) = (p.origin, p.export_name)
            ELSE q.billed_accounts && p.billed_accounts END
    WHERE p.tenant_id = :tenant AND p.origin = :origin
"""
_LIST: Final = """
    SELECT p.origin, p.export_name, p.period, p.payer_account_id, p.counted, p.invoice_id,
           p.invoice_since, v.delivery_id, v.known_at, v.lines, t.currency,
           t.unblended_nano, t.amortized_nano, t.net_nano
    FROM ai.bill_period p
    JOIN ai.bill_delivery v
        ON v.tenant_id = p.tenant_id AND v.delivery_id = p.current_delivery_id
    LEFT JOIN LATERAL (
        SELECT b.currency, sum(b.unblended_nano) AS unblended_nano,
               sum(b.amortized_nano) AS amortized_nano, sum(b.net_nano) AS net_nano
        FROM ai.bill_daily b
        WHERE b.tenant_id = :tenant AND b.delivery_id = p.current_delivery_id
        GROUP BY b.currency
    ) t ON true
    WHERE p.tenant_id = :tenant AND (CAST(:period AS date) IS NULL OR p.period = :period)
    ORDER BY p.period DESC, p.origin, p.export_name, t.currency
"""


@dataclass(frozen=True, slots=True)
class BilledPeriod:
    """One export's billing month: its current delivery and what that sums to."""

    origin: str
    export_name: str
    period: date
    payer_account_id: str
    """Empty where the delivery names several payers or none."""
    state: PeriodState
    counted: bool
    """False where another export is this month's bill of the same accounts."""
    invoice_id: str
    invoice_since: datetime | None
    """Since when the deliveries name this invoice."""
    delivery_id: UUID
    known_at: datetime
    lines: int
    totals: dict[str, Money]
    """By currency, everything on the bill: tax, credits and what is out of scope too."""


async def point_period(
    tx: TenantTx, origin: Origin, delivery: BillDelivery, delivery_id: UUID, since: datetime
) -> None:
    """Make the delivery, known at ``since``, the one that holds for its export and month, and say
    anew which bills of the month count. Call it under ``lock_bills``."""
    where = {
        "tenant": tx.tenant_id,
        "origin": origin.name,
        "export": delivery.export_name,
        "period": delivery.period,
    }
    named = await tx.first(_NAMED, tenant=tx.tenant_id, delivery=delivery_id)
    assert named is not None
    await tx.run(
        _POINT,
        **where,
        delivery=delivery_id,
        payer=named.payer or "",
        accounts=named.accounts,
        invoice=named.invoice_id,
    )
    await judge_bills(tx, delivery.period, since)


async def list_periods(
    tx: TenantTx, now: datetime, *, period: date | None = None
) -> list[BilledPeriod]:
    """Every export's billing months as they stand at ``now``, the newest first; or one month's."""
    found: dict[UUID, BilledPeriod] = {}
    for row in await tx.all(_LIST, tenant=tx.tenant_id, period=period):
        billed = found.setdefault(row.delivery_id, _period(row, now))
        if row.currency is not None:
            billed.totals[row.currency] = Money(
                int(row.unblended_nano), int(row.amortized_nano), int(row.net_nano)
            )
    return list(found.values())


async def month_states(tx: TenantTx, origin: str, now: datetime) -> dict[date, PeriodState]:
    """Billing months of one origin, each as settled as its least settled export. One that does
    not count is as settled as those in its place: what it says next may count."""
    rows = await tx.all(_STATES, tenant=tx.tenant_id, origin=origin)
    states: dict[date, list[PeriodState]] = {}
    for row in rows:
        state = period_state(row.period, row.invoice_id, row.invoice_since, now)
        states.setdefault(row.period, []).append(state)
    return {period: least_settled(found) for period, found in states.items()}


def _period(row: Row[Any], now: datetime) -> BilledPeriod:
    return BilledPeriod(
        origin=row.origin,
        export_name=row.export_name,
        period=row.period,
        payer_account_id=row.payer_account_id,
        state=period_state(row.period, row.invoice_id, row.invoice_since, now),
        counted=row.counted,
        invoice_id=row.invoice_id,
        invoice_since=row.invoice_since,
        delivery_id=row.delivery_id,
        known_at=row.known_at,
        lines=row.lines,
        totals={},
    )
