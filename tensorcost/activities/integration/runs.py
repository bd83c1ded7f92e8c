"""Backfills and syncs as rows: opened, planned, handed out in pages, closed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from temporalio import activity

from tensorcost.activities.failures import gone_is_final
from tensorcost.activities.heartbeat import beating
from tensorcost.activities.integration.announce import ENDED, STARTED, announce, tell_run
from tensorcost.activities.integration.backfills import (
    backfills_of,
    next_backfill,
    sites_to_read,
    ticket_of,
)
from tensorcost.activities.integration.looks import record_look
from tensorcost.activities.reconciliation.ask import Reconciling
from tensorcost.domain.clock import Clock
from tensorcost.domain.cost.contracts import ReconcileRequest
from tensorcost.domain.identity.actors import system_actor
from tensorcost.domain.integration.contracts import ConnectionKey
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
    RunEnded,
)
from tensorcost.domain.integration.plan import (
    Window,
    WorkItem,
    gathered,
    plan_backfill,
    plan_sync,
)
from tensorcost.domain.integration.progress_look import BEFORE_ITEMS
from tensorcost.domain.integration.progress_records import NewRun, SyncRun
from tensorcost.domain.integration.states import RunKind, RunState, StepState
from tensorcost.storage import audit
from tensorcost.storage.integration import (
    find_connection,
    get_connection,
    lock_connection,
    mark_synced,
)
from tensorcost.storage.integration_backfills import (
    assign_backfill,
    mark_backfilled,
    sites_of_backfill,
)
from tensorcost.storage.integration_sites import active_sites, watermarks
from tensorcost.storage.reconciliation.due import read_periods_due
from tensorcost.storage.session import Database, TenantTx
from tensorcost.storage.spend.bill_periods import month_states
from tensorcost.storage.sync_history import (
    find_run,
    finish_run,
    get_run,
    open_run,
    running_runs,
)
from tensorcost.storage.sync_steps import (
    StepSaving,
    codes_set_aside,
    get_steps,
    open_steps,
    plan_steps,
    save_step,
    skip_open_steps,
)

ACTOR: Final = system_actor("ingest")
TENANT_CAP: Final = 6
"""Work items of one tenant in flight, or groups of small ones, shared among its running runs."""
ROUNDS: Final = 2
"""How often each lane comes round in a page whose items are gathered."""


@dataclass(frozen=True, slots=True)
class RunActivities:
    """Planning and book-keeping of runs. Database only, and a word to the reconciliation."""

    db: Database
    clock: Clock
    reconciling: Reconciling
    tenant_cap: int = TENANT_CAP

    @activity.defn(name="integration.open_backfill")
    async def open_backfill(self, request: BackfillRequest) -> BackfillTicket:
        """A ticket for the next backfill; number 0 while one runs or when every site is read."""
        key = request.connection
        with gone_is_final():
            async with self.db.tenant(key.tenant_id) as tx:
                await lock_connection(tx, key.connection_id)
                runs = await backfills_of(tx, key.connection_id)
                mine = [run for run in runs if run.run_id == request.run_id]
                if mine:
                    return ticket_of(mine[0])
                now = self.clock()
                sites = await sites_to_read(tx, key, runs, request.after_sync, now)
                if sites is None:
                    return BackfillTicket(number=0)
                await open_run(tx, next_backfill(request, runs))
                await assign_backfill(tx, key.connection_id, request.run_id, sites, now)
                return ticket_of(await get_run(tx, request.run_id))

    @activity.defn(name="integration.plan_backfill")
    async def plan_backfill(self, request: PlanRequest) -> Planned:
        """Store the backfill's work items; the same ones when repeated."""
        key = request.connection
        start = request.window_start or request.window_end - timedelta(days=1)
        async with beating(lambda: request.run_id), self.db.tenant(key.tenant_id) as tx:
            sites = await sites_of_backfill(tx, key.connection_id, request.run_id)
            items = plan_backfill(sites, Window(start, request.window_end))
            return await self._plan(tx, request, items)

    @activity.defn(name="integration.plan_sync")
    async def plan_sync(self, request: PlanRequest) -> Planned:
        """Open the sync's run and store its work items, from each site's watermark."""
        key = request.connection
        with gone_is_final():
            async with beating(lambda: request.run_id), self.db.tenant(key.tenant_id) as tx:
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
                if request.look is not None:
                    await record_look(
                        tx,
                        request.run_id,
                        request.look,
                        position=BEFORE_ITEMS,
                        now=self.clock(),
                    )
                sites = await active_sites(tx, key.connection_id)
                known = await watermarks(tx, key.connection_id)
                months = await month_states(tx, str(key.connection_id), self.clock())
                items = plan_sync(sites, known, request.window_end, months)
                return await self._plan(tx, request, items)

    @activity.defn(name="integration.next_items")
    async def next_items(self, request: NextItems) -> ItemPage:
        """The next unfinished items after a position, small ones gathered where there are enough
        of them for every lane."""
        async with self.db.tenant(request.connection.tenant_id) as tx:
            items = await open_steps(tx, request.run_id, after=request.after, limit=request.limit)
        most = min(request.together, len(items) // (ROUNDS * self.tenant_cap))
        return ItemPage(items=tuple(_ref(group) for group in gathered(items, most)))

    @activity.defn(name="integration.fail_item")
    async def fail_item(self, failure: FailItem) -> Done:
        """Record that an item was given up. Its committed rows stay, and are counted."""
        now = self.clock()
        async with self.db.tenant(failure.connection.tenant_id) as tx:
            found = await get_steps(tx, failure.run_id, [failure.step_key])
            detail = f"{failure.code}: {failure.error}" if failure.code else failure.error
            saving = StepSaving(
                failure.run_id,
                failure.step_key,
                StepState.FAILED,
                found[failure.step_key].tally,
                detail,
                error_code=failure.code,
                error=failure.error,
            )
            changed = await save_step(tx, saving, now)
            await tell_run(tx, failure.run_id, now)
        return Done(changed=changed)

    @activity.defn(name="integration.finish_run")
    async def finish_run(self, order: FinishRun) -> RunEnded:
        """Close a backfill or sync: run, connection, event and audit row stand together.

        What it read is then held against the bill; asked for again by a repeat.
        """
        key, now = order.connection, self.clock()
        async with self.db.tenant(key.tenant_id) as tx:
            if order.state is not RunState.COMPLETED:
                await skip_open_steps(tx, order.run_id, now)
            note = order.note or _set_aside(await codes_set_aside(tx, order.run_id))
            changed = await finish_run(tx, order.run_id, order.state, now, note=note)
            run = await get_run(tx, order.run_id)
            if changed:
                await self._tell_end(tx, run)
            ended = RunEnded(changed=changed, owes_backfill=await self._owes(tx, key, run))
            is_due = bool(await read_periods_due(tx, now))
        if is_due:
            await self.reconciling.ask(
                ReconcileRequest(tenant_id=key.tenant_id, requested_by=ACTOR)
            )
        return ended

    async def _tell_end(self, tx: TenantTx, run: SyncRun) -> None:
        now = self.clock()
        if run.kind is RunKind.BACKFILL:
            await mark_backfilled(tx, run.connection_id, run.run_id, now)
        if run.state is RunState.COMPLETED:
            await mark_synced(tx, run.connection_id, now)
        event = ENDED[run.kind, run.state]
        announce(tx, event, run)
        await audit.record(
            tx,
            actor=ACTOR,
            action=event.value,
            resource_type="connection",
            resource_id=str(run.connection_id),
            detail={"run_id": str(run.run_id), "rows_accepted": run.tally.accepted},
        )

    async def _owes(self, tx: TenantTx, key: ConnectionKey, run: SyncRun) -> bool:
        """Whether the sync read what has a past that no backfill has read."""
        if run.kind is not RunKind.SYNC or run.state is not RunState.COMPLETED:
            return False
        if await find_connection(tx, key.connection_id) is None:
            return False
        runs = await backfills_of(tx, key.connection_id)
        return await sites_to_read(tx, key, runs, run.run_id, self.clock()) is not None

    async def _plan(self, tx: TenantTx, request: PlanRequest, items: list[WorkItem]) -> Planned:
        known = await get_run(tx, request.run_id)
        total = await plan_steps(tx, request.run_id, items, self.clock())
        run = await find_run(tx, request.run_id)
        if run is not None and known.steps_total == 0:
            announce(tx, STARTED[run.kind], run)
        running = max(1, await running_runs(tx))
        return Planned(items=total, in_flight=max(1, self.tenant_cap // running))


def _ref(group: Sequence[WorkItem]) -> ItemRef:
    first, last = group[0], group[-1]
    place = " ".join(part for part in (first.site.account_id, first.site.region) if part)
    label = f"{first.site.source.value} {place} from {first.window_start:%Y-%m-%d %H:%M}"
    if others := group[1:]:
        label += f", {len(others)} more"
    return ItemRef(
        step_key=first.step_key,
        position=last.position,
        label=label,
        others=tuple(item.step_key for item in others),
    )


def _set_aside(codes: Sequence[str]) -> str:
    """A run's note where steps were completed without all that they met."""
    return f"refused or set aside, see the steps: {', '.join(codes)}" if codes else ""
