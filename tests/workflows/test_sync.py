"""Sync in process: its window is that of the schedule, not of the clock."""

from datetime import timedelta
from uuid import UUID

from temporalio.common import SearchAttributePair, TypedSearchAttributes
from temporalio.exceptions import ApplicationError

from tensorcost.domain.ids import ConnectionId, TenantId
from tensorcost.domain.integration.contracts import (
    CANCEL_UPDATE,
    CancelRequest,
    ConnectionKey,
    SyncInput,
    Tally,
)
from tensorcost.domain.integration.contracts_steps import (
    Done,
    ItemOutcome,
    ItemPage,
    ItemRef,
    Planned,
)
from tensorcost.domain.integration.states import RunState
from tensorcost.workflows.sync import SCHEDULED_AT, Sync
from tests.support.connections import NOW
from tests.support.workflow_driver import WorkflowDriver
from tests.workflows.activity_types import ACTIVITIES

KEY = ConnectionKey(
    tenant_id=TenantId(UUID(int=1)), connection_id=ConnectionId(UUID(int=2)), provider="bedrock"
)
DUE = NOW - timedelta(minutes=7)


def sync(*, scheduled: bool = True) -> WorkflowDriver:
    """A sync of two items that runs seven minutes after it was due."""
    due = [SearchAttributePair(SCHEDULED_AT, DUE)] if scheduled else []
    driver = WorkflowDriver(
        Sync,
        SyncInput(connection=KEY),
        ACTIVITIES,
        f"connection/{KEY.connection_id}/sync-2026-11-20T11:53:00Z",
        NOW,
        attributes=TypedSearchAttributes(due),
    )
    refs = tuple(ItemRef(step_key=f"item-{n}", position=n, label="x") for n in (1, 2))
    driver.fake("integration.plan_sync", Planned(items=2, in_flight=4))
    driver.fake("integration.next_items", ItemPage(items=refs))
    driver.fake(
        "integration.ingest_item",
        by=lambda order: ItemOutcome(step_key=order.step_key, tally=Tally(done=1, accepted=5)),
    )
    driver.fake("integration.fail_item", Done())
    driver.fake("integration.finish_run", Done())
    return driver


async def test_a_late_start_reads_the_window_that_it_stands_for() -> None:
    driver = sync()
    await driver.start()
    outcome = await driver.finish()
    (plan,) = driver.calls("integration.plan_sync")
    assert plan.window_end == DUE
    assert plan.workflow_id == driver.workflow_id
    assert (outcome.state, outcome.tally.accepted) == (RunState.COMPLETED, 10)
    assert outcome.run_id == plan.run_id


async def test_a_sync_started_by_hand_reads_up_to_its_start() -> None:
    driver = sync(scheduled=False)
    await driver.start()
    assert driver.calls("integration.plan_sync")[0].window_end == NOW


async def test_one_failed_source_leaves_the_others() -> None:
    driver = sync()
    errors = [ApplicationError("denied", type="CustomerMustAct")]

    def ingest(order: object) -> ItemOutcome:
        if errors:
            raise errors.pop()
        return ItemOutcome(step_key="item-2", tally=Tally(done=1, accepted=5))

    driver.fake("integration.ingest_item", by=ingest)
    await driver.start()
    outcome = await driver.finish()
    assert outcome.state is RunState.COMPLETED
    assert (outcome.tally.failed, outcome.tally.accepted) == (1, 5)


async def test_a_cancelled_sync_closes_its_run() -> None:
    driver = sync()
    driver.hold("integration.ingest_item")
    await driver.start()
    await driver.update(CANCEL_UPDATE, CancelRequest(requested_by="user:a"))
    assert (await driver.finish()).state is RunState.CANCELLED
    assert driver.calls("integration.finish_run")[0].state is RunState.CANCELLED
