"""Which delivery of a billing month holds, and which of a payer's exports is its bill.

An export that was renamed, or a daily one beside an hourly one, says the same bill again. Of the
exports of one payer and month that name a common usage account only one counts: the first,
unless a later one names more accounts, or the first has been silent for three days while another
that names no fewer was delivered. Exports without a common account (member accounts that each
export their own part) all count, and so does a delivery that names several payers or none.
"""

from collections.abc import Sequence
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

_NAMED: Final = """
    SELECT coalesce(max(invoice_id), '') AS invoice_id,
           CASE WHEN min(payer_account_id) = max(payer_account_id)
                THEN min(payer_account_id) ELSE '' END AS payer
    FROM ai.bill_line WHERE tenant_id = :tenant AND delivery_id = :delivery
"""
_POINT: Final = """
    INSERT INTO ai.bill_period AS p (tenant_id, origin, export_name, period,
        current_delivery_id, payer_account_id, counted, invoice_id, invoice_since)
    VALUES (:tenant, :origin, :export, :period, :delivery, :payer, :counted, :invoice,
        CASE WHEN :invoice <> '' THEN clock_timestamp() END)
    ON CONFLICT (tenant_id, origin, export_name, period) DO UPDATE SET
        current_delivery_id = excluded.current_delivery_id,
        payer_account_id = excluded.payer_account_id,
        counted = excluded.counted,
        invoice_since = CASE WHEN p.invoice_id = excluded.invoice_id THEN p.invoice_since
            ELSE excluded.invoice_since END,
        invoice_id = excluded.invoice_id
"""
_ACCOUNTS: Final = """
    SELECT array_agg(DISTINCT d.usage_account_id) FROM ai.bill_daily b
    JOIN ai.dimension d ON d.tenant_id = b.tenant_id AND d.dim_id = b.dim_id
    WHERE b.tenant_id = :tenant AND b.delivery_id = {delivery}
"""
_RIVALS: Final = f"""
    SELECT p.current_delivery_id AS delivery_id,
           v.known_at < clock_timestamp() - interval '3 days' AS silent,
           ({_ACCOUNTS.format(delivery="p.current_delivery_id")}) AS accounts
    FROM ai.bill_period p
    JOIN ai.bill_delivery v
        ON v.tenant_id = p.tenant_id AND v.delivery_id = p.current_delivery_id
    WHERE p.tenant_id = :tenant AND p.period = :period AND p.payer_account_id = :payer
      AND p.counted AND (p.origin, p.export_name) <> (:origin, :export)
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
    """False where another export of the payer is this month's bill."""
    invoice_id: str
    invoice_since: datetime | None
    """Since when the deliveries name this invoice."""
    delivery_id: UUID
    known_at: datetime
    lines: int
    totals: dict[str, Money]
    """By currency, everything on the bill: tax, credits and what is out of scope too."""


async def point_period(
    tx: TenantTx, origin: Origin, delivery: BillDelivery, delivery_id: UUID
) -> None:
    """Make the delivery the one that holds for its export and month, and say whether it counts."""
    named = await tx.first(_NAMED, tenant=tx.tenant_id, delivery=delivery_id)
    assert named is not None
    payer = named.payer or ""
    where = {
        "tenant": tx.tenant_id,
        "origin": origin.name,
        "export": delivery.export_name,
        "period": delivery.period,
        "payer": payer,
    }
    rivals: Sequence[Row[Any]] = ()
    if payer:
        # Two exports of one payer loading at once must not both find that nobody counts yet.
        await tx.run(
            "SELECT pg_advisory_xact_lock(hashtextextended(:key, 17))",
            key=f"bill/{tx.tenant_id}/{delivery.period}/{payer}",
        )
        rivals = await tx.all(_RIVALS, **where)
    outdone = await _outdone(tx, delivery_id, rivals)
    if outdone is None:
        await _uncount_delivery(tx, delivery_id, since=delivery_id)
    for rival in outdone or ():
        await _uncount_delivery(tx, rival, since=delivery_id)
        await tx.run(
            "UPDATE ai.bill_period SET counted = false "
            "WHERE tenant_id = :tenant AND current_delivery_id = :delivery",
            tenant=tx.tenant_id,
            delivery=rival,
        )
    await tx.run(
        _POINT,
        **where,
        delivery=delivery_id,
        counted=outdone is not None,
        invoice=named.invoice_id,
    )


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
    """Billing months that count of one origin, each as settled as its least settled export."""
    rows = await tx.all(
        "SELECT period, invoice_id, invoice_since FROM ai.bill_period "
        "WHERE tenant_id = :tenant AND origin = :origin AND counted",
        tenant=tx.tenant_id,
        origin=origin,
    )
    states: dict[date, list[PeriodState]] = {}
    for row in rows:
        state = period_state(row.period, row.invoice_id, row.invoice_since, now)
        states.setdefault(row.period, []).append(state)
    return {period: least_settled(found) for period, found in states.items()}


async def _outdone(
    tx: TenantTx, delivery_id: UUID, rivals: Sequence[Row[Any]]
) -> list[UUID] | None:
    """The rivals that this delivery replaces, or None where one of them stays the bill."""
    if not rivals:
        return []
    ours = await tx.scalar(
        _ACCOUNTS.format(delivery=":delivery"), tenant=tx.tenant_id, delivery=delivery_id
    )
    accounts, outdone = set(ours or ()), list[UUID]()
    for rival in rivals:
        theirs = set(rival.accounts or ())
        if not accounts & theirs:
            continue
        if not (accounts > theirs or (rival.silent and not accounts < theirs)):
            return None
        outdone.append(rival.delivery_id)
    return outdone


async def _uncount_delivery(tx: TenantTx, delivery_id: UUID, *, since: UUID) -> None:
    """From the moment ``since`` was known. Asked about before it, ``delivery_id`` still counts."""
    await tx.run(
        "UPDATE ai.bill_delivery SET uncounted_at = (SELECT s.known_at FROM ai.bill_delivery s "
        "WHERE s.tenant_id = :tenant AND s.delivery_id = :since) "
        "WHERE tenant_id = :tenant AND delivery_id = :delivery",
        tenant=tx.tenant_id,
        since=since,
        delivery=delivery_id,
    )


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
