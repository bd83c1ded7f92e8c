"""One scheduled sync of a connection: what is new since each source's watermark."""

import asyncio
from datetime import datetime
from typing import Final

from temporalio import workflow
from temporalio.common import SearchAttributeKey
from temporalio.exceptions import ApplicationError, is_cancelled_exception

from tensorcost.workflows.item_window import ItemWindow
from tensorcost.workflows.options import DB_LONG, DB_SHORT, named
from tensorcost.workflows.visibility import show_state

with workflow.unsafe.imports_passed_through():
    from tensorcost.activities.integration.runs import RunActivities
    from tensorcost.domain.integration.contracts import (
        CANCEL_UPDATE,
        CancelRequest,
        Failure,
        SyncInput,
        SyncOutcome,
        WorkflowName,
    )
    from tensorcost.domain.integration.contracts_steps import Done, FinishRun, PlanRequest
    from tensorcost.domain.integration.progress import progress_markdown, run_state

SCHEDULED_AT: Final = SearchAttributeKey.for_datetime("TemporalScheduledStartTime")
PER_RUN: Final = 2_000
"""A sync's items are one a site: hundreds of accounts stay below the history's limit."""


@workflow.defn(name=WorkflowName.SYNC)
class Sync:
    """Reads with an overlap; what it reads again is recognised and changes nothing."""

    @workflow.init
    def __init__(self, request: SyncInput) -> None:
        self._request = request
        self._total = 0
        self._window = ItemWindow(
            plan=PlanRequest(
                connection=request.connection,
                run_id=workflow.uuid4(),
                workflow_id=workflow.info().workflow_id,
                window_end=scheduled_at(),
            ),
            in_flight=request.in_flight,
            per_run=PER_RUN,
            on_change=self._show,
        )

    @workflow.run
    async def run(self, request: SyncInput) -> SyncOutcome:
        try:
            await self._plan()
            await self._window.drain()
        except (asyncio.CancelledError, Exception) as error:
            if not is_cancelled_exception(error):
                raise
            self._window.cancelled = True
            await asyncio.shield(self._close())
            raise
        return await self._close()

    @workflow.update(name=CANCEL_UPDATE)
    async def cancel(self, request: CancelRequest) -> Done:
        """Stop; the next scheduled run reads what this one leaves."""
        self._window.cancel()
        return Done()

    @cancel.validator
    def _may_cancel(self, request: CancelRequest) -> None:
        if self._window.cancelled:
            raise ApplicationError("the sync is stopping already", type=Failure.CLOSED.value)

    async def _plan(self) -> None:
        planned = await workflow.execute_activity_method(
            RunActivities.plan_sync, self._window.plan, **named(DB_LONG, "plan work items")
        )
        self._total = planned.items
        self._window.in_flight = planned.in_flight
        show_state("running")
        self._show()

    async def _close(self) -> SyncOutcome:
        tally = self._window.tally
        state = run_state(self._total, tally.failed, cancelled=self._window.cancelled)
        await workflow.execute_activity_method(
            RunActivities.finish_run,
            FinishRun(
                connection=self._request.connection, run_id=self._window.plan.run_id, state=state
            ),
            **DB_SHORT,
        )
        show_state(state.value)
        self._show()
        await workflow.wait_condition(workflow.all_handlers_finished)
        return SyncOutcome(
            run_id=self._window.plan.run_id, state=state, items=self._total, tally=tally
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
