"""One database a module, one tenant a test, and the reconciler."""

from dataclasses import dataclass
from datetime import date
from typing import Any

import pytest

from tensorcost.activities.ingest.prices import PriceBooks
from tensorcost.activities.reconciliation.reconciler import Reconciler
from tensorcost.domain.cost.contracts import MonthTotals, ReconciliationReport
from tensorcost.domain.ids import TenantId
from tensorcost.storage.session import Database
from tests.support import databases
from tests.support.bills import OCTOBER
from tests.support.prices import store_list_prices
from tests.support.temporal_house import utc_now


@dataclass(frozen=True)
class Bench:
    """One tenant, its reconciler, and what it told."""

    db: Database
    tenant: TenantId
    reconciler: Reconciler

    async def reconcile(self, period: date = OCTOBER) -> ReconciliationReport:
        return await self.reconciler.reconcile(self.tenant, period, "user:fake")

    async def events(self, kind: str) -> list[dict[str, Any]]:
        """Data of the tenant's events of one type, in their order."""
        async with self.db.tenant(self.tenant) as tx:
            rows = await tx.all(
                "SELECT data FROM app.event_outbox WHERE type = :kind ORDER BY cursor", kind=kind
            )
        return [row.data for row in rows]


@pytest.fixture(scope="module")
async def db(database: databases.Database, db: Database) -> Database:
    """With prices of one model."""
    await store_list_prices(database.urls.platform)
    return db


@pytest.fixture
def bench(db: Database, tenant: TenantId) -> Bench:
    return Bench(db, tenant, Reconciler(db, PriceBooks(db), utc_now))


def dollars(report: ReconciliationReport) -> MonthTotals:
    """The report's one currency."""
    (total,) = report.totals
    assert total.currency == "USD"
    assert total.difference == "0.000000000"
    return total
