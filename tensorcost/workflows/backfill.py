"""Backfill of one connection: plan, slide a window over the items, judge silence, close."""

import asyncio

from temporalio import workflow
from temporalio.exceptions import ApplicationError, is_cancelled_exception

from tensorcost.workflows.facts import tell_onboarding
from tensorcost.workflows.item_window import ItemWindow
from tensorcost.workflows.options import DB_LONG, DB_SHORT, named
from tensorcost.workflows.visibility import show_state

with workflow.unsafe.imports_passed_through():
    from tensorcost.activities.integration.discovery import DiscoveryActivities
    from tensorcost.activities.integration.runs import RunActivities
    from tensorcost.domain.integration.contracts import (
        CANCEL_UPDATE,
        BackfillInput,
        BackfillOutcome,
        CancelRequest,
        Failure,
        Tally,
        WorkflowName,
    )
    from tensorcost.domain.integration.contracts_steps import (
        Done,
        FinishRun,
        PlanRequest,
        SilenceRequest,
    )
    from tensorcost.domain.integration.progress import progress_markdown, run_state
    from tensorcost.domain.integration.states import RunState
    from tensorcost.domain.tenancy.onboarding import OnboardingFact


@workflow.defn(name=WorkflowName.BACKFILL)
class Backfill:
    """Resumes from committed cursors: a repeated item costs its checkpoints, nothing else."""

    @workflow.init
    def __init__(self, request: BackfillInput) -> None:
        self._request = request
        self._total = request.planned or 0
        self._closing = False
        self._spend_told = request.tally.accepted > 0
        self._window = ItemWindow(
            plan=PlanRequest(
                connection=request.connection,
                run_id=request.run_id,
                workflow_id=workflow.info().workflow_id,
                window_start=request.window_start,
                window_end=request.window_end,
            ),
            in_flight=request.in_flight,
            per_run=request.per_run,
            after=request.after,
            tally=request.tally,
            on_change=self._show,
        )

    @workflow.run
    async def run(self, request: BackfillInput) -> BackfillOutcome:
        try:
            if request.planned is None:
                await self._plan()
            if not await self._drain() and not self._window.cancelled:
                await self._go_on_in_a_new_run()
        except (asyncio.CancelledError, Exception) as error:
            if not is_cancelled_exception(error):
                raise
            self._window.cancelled = True
            await asyncio.shield(self._close())
            raise
        return await self._close()

    @workflow.update(name=CANCEL_UPDATE)
    async def cancel(self, request: CancelRequest) -> Done:
        """Stop: committed rows stay, the rest is marked as skipped."""
        self._window.cancel()
        return Done()

    @cancel.validator
    def _may_cancel(self, request: CancelRequest) -> None:
        if self._closing or self._window.cancelled:
            raise ApplicationError("the backfill is closing already", type=Failure.CLOSED.value)

    @workflow.signal(name="stop")
    def stop(self) -> None:
        """The same for an operator in the Temporal UI."""
        self._window.cancel()

    async def _plan(self) -> None:
        show_state("planning")
        planned = await workflow.execute_activity_method(
            RunActivities.plan_backfill, self._window.plan, **named(DB_LONG, "plan work items")
        )
        self._total = planned.items
        self._window.in_flight = planned.in_flight
        await self._tell(OnboardingFact.BACKFILL_STARTED)
        show_state("running")
        self._show()

    async def _drain(self) -> bool:
        """Work, and say once, as soon as it is true, that spend can be seen."""
        work = asyncio.create_task(self._window.drain())
        try:
            if not self._spend_told:
                await workflow.wait_condition(
                    lambda: work.done() or self._window.tally.accepted > 0
                )
                if self._window.tally.accepted > 0:
                    await self._tell(OnboardingFact.SPEND_SEEN)
            return await work
        except asyncio.CancelledError:
            self._window.cancel()
            raise

    async def _go_on_in_a_new_run(self) -> None:
        await workflow.wait_condition(workflow.all_handlers_finished)
        workflow.continue_as_new(
            self._request.model_copy(
                update={
                    "planned": self._total,
                    "in_flight": self._window.in_flight,
                    "after": self._window.after,
                    "tally": self._window.tally,
                }
            )
        )

    async def _close(self) -> BackfillOutcome:
        self._closing = True
        tally = self._window.tally
        state = run_state(self._total, tally.failed, cancelled=self._window.cancelled)
        request = self._request
        if state is RunState.COMPLETED:
            await workflow.execute_activity_method(
                DiscoveryActivities.judge_silence,
                SilenceRequest(
                    connection=request.connection,
                    run_id=request.run_id,
                    window_start=request.window_start,
                    window_end=request.window_end,
                ),
                **named(DB_LONG, "tell silence from quiet"),
            )
        await workflow.execute_activity_method(
            RunActivities.finish_run,
            FinishRun(
                connection=request.connection,
                run_id=request.run_id,
                state=state,
                note=_note(tally, self._total),
            ),
            **DB_SHORT,
        )
        if state is RunState.COMPLETED:
            await self._tell(OnboardingFact.BACKFILL_COMPLETED)
        show_state(state.value)
        self._show()
        await workflow.wait_condition(workflow.all_handlers_finished)
        return BackfillOutcome(run_id=request.run_id, state=state, items=self._total, tally=tally)

    async def _tell(self, fact: OnboardingFact) -> None:
        await tell_onboarding(self._request.connection, fact)

    def _show(self) -> None:
        title = f"Backfill {self._request.number} of {self._request.connection.provider}"
        workflow.set_current_details(
            progress_markdown(title, self._window.tally, self._total, self._window.labels())
        )


def _note(tally: Tally, total: int) -> str:
    if not tally.failed:
        return ""
    return f"{tally.failed} of {total} items failed; the next backfill or sync reads them again"
