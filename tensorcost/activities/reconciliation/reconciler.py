"""Bill, usage and prices of a month through the pure rules into a new version, free of Temporal.

One transaction a month: a worker that is killed leaves the former version. What is read fits
together without a snapshot of its own: deliveries never change and are named first, usage is
read by one statement, and what is committed later makes the month due again.
"""

import asyncio
from collections.abc import Callable
from datetime import date

from tensorcost.activities.ingest.prices import PriceBooks
from tensorcost.activities.reconciliation.month import Month, read_month
from tensorcost.activities.reconciliation.payers import judge_payers
from tensorcost.activities.reconciliation.tell import report_month, tell_month
from tensorcost.activities.reconciliation.unchanged import compare_inputs, keep_inputs
from tensorcost.domain.clock import Clock
from tensorcost.domain.cost.contracts import ReconciliationReport
from tensorcost.domain.cost.rates import token_rates
from tensorcost.domain.cost.reconciliation.content import content_hash
from tensorcost.domain.cost.reconciliation.coverage import Place
from tensorcost.domain.cost.reconciliation.day import reconcile_day
from tensorcost.domain.cost.reconciliation.facts import DayResult
from tensorcost.domain.cost.reconciliation.links import Link, find_links, tell_links
from tensorcost.domain.ids import TenantId
from tensorcost.storage.reconciliation.due import read_periods_due
from tensorcost.storage.reconciliation.inputs import DayInputs, read_day_inputs
from tensorcost.storage.reconciliation.results import (
    OpenVersion,
    close_version,
    current_hashes,
    lock_period,
    open_version,
    write_day,
)
from tensorcost.storage.reconciliation.usage_types import UsageTypes
from tensorcost.storage.session import Database, TenantTx

OnDay = Callable[[int, int], None]
"""Called after each day with how many of how many days are done."""


class Reconciler:
    """Reconciles months; the same inputs again change nothing, and cost next to nothing."""

    def __init__(self, db: Database, prices: PriceBooks, clock: Clock) -> None:
        self._db = db
        self._prices = prices
        self._clock = clock

    async def due(self, tenant_id: TenantId) -> list[date]:
        """The billing months whose newest version is not of today's bill, usage and rules."""
        async with self._db.tenant(tenant_id) as tx:
            return [due.period for due in await read_periods_due(tx, self._clock())]

    async def reconcile(
        self, tenant_id: TenantId, period: date, requested_by: str, on_day: OnDay | None = None
    ) -> ReconciliationReport:
        """Bring the month that begins with ``period`` up to date and tell what changed.

        ``requested_by`` is an actor as in the audit trail. Raises NotFound for a month without
        a bill, ValueError where ``period`` is not the first day of a month.
        """
        now = self._clock()
        async with self._db.tenant(tenant_id) as tx:
            await lock_period(tx, period)
            month = await read_month(tx, period, now)
            version = await open_version(
                tx, period, month.closed_until, month.deliveries, requested_by, month.causes
            )
            restated = await self._write_days(tx, month, version, on_day)
            shared = await judge_payers(tx, month, now)
            if not version.days_changed and not month.causes:
                return await report_month(tx, month, None, shared)
            await close_version(tx, version, days=month.days)
            report = await report_month(tx, month, version, shared)
            await tell_month(tx, report, version, restated=restated)
        return report

    async def _write_days(
        self, tx: TenantTx, month: Month, version: OpenVersion, on_day: OnDay | None
    ) -> bool:
        """Write the days that changed; whether one of them had been reconciled before."""
        inputs = await compare_inputs(tx, month)
        book = await self._prices.read(tx)
        before = await current_hashes(tx, month.period)
        restated, done = False, len(inputs.unchanged)
        days = read_day_inputs(
            tx,
            month.period,
            month.closed_until,
            month.deliveries,
            lambda where, day: token_rates(where, book, day),
            skipped=inputs.unchanged,
        )
        usage_types = UsageTypes(tx, month.deliveries)
        async for day in days:
            result, links = await asyncio.to_thread(_reconciled, day)
            if links:
                named = {line.dim_id for link in links.values() for line in link.lines}
                result = tell_links(result, links, await usage_types.of(named))
                inputs.name_lines_of(day.day)
            digest = await asyncio.to_thread(content_hash, result)
            if before.get(day.day) != digest:
                await write_day(tx, version, day.day, result, digest)
                restated = restated or day.day in before
            done += 1
            if on_day is not None:
                on_day(done, month.days)
        await keep_inputs(tx, month, inputs)
        return restated


def _reconciled(inputs: DayInputs) -> tuple[DayResult, dict[Place, Link]]:
    result = reconcile_day(inputs.billed, inputs.logged)
    return result, find_links(inputs.billed, result)
