"""Reconciles a month four times and tells what each cost: a process of ``benchmarks.reconcile``.

It holds nothing but what a worker holds, so that its peak is a worker's.
"""

import asyncio
import sys
from datetime import UTC, date, datetime
from typing import Final, NamedTuple
from uuid import UUID

import asyncpg
from pydantic import TypeAdapter

from benchmarks.harness import Servers, Spent, peak_megabytes, spent
from tensorcost.activities.ingest.prices import PriceBooks
from tensorcost.activities.reconciliation.reconciler import Reconciler
from tensorcost.domain.cost.contracts import ReconciliationReport
from tensorcost.domain.ids import TenantId
from tensorcost.runtime.heap import settle_heap
from tensorcost.storage.engine import make_engine
from tensorcost.storage.session import Database

PERIOD: Final = date(2026, 9, 1)
NOW: Final = datetime(2026, 10, 20, tzinfo=UTC)
DAYS: Final = 30
CHANGED_DAYS: Final = 3
"""Of the last delivery."""
FIRST_DAYS: Final = 5
_RESULTS: Final = (
    "ai.reconciled_daily, ai.reconciled_share, ai.reconciled_cell, ai.reconciled_gap, "
    "ai.reconciled_class, ai.reconciled_unpriced, ai.reconciled_day, ai.reconciled_account, "
    "ai.reconciliation"
)


class Peaks(NamedTuple):
    """Megabytes of the process: before it began, after the first days, and at the end."""

    idle: float
    first_days: float
    month: float


class Outcome(NamedTuple):
    """What the process that reconciles tells."""

    first: Spent
    again: Spent
    restated: Spent
    days: Spent
    peaks: Peaks
    billed: str


async def point_at(servers: Servers, tenant: UUID, delivery: UUID, *, forget: bool) -> None:
    """Make a delivery the current one; with ``forget`` as if nothing had been reconciled."""
    connection = await asyncpg.connect(servers.superuser)
    if forget:
        await connection.execute(f"TRUNCATE {_RESULTS}")
    await connection.execute(
        "UPDATE ai.bill_delivery SET state = CASE WHEN delivery_id = $2 THEN 'current' "
        "ELSE 'superseded' END WHERE tenant_id = $1",
        tenant,
        delivery,
    )
    await connection.execute(
        "UPDATE ai.bill_period SET current_delivery_id = $2 WHERE tenant_id = $1", tenant, delivery
    )
    await connection.close()


async def reconcile_here(servers: Servers, tenant: TenantId, restated: UUID, days: UUID) -> Outcome:
    """The first time, again, and after the two later deliveries became current."""
    engine = make_engine(servers.urls.app, application_name="bench")
    db = Database(engine)
    reconciler = Reconciler(db, PriceBooks(db), lambda: NOW)
    settle_heap()
    peaks, reports = [peak_megabytes()], list[ReconciliationReport]()

    def on_day(done: int, _: int) -> None:
        if done == FIRST_DAYS and len(peaks) == 1:
            peaks.append(peak_megabytes())

    async def reconcile() -> None:
        reports.append(await reconciler.reconcile(tenant, PERIOD, "user:bench", on_day))

    took = [await spent(servers, reconcile), await spent(servers, reconcile)]
    for delivery in (restated, days):
        await point_at(servers, tenant, delivery, forget=False)
        took.append(await spent(servers, reconcile))
    await engine.dispose()
    changed = [(report.version, report.days_changed) for report in reports]
    if changed != [(1, DAYS), (None, 0), (2, DAYS), (3, CHANGED_DAYS)]:
        raise SystemExit(f"unexpected versions and days: {changed}")
    peaks.append(peak_megabytes())
    return Outcome(
        first=took[0],
        again=took[1],
        restated=took[2],
        days=took[3],
        peaks=Peaks(*peaks),
        billed=reports[0].totals[0].billed,
    )


if __name__ == "__main__":
    told, name, *deliveries = sys.argv[1:]
    found = TypeAdapter(Servers).validate_json(told)
    restated, days = map(UUID, deliveries)
    outcome = asyncio.run(reconcile_here(found, TenantId(UUID(name)), restated, days))
    print(TypeAdapter(Outcome).dump_json(outcome).decode())
