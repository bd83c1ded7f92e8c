"""Backfills and syncs as rows: opened, planned, handed out in pages, closed."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from temporalio import activity

from tensorcost.activities.failures import gone_is_final
from tensorcost.activities.integration.announce import ENDED, STARTED, announce, tell_progress
from tensorcost.domain.clock import Clock
from tensorcost.domain.identity.actors import system_actor
from tensorcost.domain.integration.contracts import backfill_workflow_id
from tensorcost.domain.integration.contracts_steps import (
    BackfillRequest,
    BackfillTicket,
    Done,
    FailItem,
    FinishRun,
    ItemPage,
    ItemRef,
    NextItems,
    Planned,
    PlanRequest,
)
from tensorcost.domain.integration.plan import (
    Window,
    WorkItem,
    backfill_window,
    plan_backfill,
    plan_sync,
)
from tensorcost.domain.integration.progress_records import NewRun, SyncRun
from tensorcost.domain.integration.states import RunKind, RunState, StepState
from tensorcost.storage import audit
from tensorcost.storage.integration import get_connection, lock_connection, mark_synced
from tensorcost.storage.integration_sites import active_sites, watermarks
from tensorcost.storage.session import Database, TenantTx
from tensorcost.storage.sync_history import (
    find_run,
    finish_run,
    get_run,
    list_runs,
    open_run,
    running_runs,
)
from tensorcost.storage.sync_steps import (
    StepSaving,
    claim_progress,
    get_step,
    open_steps,
    plan_steps,
    save_step,
    skip_open_steps,
)

ACTOR: Final = system_actor("ingest")
TENANT_CAP: Final = 6
"""Work items of one tenant in flight, shared among its running runs."""
SILENT_FOR: Final = timedelta(hours=6)
"""A backfill that has not moved for so long lost its workflow: it does not block another."""
MAX_BACKFILLS: Final = 1_000


@dataclass(frozen=True, slots=True)
class RunActivities:
    """Planning and book-keeping of runs. Database only."""

    db: Database
    clock: Clock
    tenant_cap: int = TENANT_CAP

    @activity.defn(name="integration.open_backfill")
    async def open_backfill(self, request: BackfillRequest) -> BackfillTicket:
        """A ticket for the next backfill, or number 0 while one runs or after one completed."""
        key = request.connection
        window = backfill_window(request.now, request.days)
        with gone_is_final():
            async with self.db.tenant(key.tenant_id) as tx:
                await lock_connection(tx, key.connection_id)
                runs = await list_runs(
                    tx, key.connection_id, limit=MAX_BACKFILLS, kind=RunKind.BACKFILL
                )
                mine = [run for run in runs if run.run_id == request.run_id]
                if mine:
                    return _ticket(mine[0])
                if await self._is_served(tx, runs):
                    return BackfillTicket(number=0)
                run = NewRun(
                    tenant_id=key.tenant_id,
                    run_id=request.run_id,
                    connection_id=key.connection_id,
                    kind=RunKind.BACKFILL,
                    workflow_id=backfill_workflow_id(key.connection_id, len(runs) + 1),
                    started_at=request.now,
                    requested_by=request.requested_by,
                    window_start=window.start,
                    window_end=window.end,
                )
                await open_run(tx, run)
                return _ticket(await get_run(tx, request.run_id))

    @activity.defn(name="integration.plan_backfill")
    async def plan_backfill(self, request: PlanRequest) -> Planned:
        """Store the backfill's work items; the same ones when repeated."""
        key = request.connection
        start = request.window_start or request.window_end - timedelta(days=1)
        async with self.db.tenant(key.tenant_id) as tx:
            sites = await active_sites(tx, key.connection_id)
            items = plan_backfill(sites, Window(start, request.window_end))
            return await self._plan(tx, request, items)

    @activity.defn(name="integration.plan_sync")
    async def plan_sync(self, request: PlanRequest) -> Planned:
        """Open the sync's run and store its work items, from each site's watermark."""
        key = request.connection
        with gone_is_final():
            async with self.db.tenant(key.tenant_id) as tx:
                await get_connection(tx, key.connection_id)
                run = NewRun(
                    tenant_id=key.tenant_id,
                    run_id=request.run_id,
                    connection_id=key.connection_id,
                    kind=RunKind.SYNC,
                    workflow_id=request.workflow_id,
                    started_at=self.clock(),
                    requested_by=ACTOR,
                    window_end=request.window_end,
                )
                await open_run(tx, run)
                sites = await active_sites(tx, key.connection_id)
                known = await watermarks(tx, key.connection_id)
                items = plan_sync(sites, known, request.window_end)
                return await self._plan(tx, request, items)

    @activity.defn(name="integration.next_items")
    async def next_items(self, request: NextItems) -> ItemPage:
        """The next unfinished items after a position."""
        async with self.db.tenant(request.connection.tenant_id) as tx:
            items = await open_steps(tx, request.run_id, after=request.after, limit=request.limit)
        return ItemPage(items=tuple(_ref(item) for item in items))

    @activity.defn(name="integration.fail_item")
    async def fail_item(self, failure: FailItem) -> Done:
        """Record that an item was given up. Its committed rows stay, and are counted."""
        now = self.clock()
        async with self.db.tenant(failure.connection.tenant_id) as tx:
            step = await get_step(tx, failure.run_id, failure.step_key)
            detail = f"{failure.code}: {failure.error}" if failure.code else failure.error
            saving = StepSaving(
                failure.run_id, failure.step_key, StepState.FAILED, step.tally, detail
            )
            changed = await save_step(tx, saving, now)
            if (run := await claim_progress(tx, failure.run_id, now)) is not None:
                tell_progress(tx, run)
        return Done(changed=changed)

    @activity.defn(name="integration.finish_run")
    async def finish_run(self, order: FinishRun) -> Done:
        """Close a backfill or sync: run, connection, event and audit row stand together."""
        key, now = order.connection, self.clock()
        async with self.db.tenant(key.tenant_id) as tx:
            if order.state is not RunState.COMPLETED:
                await skip_open_steps(tx, order.run_id, now)
            if not await finish_run(tx, order.run_id, order.state, now, note=order.note):
                return Done(changed=False)
            run = await get_run(tx, order.run_id)
            if order.state is RunState.COMPLETED:
                await mark_synced(tx, key.connection_id, now)
            event = ENDED[run.kind, run.state]
            announce(tx, event, run)
            await audit.record(
                tx,
                actor=ACTOR,
                action=event.value,
                resource_type="connection",
                resource_id=str(key.connection_id),
                detail={"run_id": str(order.run_id), "rows_accepted": run.tally.accepted},
            )
        return Done()

    async def _plan(self, tx: TenantTx, request: PlanRequest, items: list[WorkItem]) -> Planned:
        known = await get_run(tx, request.run_id)
        total = await plan_steps(tx, request.run_id, items, self.clock())
        run = await find_run(tx, request.run_id)
        if run is not None and known.steps_total == 0:
            announce(tx, STARTED[run.kind], run)
        running = max(1, await running_runs(tx))
        return Planned(items=total, in_flight=max(1, self.tenant_cap // running))

    async def _is_served(self, tx: TenantTx, runs: list[SyncRun]) -> bool:
        """Whether a backfill completed or is still moving. One that stands still is closed."""
        now = self.clock()
        for run in runs:
            if run.state is RunState.COMPLETED:
                return True
            if run.state is RunState.RUNNING:
                if now - (run.progressed_at or run.started_at) < SILENT_FOR:
                    return True
                await finish_run(tx, run.run_id, RunState.FAILED, now, note="abandoned")
        return False


def _ticket(run: SyncRun) -> BackfillTicket:
    return BackfillTicket(
        number=int(run.workflow_id.rpartition("/")[2]),
        workflow_id=run.workflow_id,
        window_start=run.window_start,
        window_end=run.window_end,
    )


def _ref(item: WorkItem) -> ItemRef:
    site = item.site
    place = " ".join(part for part in (site.account_id, site.region) if part)
    label = f"{site.source.value} {place} from {item.window_start:%Y-%m-%d %H:%M}"
    return ItemRef(step_key=item.step_key, position=item.position, label=label)
