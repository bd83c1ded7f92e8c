"""Reconciles a month three times and tells what each cost: a process of ``benchmarks.reconcile``.

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
FIRST_DAYS: Final = 5
_RESULTS: Final = (
    "ai.reconciled_daily, ai.reconciled_share, ai.reconciled_cell, ai.reconciled_gap, "
    "ai.reconciled_class, ai.reconciled_day, ai.reconciled_account, ai.reconciliation"
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


async def reconcile_here(servers: Servers, tenant: TenantId, restated: UUID) -> Outcome:
    """The first time, again, and after the restated delivery became current."""
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

    first = await spent(servers, reconcile)
    again = await spent(servers, reconcile)
    await point_at(servers, tenant, restated, forget=False)
    later = await spent(servers, reconcile)
    await engine.dispose()
    if [report.version for report in reports] != [1, None, 2]:
        raise SystemExit(f"unexpected versions: {[report.version for report in reports]}")
    peaks.append(peak_megabytes())
    return Outcome(first, again, later, Peaks(*peaks), reports[0].totals[0].billed)


if __name__ == "__main__":
    told, name, delivery = sys.argv[1:]
    found = TypeAdapter(Servers).validate_json(told)
    outcome = asyncio.run(reconcile_here(found, TenantId(UUID(name)), UUID(delivery)))
    print(TypeAdapter(Outcome).dump_json(outcome).decode())
