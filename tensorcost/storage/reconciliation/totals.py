"""A month's bill beside what its reconciliation made of it: two sums that must be the same."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final
from uuid import UUID

from tensorcost.domain.cost.reconciliation.facts import Money, Share
from tensorcost.storage.reconciliation.chosen import chosen_days, money_of, sums
from tensorcost.storage.session import TenantTx

_BILLED: Final = f"""
    SELECT b.currency, {sums("", alias="b")} FROM ai.bill_daily b
    WHERE b.tenant_id = :tenant AND b.day >= :first_day AND b.day < :end_day
      AND b.delivery_id = ANY(:deliveries) GROUP BY b.currency
"""
_SHARED: Final = f"""
    SELECT s.share, s.currency, {sums("", alias="s")}
    FROM ({chosen_days(None)}) v JOIN ai.reconciled_share s ON s.tenant_id = :tenant
        AND s.day = v.day AND s.reconciliation_id = v.reconciliation_id
    GROUP BY s.share, s.currency ORDER BY s.share
"""


@dataclass(frozen=True, slots=True)
class MonthSums:
    """One currency of a month's days."""

    billed: Money
    shares: Mapping[Share, Money]

    @property
    def difference(self) -> Money:
        """What the reconciliation lost, or made up."""
        rest = self.billed
        for money in self.shares.values():
            rest = rest.minus(money)
        return rest


async def read_month_sums(
    tx: TenantTx, first_day: date, end_day: date, deliveries: Collection[UUID]
) -> dict[str, MonthSums]:
    """By currency: the deliveries' lines of days ``[first_day, end_day)``, each read anew, and
    the current shares of those days."""
    days = {"tenant": tx.tenant_id, "first_day": first_day, "end_day": end_day}
    billed = {
        row.currency: money_of(row)
        for row in await tx.all(_BILLED, **days, deliveries=list(deliveries))
    }
    shares: dict[str, dict[Share, Money]] = {currency: {} for currency in billed}
    for row in await tx.all(_SHARED, **days):
        shares.setdefault(row.currency, {})[Share(row.share)] = money_of(row)
    return {
        currency: MonthSums(billed.get(currency, Money()), shares[currency])
        for currency in sorted(shares)
    }
