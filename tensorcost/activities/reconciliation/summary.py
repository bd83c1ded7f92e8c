"""Reconciliations as the command line shows them (decisions 30): money as decimal strings."""

from collections.abc import Collection, Sequence
from datetime import date
from typing import Any

from tensorcost.domain.cost.contracts import ReconciliationReport
from tensorcost.domain.cost.reconciliation.months import month_name
from tensorcost.domain.ids import TenantId
from tensorcost.storage.reconciliation.versions import read_older_rules
from tensorcost.storage.session import Database
from tensorcost.storage.spend.uncounted_bills import UncountedBill, read_uncounted


def reconciliation_summary(reports: Sequence[ReconciliationReport]) -> dict[str, Any]:
    """One entry a month and currency; a month without a closed day has none."""
    return {
        "periods": [
            {
                "period": month_name(report.period),
                "state": report.state.value,
                "version": report.former if report.version is None else report.version,
                "changed": report.version is not None,
                "causes": [cause.value for cause in report.causes],
                "closed_until": report.closed_until.isoformat(),
                **total.model_dump(),
                "shared_accounts": list(report.shared_accounts),
                "restated": [
                    part.model_dump() for part in report.restated if part.currency == total.currency
                ],
            }
            for report in reports
            for total in report.totals
        ]
    }


async def older_rules_summary(db: Database, tenant_id: TenantId) -> list[str]:
    """Months whose newest version was made by older rules, the newest first. Final ones stay so
    until somebody asks for them."""
    async with db.tenant(tenant_id) as tx:
        return [month_name(period) for period in await read_older_rules(tx)]


async def uncounted_summary(
    db: Database, tenant_id: TenantId, periods: Collection[date] | None = None
) -> list[dict[str, Any]]:
    """Bills of these months, or of all, that do not count, what counts in their place, and the
    accounts that are then on no bill. A mere copy of what counts is not told."""
    async with db.tenant(tenant_id) as tx:
        found = await read_uncounted(tx, periods)
    return [_uncounted(bill) for bill in found if not bill.is_same]


def _uncounted(bill: UncountedBill) -> dict[str, Any]:
    return {
        "period": month_name(bill.period),
        "export": bill.export.name,
        "origin": bill.export.origin,
        "payer": bill.payer_account_id,
        "counted": [{"origin": one.origin, "export": one.name} for one in bill.counted],
        "left_out": list(bill.left_out),
    }
