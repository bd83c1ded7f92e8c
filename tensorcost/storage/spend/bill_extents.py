"""On which days a delivery speaks for an account: from its first AI usage there to its last.

On other days an account may not have been on this bill yet, or not any more, or the export may
have stopped: that it says nothing of a call there does not mean that the call was free.
"""

from collections.abc import Collection
from datetime import date
from typing import Final, NamedTuple
from uuid import UUID

from tensorcost.storage.session import TenantTx
from tensorcost.storage.spend.bill_days import CHARGE_DAY, LAST_CHARGE_DAY

_KEEP: Final = f"""
    INSERT INTO ai.bill_extent (tenant_id, delivery_id, source, account_id, billing_entity,
        currency, first_day, last_day)
    SELECT :tenant, :delivery, d.source, s.usage_account_id, s.billing_entity, s.currency,
           min(s.first_day), max(s.last_day)
    FROM (
        SELECT l.dim_id, l.usage_account_id, l.billing_entity, l.currency,
               min({CHARGE_DAY}) AS first_day, max({LAST_CHARGE_DAY}) AS last_day
        FROM ai.bill_line l
        WHERE l.tenant_id = :tenant AND l.delivery_id = :delivery
          AND l.in_scope AND l.charge_category = 'Usage'
        GROUP BY 1, 2, 3, 4
    ) s
    JOIN ai.dimension d ON d.tenant_id = :tenant AND d.dim_id = s.dim_id
    GROUP BY 3, 4, 5, 6
"""
SOLD: Final = """
    SELECT source, account_id, min(first_day) FILTER (WHERE currency = 'USD') AS first_day,
           max(last_day) FILTER (WHERE currency = 'USD') AS last_day
    FROM ai.bill_extent
    WHERE tenant_id = :tenant AND delivery_id = ANY(CAST(:deliveries AS uuid[]))
    GROUP BY source, account_id
"""


class Extent(NamedTuple):
    """Days that a bill speaks for, both included."""

    first_day: date
    last_day: date

    def has(self, day: date) -> bool:
        return self.first_day <= day <= self.last_day


Sold = dict[str, dict[str, Extent]]
"""Accounts whose usage bills name in dollars, by source; a source that they bill in other
currencies alone is there without any."""


def accounts_on(sold: Sold, source: str, day: date) -> list[str]:
    """The accounts of a source that the bills speak for on a day, sorted."""
    return sorted(account for account, extent in sold[source].items() if extent.has(day))


async def keep_extents(tx: TenantTx, delivery_id: UUID, period: date) -> None:
    """Find the extents of a delivery whose lines are all there."""
    await tx.run(_KEEP, tenant=tx.tenant_id, delivery=delivery_id, period=period)


async def read_sold(tx: TenantTx, deliveries: Collection[UUID]) -> Sold:
    """What the deliveries together say, from the first day of any of them to the last."""
    found: Sold = {}
    for row in await tx.all(SOLD, tenant=tx.tenant_id, deliveries=list(deliveries)):
        accounts = found.setdefault(row.source, {})
        if row.first_day is not None:
            accounts[row.account_id] = Extent(row.first_day, row.last_day)
    return found
