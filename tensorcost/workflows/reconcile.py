"""One tenant's spend held against its bill: every month that is due, then once more if asked."""

import asyncio
from datetime import date, timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, is_cancelled_exception

from tensorcost.workflows.options import DB_SHORT, RECONCILE_MONTH, named, on_cloud
from tensorcost.workflows.visibility import cause_of, show_state

with workflow.unsafe.imports_passed_through():
    from tensorcost.activities.reconciliation.activities import ReconciliationActivities
    from tensorcost.domain.cost.contracts import (
        ASK_SIGNAL,
        RECONCILE,
        FailedMonth,
        FailureNote,
        LateWish,
        ReconcileInput,
        ReconcileOrder,
        ReconcileOutcome,
        ReconcileRequest,
        ReconciliationReport,
    )
    from tensorcost.domain.cost.reconciliation.months import month_name
    from tensorcost.domain.cost.reconciliation.told import months_markdown
    from tensorcost.domain.identity.actors import system_actor
    from tensorcost.domain.integration.contracts import CANCEL_UPDATE, CancelRequest, Failure
    from tensorcost.domain.integration.contracts_steps import Done

UNASKED = system_actor("reconcile")
"""Requester of a run that was started without the signal."""


@workflow.defn(name=RECONCILE)
class Reconcile:
    """One open run per tenant: whoever asks while it runs is answered by another look.

    A month is one transaction: cancelled or killed, its former version stands.
    """

    @workflow.init
    def __init__(self, request: ReconcileInput) -> None:
        self._tenant_id = request.tenant_id
        self._asked = list(request.asked)
        self._months = {report.period: report for report in request.months}
        self._failed = {month.period: month for month in request.failed}
        self._late = request.late
        self._work: asyncio.Task[ReconciliationReport] | None = None
        self._cancelled = False
        self._ended = False

    @workflow.run
    async def run(self, request: ReconcileInput) -> ReconcileOutcome:
        if not self._asked and self._late is None:
            self._asked.append(ReconcileRequest(tenant_id=self._tenant_id, requested_by=UNASKED))
        show_state("running")
        try:
            while (self._asked or self._late) and not self._cancelled:
                if workflow.info().is_continue_as_new_suggested():
                    await self._go_on_in_a_new_run()
                if not self._asked:
                    await self._wait_for_more()
                if self._asked and not self._cancelled:
                    await self._answer(self._asked.pop(0))
        except (asyncio.CancelledError, Exception) as error:
            if is_cancelled_exception(error):
                show_state("cancelled")
            raise
        self._ended = True
        outcome = self._outcome()
        show_state(_state(outcome))
        self._show()
        await workflow.wait_condition(workflow.all_handlers_finished)
        return outcome

    @workflow.signal(name=ASK_SIGNAL)
    def ask(self, request: ReconcileRequest) -> None:
        """Look once more after the work in hand. Equal wishes that wait are one."""
        if request.patience:
            self._ask_late(request)
            return
        self._asked = [one for one in self._asked if one.period != request.period]
        self._asked.append(request)

    @workflow.update(name=CANCEL_UPDATE)
    async def cancel(self, request: CancelRequest) -> Done:
        """Stop: months that are done stay, the one in hand keeps its former version."""
        self._cancelled = True
        if self._work is not None:
            self._work.cancel()
        return Done()

    @cancel.validator
    def _may_cancel(self, request: CancelRequest) -> None:
        if self._ended or self._cancelled:
            raise ApplicationError("the run is ending already", type=Failure.CLOSED.value)

    def _ask_late(self, request: ReconcileRequest) -> None:
        now = workflow.now()
        due = now + request.patience if self._late is None else self._late.due
        self._late = LateWish(request=request, due=due, newest=now)

    async def _wait_for_more(self) -> None:
        """Until the late wish is due, somebody will not wait, or the run is cancelled.

        Who asks often sends only some of its wishes, so after one that is younger than its
        patience another look follows.
        """
        assert self._late is not None
        try:
            await workflow.wait_condition(
                lambda: bool(self._asked) or self._cancelled,
                timeout=max(self._late.due - workflow.now(), timedelta()),
                timeout_summary="more late usage may come",
            )
        except TimeoutError:
            late = self._late
            again = late.newest + late.request.patience
            self._late = late.model_copy(update={"due": again}) if again > late.due else None
            self._asked.append(late.request)

    async def _answer(self, request: ReconcileRequest) -> None:
        """Reconcile what is due now, month by month."""
        due = await workflow.execute_activity_method(
            ReconciliationActivities.due_periods, request, **named(DB_SHORT, "months to reconcile")
        )
        for period in due.periods:
            if self._cancelled:
                return
            await self._reconcile(
                ReconcileOrder(
                    tenant_id=self._tenant_id, period=period, requested_by=request.requested_by
                )
            )

    async def _reconcile(self, order: ReconcileOrder) -> None:
        """One month. What fails for good is told; the other months go on."""
        self._show(order.period)
        self._work = asyncio.create_task(
            workflow.execute_activity_method(
                ReconciliationActivities.reconcile_period,
                order,
                **on_cloud(RECONCILE_MONTH, month_name(order.period), order.tenant_id),
            )
        )
        try:
            report = await self._work
        except ActivityError as error:
            if not is_cancelled_exception(error):
                await self._give_up(order, *cause_of(error))
            elif not self._cancelled:
                raise
        except asyncio.CancelledError:
            if not self._cancelled:
                raise
        else:
            self._failed.pop(order.period, None)
            self._months[order.period] = report
        finally:
            self._work = None
        self._show()

    async def _give_up(self, order: ReconcileOrder, code: str, error: str) -> None:
        self._failed[order.period] = FailedMonth(period=order.period, code=code, error=error)
        await workflow.execute_activity_method(
            ReconciliationActivities.note_failure,
            FailureNote(order=order, code=code, error=error),
            **named(DB_SHORT, f"{month_name(order.period)} is given up"),
        )

    async def _go_on_in_a_new_run(self) -> None:
        await workflow.wait_condition(workflow.all_handlers_finished)
        outcome = self._outcome()
        workflow.continue_as_new(
            ReconcileInput(
                tenant_id=self._tenant_id,
                asked=tuple(self._asked),
                months=outcome.months,
                failed=outcome.failed,
                late=self._late,
            )
        )

    def _outcome(self) -> ReconcileOutcome:
        return ReconcileOutcome(
            months=tuple(self._months[period] for period in sorted(self._months)),
            failed=tuple(self._failed[period] for period in sorted(self._failed)),
            cancelled=self._cancelled,
        )

    def _show(self, running: date | None = None) -> None:
        outcome = self._outcome()
        workflow.set_current_details(
            months_markdown(
                outcome.months, outcome.failed, "" if running is None else month_name(running)
            )
        )


def _state(outcome: ReconcileOutcome) -> str:
    if outcome.cancelled:
        return "cancelled"
    return "failed" if outcome.failed else "completed"
