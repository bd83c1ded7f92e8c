"""What follows a successful validation or sync: the schedule of syncs, and backfills."""

from temporalio import workflow
from temporalio.exceptions import WorkflowAlreadyStartedError

from tensorcost.workflows.backfill import Backfill
from tensorcost.workflows.facts import tell_onboarding
from tensorcost.workflows.options import DB_SHORT
from tensorcost.workflows.visibility import fair, inherited

with workflow.unsafe.imports_passed_through():
    from tensorcost.activities.integration.runs import RunActivities
    from tensorcost.activities.integration.schedules import ScheduleActivities
    from tensorcost.domain.integration.contracts import BackfillInput, OnboardingInput
    from tensorcost.domain.integration.contracts_steps import BackfillRequest
    from tensorcost.domain.tenancy.onboarding import OnboardingFact


async def go_to_work(request: OnboardingInput) -> str:
    """Schedule syncs and start the backfill; its workflow id, empty where none is needed."""
    key, run_id = request.connection, workflow.uuid4()
    await workflow.execute_activity_method(ScheduleActivities.ensure_schedule, key, **DB_SHORT)
    await tell_onboarding(key, OnboardingFact.CONNECTION_VALIDATED)
    return await start_backfill(
        BackfillRequest(
            connection=key,
            run_id=run_id,
            days=request.backfill_days,
            requested_by=request.requested_by,
            now=workflow.now(),
        )
    )


async def start_backfill(wanted: BackfillRequest) -> str:
    """Open a backfill and start it; its workflow id, empty where none is needed.

    It outlives the workflow that started it.
    """
    key = wanted.connection
    ticket = await workflow.execute_activity_method(RunActivities.open_backfill, wanted, **DB_SHORT)
    if ticket.number == 0 or ticket.window_start is None or ticket.window_end is None:
        return ""
    order = BackfillInput(
        connection=key,
        number=ticket.number,
        run_id=wanted.run_id,
        window_start=ticket.window_start,
        window_end=ticket.window_end,
    )
    days = (ticket.window_end.date() - ticket.window_start.date()).days
    try:
        await workflow.start_child_workflow(
            Backfill.run,
            order,
            id=ticket.workflow_id,
            parent_close_policy=workflow.ParentClosePolicy.ABANDON,
            search_attributes=inherited(),
            static_summary=f"Backfill of {days} days",
            priority=fair(key.tenant_id),
        )
    except WorkflowAlreadyStartedError:
        workflow.logger.info("the backfill is running already")
    return ticket.workflow_id
