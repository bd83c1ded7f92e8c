"""Usage accounts that the bills of two payers name in one month."""

from collections.abc import Collection
from typing import Final
from uuid import UUID

from tensorcost.domain.cost.reconciliation.payers import PayerBill
from tensorcost.storage.session import TenantTx

_BILLED: Final = """
    FROM ai.bill_daily b
    JOIN ai.dimension d ON d.tenant_id = b.tenant_id AND d.dim_id = b.dim_id
    JOIN ai.bill_period p
        ON p.tenant_id = b.tenant_id AND p.current_delivery_id = b.delivery_id
"""
_OF_DELIVERIES: Final = (
    "WHERE b.tenant_id = :tenant AND b.delivery_id = ANY(:deliveries) AND p.payer_account_id <> ''"
)
_SHARED: Final = f"""
    SELECT d.usage_account_id AS account_id {_BILLED} {_OF_DELIVERIES}
    GROUP BY 1 HAVING count(DISTINCT p.payer_account_id) > 1 ORDER BY 1
"""
_USED: Final = "FILTER (WHERE b.charge_category = 'Usage')"
_PARTS: Final = f"""
    SELECT d.usage_account_id AS account_id, p.payer_account_id, p.export_name,
           c.connection_id, b.currency, sum(b.unblended_nano)::bigint AS unblended_nano,
           array_agg(DISTINCT b.day) {_USED} AS days
    {_BILLED}
    JOIN ai.bill_delivery v ON v.tenant_id = b.tenant_id AND v.delivery_id = b.delivery_id
    LEFT JOIN app.connection c ON c.tenant_id = v.tenant_id
        AND c.connection_id = v.connection_id AND c.state <> 'removed'
    {_OF_DELIVERIES} AND d.usage_account_id = ANY(:accounts)
    GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, min(b.day) {_USED}, 2, 3, 4, 5
"""


async def read_shared_bills(tx: TenantTx, deliveries: Collection[UUID]) -> list[PayerBill]:
    """What each payer's bill says of the accounts that more than one payer bills, by account,
    the payer that began first in front. Deliveries that name several payers are left out."""
    if len(deliveries) < 2:
        return []
    of_month = {"tenant": tx.tenant_id, "deliveries": list(deliveries)}
    accounts = [row.account_id for row in await tx.all(_SHARED, **of_month)]
    if not accounts:
        return []
    return [
        PayerBill(
            account_id=row.account_id,
            payer_account_id=row.payer_account_id,
            export_name=row.export_name,
            connection_id=row.connection_id,
            currency=row.currency,
            unblended_nano=row.unblended_nano,
            days=frozenset(row.days or ()),
        )
        for row in await tx.all(_PARTS, **of_month, accounts=accounts)
    ]
