"""One scheduled sync of a connection: what is new since each source's watermark."""

import asyncio
from datetime import datetime, timedelta
from typing import Final

from temporalio import workflow
from temporalio.common import SearchAttributeKey
from temporalio.exceptions import ActivityError, ApplicationError, is_cancelled_exception

from tensorcost.workflows.item_window import ItemWindow
from tensorcost.workflows.options import CLOUD_LOOK, DB_LONG, DB_SHORT, named, on_cloud
from tensorcost.workflows.start_work import start_backfill
from tensorcost.workflows.visibility import cause_of, show_state

with workflow.unsafe.imports_passed_through():
    from tensorcost.activities.integration.discovery import DiscoveryActivities
    from tensorcost.activities.integration.runs import RunActivities
    from tensorcost.domain.integration.contracts import (
        CANCEL_UPDATE,
        CancelRequest,
        Failure,
        SyncInput,
        SyncOutcome,
        WorkflowName,
    )
    from tensorcost.domain.integration.contracts_steps import (
        BackfillRequest,
        Discovered,
        DiscoveryRequest,
        Done,
        FinishRun,
        LookNote,
        PlanRequest,
    )
    from tensorcost.domain.integration.progress import progress_markdown, run_state
    from tensorcost.domain.integration.states import RunState

SCHEDULED_AT: Final = SearchAttributeKey.for_datetime("TemporalScheduledStartTime")
REQUESTED_BY: Final = "system:sync"
LOOKS_FIRST: Final = "sync-looks-first"
"""Patch of runs that began when a sync read only what validation had found."""
LOOK_EVERY: Final = timedelta(minutes=55)
"""How often accounts and sources are looked for: hourly, whenever within the hour syncs run."""


@workflow.defn(name=WorkflowName.SYNC)
class Sync:
    """Reads with an overlap; what it reads again is recognised and changes nothing.

    About once an hour it looks first for accounts and sources that came or went. A source that
    it is the first to read gets a backfill of its own.
    """

    @workflow.init
    def __init__(self, request: SyncInput) -> None:
        self._request = request
        self._total = request.planned or 0
        self._has_begun = request.planned is not None
        self._looking: asyncio.Task[Discovered] | None = None
        self._looked: LookNote | None = None
        self._window = ItemWindow(
            plan=PlanRequest(
                connection=request.connection,
                run_id=request.run_id or workflow.uuid4(),
                workflow_id=workflow.info().workflow_id,
                window_end=request.window_end or scheduled_at(),
            ),
            in_flight=request.in_flight,
            per_run=request.per_run,
            after=request.after,
            tally=request.tally,
            on_change=self._show,
        )

    @workflow.run
    async def run(self, request: SyncInput) -> SyncOutcome:
        try:
            if request.planned is None:
                if workflow.patched(LOOKS_FIRST):
                    await self._look()
                await self._plan()
            if not await self._window.drain() and not self._window.cancelled:
                await self._go_on_in_a_new_run()
        except (asyncio.CancelledError, Exception) as error:
            if not is_cancelled_exception(error):
                raise
            self._window.cancelled = True
            if self._has_begun:
                await asyncio.shield(self._close())
            raise
        return await self._close()

    @workflow.update(name=CANCEL_UPDATE)
    async def cancel(self, request: CancelRequest) -> Done:
        """Stop; the next scheduled run reads what this one leaves."""
        self._window.cancel()
        if self._looking is not None:
            self._looking.cancel()
        return Done()

    @cancel.validator
    def _may_cancel(self, request: CancelRequest) -> None:
        if self._window.cancelled:
            raise ApplicationError("the sync is stopping already", type=Failure.CLOSED.value)

    async def _look(self) -> None:
        """Accounts that joined or left, sources that came or went; where nobody can look, what
        is known is read all the same."""
        key = self._request.connection
        self._looking = asyncio.create_task(
            workflow.execute_activity_method(
                DiscoveryActivities.discover,
                DiscoveryRequest(
                    connection=key, run_id=self._window.plan.run_id, unless_within=LOOK_EVERY
                ),
                **on_cloud(CLOUD_LOOK, "look for accounts and sources", key.tenant_id),
            )
        )
        try:
            found = await self._looking
        except (ActivityError, asyncio.CancelledError) as error:
            if is_cancelled_exception(error):
                if not self._window.cancelled:
                    raise
            elif isinstance(error, ActivityError):
                code, message = cause_of(error)
                self._looked = LookNote(code=code, error=message)
            workflow.logger.warning("accounts and sources could not be looked for")
        else:
            self._looked = LookNote(found=found) if found.looked else None

    async def _plan(self) -> None:
        self._has_begun = True
        plan = self._window.plan.model_copy(update={"look": self._looked})
        planned = await workflow.execute_activity_method(
            RunActivities.plan_sync, plan, **named(DB_LONG, "plan work items")
        )
        self._total = planned.items
        self._window.in_flight = planned.in_flight
        show_state("running")
        self._show()

    async def _go_on_in_a_new_run(self) -> None:
        await workflow.wait_condition(workflow.all_handlers_finished)
        workflow.continue_as_new(
            self._request.model_copy(
                update={
                    "run_id": self._window.plan.run_id,
                    "window_end": self._window.plan.window_end,
                    "planned": self._total,
                    "in_flight": self._window.in_flight,
                    "after": self._window.after,
                    "tally": self._window.tally,
                }
            )
        )

    async def _close(self) -> SyncOutcome:
        tally = self._window.tally
        state = run_state(self._total, tally.failed, cancelled=self._window.cancelled)
        ended = await workflow.execute_activity_method(
            RunActivities.finish_run,
            FinishRun(
                connection=self._request.connection, run_id=self._window.plan.run_id, state=state
            ),
            **DB_SHORT,
        )
        if ended.owes_backfill and state is RunState.COMPLETED:
            await self._catch_up()
        show_state(state.value)
        self._show()
        await workflow.wait_condition(workflow.all_handlers_finished)
        return SyncOutcome(
            run_id=self._window.plan.run_id, state=state, items=self._total, tally=tally
        )

    async def _catch_up(self) -> None:
        """Read the past of what this sync was the first to read."""
        await start_backfill(
            BackfillRequest(
                connection=self._request.connection,
                run_id=workflow.uuid4(),
                requested_by=REQUESTED_BY,
                now=workflow.now(),
                after_sync=self._window.plan.run_id,
            )
        )

    def _show(self) -> None:
        title = f"Sync of {self._request.connection.provider} up to {self._window.plan.window_end}"
        workflow.set_current_details(
            progress_markdown(title, self._window.tally, self._total, self._window.labels())
        )


def scheduled_at() -> datetime:
    """The scheduled start, so that a late start reads the window it stands for."""
    found = workflow.info().typed_search_attributes.get(SCHEDULED_AT)
    return found or workflow.info().start_time
