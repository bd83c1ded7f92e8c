"""Stored rows held against the prices: a preview, and its writing, free of Temporal.

A preview only reads. Writing goes by the day, each day in one transaction: a worker that is killed
goes on with the day that it had not committed.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

import numpy as np

from tensorcost.activities.rerating.sources import Portion, Source, book_source, history_source
from tensorcost.activities.rerating.tell import preview_report, tell_applied, tell_preview
from tensorcost.activities.rerating.write import write_day
from tensorcost.domain.clock import Clock
from tensorcost.domain.cost.contracts_rerating import (
    Applied,
    ApplyOrder,
    Preview,
    PreviewOrder,
    RerateInput,
    RunKey,
)
from tensorcost.domain.cost.reconciliation.closing import PeriodState
from tensorcost.domain.cost.rerating import books_state
from tensorcost.domain.cost.rerating_changes import Changes, HeldRows, Standing
from tensorcost.domain.errors import NotFound
from tensorcost.domain.money import format_nano
from tensorcost.storage.prices import price_state
from tensorcost.storage.reconciliation.months import read_month_bills
from tensorcost.storage.rerating import days as written
from tensorcost.storage.rerating import previews, runs
from tensorcost.storage.rerating.plan import (
    database_time,
    read_importers,
    read_undecided,
    settle_versions,
)
from tensorcost.storage.rerating.previews import StoredPreview
from tensorcost.storage.rerating.standing import read_standing
from tensorcost.storage.session import Database, TenantTx

OnDay = Callable[[int, int], None]
"""Called after each day with how many of how many days are done."""
FIRST: Final = 1


@dataclass(frozen=True, slots=True)
class _Basis:
    """What a preview goes by: the newest prices, and which of them are undecided."""

    state: tuple[int, int]
    versions: list[int]
    """Undecided ones."""
    looked_at: datetime

    def preview(
        self, number: int, open_months: Iterable[date], imported_by: Iterable[str]
    ) -> StoredPreview:
        return StoredPreview(
            preview=number,
            previewed_at=self.looked_at,
            listed_version=self.state[0],
            own_version=self.state[1],
            versions=tuple(sorted(self.versions)),
            imported_by=tuple(sorted(imported_by)),
            open_months=frozenset(open_months),
        )


class Rerater:
    """Previews and applies; the same preview applied again changes nothing."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def preview(self, order: PreviewOrder, on_day: OnDay | None = None) -> Preview:
        """Exact sums of what would change, by month and model; stored with the first finding.

        Where nothing changes, and nothing did before in this run, no run is opened and the
        undecided versions are decided.
        """
        request = order.request
        run = RunKey(tenant_id=order.tenant_id, rerating_id=order.rerating_id, preview=order.number)
        async with self._db.tenant(order.tenant_id) as tx:
            if (known := await _stored(tx, run)) is not None:
                return known
            basis = await _basis(tx, request)
            source = await _source(tx, request, basis.state, basis.versions)
            months = await self._months(tx, source)
            running = {month for month, state in months.items() if state is PeriodState.OPEN}
            changes, used = await _look(tx, source, on_day)
            if not changes.sums and order.number == FIRST:
                await settle_versions(tx, basis.versions, basis.looked_at, final=False)
                return Preview(number=order.number)
            blocked_by = await runs.open_run(
                tx,
                order.rerating_id,
                workflow_id=order.workflow_id,
                price_version=request.price_version,
                reverts=request.reverts,
                requested_by=request.requested_by,
            )
            if blocked_by is not None:
                return Preview(number=order.number, blocked_by=blocked_by)
            brought = set() if request.reverts is not None else used.union(basis.versions)
            found = basis.preview(order.number, running, await read_importers(tx, brought))
            await previews.add_preview(tx, order.rerating_id, found, months, changes.sums)
            report = await _report(tx, run)
            await tell_preview(tx, request, run, report)
        return report

    async def apply(self, order: ApplyOrder, on_day: OnDay | None = None) -> Applied:
        """Write what a preview found, a day at a time, then tell it once."""
        run = order.run
        async with self._db.tenant(order.tenant_id) as tx:
            preview = await previews.read_preview(tx, run)
            state = (preview.listed_version, preview.own_version)
            source = await _source(tx, order.request, state, preview.versions)
        days = list(source.days)
        for done, day in enumerate(days, start=1):
            frozen = day.replace(day=1) not in preview.open_months
            if frozen or not order.approved:
                async with self._db.tenant(order.tenant_id) as tx:
                    await write_day(tx, run, source, day, approved=order.approved, frozen=frozen)
            if on_day is not None:
                on_day(done, len(days))
        async with self._db.tenant(order.tenant_id) as tx:
            parts = await written.read_applied(tx, run, approved=order.approved)
            rows = await written.count_applied(tx, run, approved=order.approved)
            if await written.conclude(tx, run, approved=order.approved) and rows:
                await tell_applied(tx, order, rows, parts)
        return Applied(rows=rows, delta=format_nano(sum(part.delta_nano for part in parts)))

    async def _months(self, tx: TenantTx, source: Source) -> dict[date, PeriodState]:
        bills = await read_month_bills(tx)
        now = self._clock()
        return {
            month: books_state(
                month, [(b.invoice_id, b.invoice_since) for b in bills.get(month, ())], now
            )
            for month in sorted({day.replace(day=1) for day in source.days})
        }


async def is_current(tx: TenantTx, preview: StoredPreview) -> bool:
    """Whether no price was imported since the preview."""
    return await price_state(tx) == (preview.listed_version, preview.own_version)


async def _basis(tx: TenantTx, request: RerateInput) -> _Basis:
    looked_at, state = await database_time(tx), await price_state(tx)
    undecided = [] if request.reverts is not None else await read_undecided(tx)
    return _Basis(state, undecided, looked_at)


async def _source(
    tx: TenantTx,
    request: RerateInput,
    state: tuple[int, int],
    undecided: Iterable[int],
) -> Source:
    if request.reverts is not None:
        return await history_source(tx, request.reverts)
    return await book_source(tx, state, undecided, every_row=request.every_row)


async def _look(tx: TenantTx, source: Source, on_day: OnDay | None) -> tuple[Changes, set[int]]:
    """What changes, and the price versions by which it does."""
    changes, used, days = Changes(), set[int](), list(source.days)
    for done, day in enumerate(days, start=1):
        standing: Mapping[tuple[int, int], Standing] = {}
        async for portion in source.portions(tx, day):
            # Not before the scan has begun: it must know of every row that the scan sees.
            standing = standing or await read_standing(tx, day)
            changes.add(day.replace(day=1), source.names, _held(portion, standing))
            touched = portion.repriced.changed | portion.repriced.newly_priced
            used.update(np.unique(portion.new_version[touched]).tolist())
        if on_day is not None:
            on_day(done, len(days))
    return changes, used


def _held(portion: Portion, standing: Mapping[tuple[int, int], Standing]) -> HeldRows:
    rows = portion.rows
    found = [standing[at] for at in zip(rows.dim_id, rows.grain, strict=True)]
    return HeldRows(
        dim=portion.dim,
        requests=np.array(rows.requests, dtype=np.int64),
        repriced=portion.repriced,
        beside=np.array([one is Standing.BESIDE for one in found], dtype=np.bool_),
        billed=np.array([one is Standing.BILLED for one in found], dtype=np.bool_),
    )


async def _stored(tx: TenantTx, run: RunKey) -> Preview | None:
    try:
        return await _report(tx, run)
    except NotFound:
        return None


async def _report(tx: TenantTx, run: RunKey) -> Preview:
    preview = await previews.read_preview(tx, run)
    return preview_report(preview, await previews.read_changes(tx, run))
