"""Which exports are the bill of a month.

Of the exports of a month that name a common account of the same payer only one counts, by the rule
of ``counted_bills``; it is asked of all of them again whenever one of them is delivered. Exports
without a common account (member accounts that each export their own part) all count, and so does
a delivery that names neither payers nor accounts. An account that two payers bill is two.
"""

from datetime import date, datetime
from typing import Final

from tensorcost.domain.cost.reconciliation.rivals import ExportBill, counted_bills
from tensorcost.storage.session import TenantTx

_RIVALS: Final = """
    SELECT p.origin, p.export_name, p.current_delivery_id AS delivery_id, p.counted,
           p.billed_accounts, v.known_at, (
        SELECT min(f.known_at) FROM ai.bill_delivery f
        WHERE f.tenant_id = p.tenant_id AND f.origin = p.origin
          AND f.export_name = p.export_name AND f.period = p.period AND f.state <> 'loading'
    ) AS first_known
    FROM ai.bill_period p
    JOIN ai.bill_delivery v
        ON v.tenant_id = p.tenant_id AND v.delivery_id = p.current_delivery_id
    WHERE p.tenant_id = :tenant AND p.period = :period
"""
_COUNT: Final = (
    "UPDATE ai.bill_period SET counted = :counted "
    "WHERE tenant_id = :tenant AND current_delivery_id = :delivery"
)
_KEEP_UNCOUNTED: Final = """
    UPDATE ai.bill_delivery SET uncounted = CASE
        WHEN :counted THEN uncounted * tstzmultirange(tstzrange(NULL, :since))
        ELSE uncounted + tstzmultirange(tstzrange(:since, NULL)) END
    WHERE tenant_id = :tenant AND delivery_id = :delivery
"""


async def lock_bills(tx: TenantTx, period: date) -> None:
    """Wait until nobody else points an export of the month; held to the end of the transaction.
    Exports of the same accounts that load at once must not both find that nobody counts yet."""
    await tx.run(
        "SELECT pg_advisory_xact_lock(hashtextextended(:key, 17))",
        key=f"bill/{tx.tenant_id}/{period}",
    )


async def judge_bills(tx: TenantTx, period: date, since: datetime) -> None:
    """Say of every export of the month whether it counts. What was believed before ``since`` stays
    known."""
    rows = await tx.all(_RIVALS, tenant=tx.tenant_id, period=period)
    bills = [
        ExportBill(
            row.origin,
            row.export_name,
            frozenset(row.billed_accounts),
            row.first_known,
            row.known_at,
        )
        for row in rows
    ]
    counted = {(bill.origin, bill.export_name) for bill in counted_bills(bills)}
    for row in rows:
        counts = (row.origin, row.export_name) in counted
        if counts != row.counted:
            changed = {"tenant": tx.tenant_id, "delivery": row.delivery_id, "counted": counts}
            await tx.run(_COUNT, **changed)
            await tx.run(_KEEP_UNCOUNTED, **changed, since=since)
