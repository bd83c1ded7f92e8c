"""Reconciliations as the command line shows them (decisions 30): money as decimal strings."""

from collections.abc import Sequence
from typing import Any

from tensorcost.domain.cost.contracts import ReconciliationReport
from tensorcost.domain.cost.reconciliation.months import month_name


def reconciliation_summary(reports: Sequence[ReconciliationReport]) -> dict[str, Any]:
    """One entry a month and currency; a month without a closed day has none."""
    return {
        "periods": [
            {
                "period": month_name(report.period),
                "state": report.state.value,
                "version": report.former if report.version is None else report.version,
                "changed": report.version is not None,
                "closed_until": report.closed_until.isoformat(),
                **total.model_dump(),
                "shared_accounts": list(report.shared_accounts),
            }
            for report in reports
            for total in report.totals
        ]
    }
