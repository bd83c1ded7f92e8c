"""Sync in process: its window is that of the schedule, not of the clock."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes
from temporalio.exceptions import ApplicationError

from tensorcost.domain.ids import ConnectionId, TenantId
from tensorcost.domain.integration.contracts import (
    CANCEL_UPDATE,
    CancelRequest,
    ConnectionKey,
    Failure,
    SyncInput,
    Tally,
)
from tensorcost.domain.integration.contracts_steps import (
    BackfillTicket,
    Discovered,
    Done,
    ItemLeft,
    ItemOrder,
    ItemOutcome,
    ItemPage,
    ItemRef,
    ItemsOrder,
    ItemsOutcome,
    LookNote,
    NextItems,
    Planned,
    RunEnded,
)
from tensorcost.domain.integration.states import RunState
from tensorcost.domain.temporal import SearchAttribute
from tensorcost.workflows.sync import LOOK_EVERY, SCHEDULED_AT, Sync
from tests.support.connections import NOW
from tests.support.workflow_driver import WorkflowDriver
from tests.workflows.activity_types import ACTIVITIES

KEY = ConnectionKey(
    tenant_id=TenantId(UUID(int=1)), connection_id=ConnectionId(UUID(int=2)), provider="bedrock"
)
DUE = NOW - timedelta(minutes=7)
TENANT = SearchAttributeKey.for_keyword(SearchAttribute.TENANT_ID.value)
FOUND = Discovered(accounts_total=2, accounts_covered=2, sites=2)
BACKFILL_ID = f"connection/{KEY.connection_id}/backfill/2"


def sync(*, scheduled: bool = True, items: int = 2, **changes: Any) -> WorkflowDriver:
    """A sync of some items that runs seven minutes after it was due."""
    due = [SearchAttributePair(SCHEDULED_AT, DUE)] if scheduled else []
    tenant = SearchAttributePair(TENANT, str(KEY.tenant_id))
    driver = WorkflowDriver(
        Sync,
        SyncInput(connection=KEY, **changes),
        ACTIVITIES,
        f"connection/{KEY.connection_id}/sync-2026-11-20T11:53:00Z",
        NOW,
        attributes=TypedSearchAttributes([*due, tenant]),
    )

    def page(asked: NextItems) -> ItemPage:
        found = range(asked.after + 1, min(items, asked.after + asked.limit) + 1)
        refs = (ItemRef(step_key=f"item-{n}", position=n, label="x") for n in found)
        return ItemPage(items=tuple(refs))

    driver.fake("integration.discover", FOUND)
    driver.fake("integration.plan_sync", Planned(items=items, in_flight=4))
    driver.fake("integration.next_items", by=page)
    driver.fake(
        "integration.ingest_item",
        by=lambda order: ItemOutcome(step_key=order.step_key, tally=Tally(done=1, accepted=5)),
    )
    driver.fake("integration.fail_item", Done())
    driver.fake("integration.finish_run", RunEnded())
    return driver


def owing(**changes: Any) -> WorkflowDriver:
    """A sync that was the first to read a source, whose past nobody has read."""
    driver = sync(**changes)
    driver.fake("integration.finish_run", RunEnded(owes_backfill=True))
    ticket = BackfillTicket(
        number=2,
        workflow_id=BACKFILL_ID,
        window_start=NOW - timedelta(days=90),
        window_end=NOW,
    )
    driver.fake("integration.open_backfill", ticket)
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


async def test_a_sync_that_is_the_first_to_read_a_source_starts_its_backfill() -> None:
    driver = owing()
    await driver.start()
    outcome = await driver.finish()
    (asked,) = driver.calls("integration.open_backfill")
    assert asked.after_sync == outcome.run_id != asked.run_id
    assert asked.days is None  # as many as the backfill before
    (child,) = driver.children
    assert (child.workflow_id, child.workflow_type) == (BACKFILL_ID, "Backfill")
    assert child.parent_close_policy == 2  # ABANDON
    assert set(child.search_attributes.indexed_fields) == {TENANT.name}


async def test_a_backfill_that_somebody_else_began_is_not_begun_twice() -> None:
    driver = owing()
    driver.fake("integration.open_backfill", BackfillTicket(number=0))
    await driver.start()
    assert (await driver.finish()).state is RunState.COMPLETED
    assert driver.children == []


async def test_a_sync_that_owes_nothing_asks_for_nothing() -> None:
    driver = sync()
    await driver.start()
    await driver.finish()
    assert driver.calls("integration.open_backfill") == []


async def test_a_cancelled_sync_starts_no_backfill() -> None:
    driver = owing()
    driver.hold("integration.ingest_item")
    await driver.start()
    await driver.update(CANCEL_UPDATE, CancelRequest(requested_by="user:a"))
    assert (await driver.finish()).state is RunState.CANCELLED
    assert driver.children == []


async def test_a_sync_of_many_sites_goes_on_in_a_new_run_until_none_is_left() -> None:
    driver = sync(items=5, per_run=2)
    await driver.start()
    (plan,) = driver.calls("integration.plan_sync")
    met: list[str] = []
    while driver.continued is not None:
        assert driver.calls("integration.finish_run") == []
        met += [order.step_key for order in driver.calls("integration.ingest_item")]
        following = driver.continued
        assert (following.run_id, following.window_end) == (plan.run_id, DUE)
        # The new run is started by nobody's schedule: what it needs it was handed.
        driver = owing(scheduled=False, items=5, **following.model_dump(exclude={"connection"}))
        await driver.start()
        assert driver.calls("integration.plan_sync") == driver.calls("integration.discover") == []
    met += [order.step_key for order in driver.calls("integration.ingest_item")]
    outcome = await driver.finish()
    assert met == [f"item-{n}" for n in range(1, 6)]
    assert (outcome.run_id, outcome.items, outcome.tally.done) == (plan.run_id, 5, 5)
    assert driver.calls("integration.open_backfill")[0].after_sync == plan.run_id


async def test_a_sync_looks_for_accounts_and_sources_before_it_plans() -> None:
    driver = sync()
    driver.hold("integration.discover")
    await driver.start()
    (asked,) = driver.held("integration.discover")
    assert asked.unless_within == LOOK_EVERY < timedelta(hours=1)
    assert driver.calls("integration.plan_sync") == []
    await driver.release("integration.discover")
    (plan,) = driver.calls("integration.plan_sync")
    assert (plan.run_id, plan.look) == (asked.run_id, LookNote(found=FOUND))
    assert (await driver.finish()).state is RunState.COMPLETED


async def test_where_nobody_can_look_what_is_known_is_read() -> None:
    driver = sync()
    driver.fake(
        "integration.discover",
        raises=ApplicationError("denied", type=Failure.CUSTOMER_MUST_ACT.value, non_retryable=True),
    )
    await driver.start()
    outcome = await driver.finish()
    assert (outcome.state, outcome.tally.accepted) == (RunState.COMPLETED, 10)
    (plan,) = driver.calls("integration.plan_sync")
    assert plan.look == LookNote(code=Failure.CUSTOMER_MUST_ACT.value, error="denied")


async def test_a_look_of_somebody_else_is_no_step_of_this_run() -> None:
    driver = sync()
    driver.fake("integration.discover", FOUND.model_copy(update={"looked": False}))
    await driver.start()
    assert driver.calls("integration.plan_sync")[0].look is None


async def test_a_sync_that_is_cancelled_while_it_looks_leaves_a_cancelled_run() -> None:
    driver = sync()
    driver.hold("integration.discover")
    await driver.start()
    await driver.update(CANCEL_UPDATE, CancelRequest(requested_by="user:a"))
    assert (await driver.finish()).state is RunState.CANCELLED
    assert len(driver.calls("integration.plan_sync")) == 1  # the run stands in the history
    assert driver.calls("integration.ingest_item") == []


async def test_a_run_cancelled_from_outside_before_it_has_begun_closes_nothing() -> None:
    driver = sync()
    driver.hold("integration.discover")
    await driver.start()
    await driver.cancel()
    assert driver.cancelled
    assert driver.calls("integration.finish_run") == []


def gathering(left: dict[str, ItemLeft] | None = None) -> WorkflowDriver:
    """A sync of seven items, three of them together, then three more, then one. ``left`` are
    those that fail together with others."""
    driver = sync(items=7)
    refs = tuple(
        ItemRef(step_key=f"item-{n}", position=n + len(others), label="x", others=others)
        for n, others in ((1, ("item-2", "item-3")), (4, ("item-5", "item-6")), (7, ()))
    )
    unread = left or {}

    def together(order: ItemsOrder) -> ItemsOutcome:
        failed = tuple(unread[key] for key in order.step_keys if key in unread)
        done = len(order.step_keys) - len(failed)
        return ItemsOutcome(tally=Tally(done=done, accepted=5 * done), left=failed)

    driver.fake("integration.next_items", ItemPage(items=refs))
    driver.fake("integration.ingest_items", by=together)
    return driver


def alone(driver: WorkflowDriver) -> list[tuple[str, int]]:
    return [(order.step_key, order.tried) for order in driver.calls("integration.ingest_item")]


async def test_gathered_items_are_read_by_one_activity_and_counted_one_by_one() -> None:
    driver = gathering()
    await driver.start()
    outcome = await driver.finish()
    assert [len(order.step_keys) for order in driver.calls("integration.ingest_items")] == [3, 3]
    assert alone(driver) == [("item-7", 0)]
    assert (outcome.tally.done, outcome.tally.accepted) == (7, 35)
    assert driver.calls("integration.next_items")[0].together > 1


async def test_what_is_left_of_a_group_is_read_alone_after_its_delay() -> None:
    pause = timedelta(seconds=30)
    driver = gathering({"item-2": ItemLeft(step_key="item-2", tried=1, after=pause)})
    await driver.start()
    assert alone(driver) == [("item-7", 0)]
    await driver.skip(timedelta(seconds=29))
    assert len(alone(driver)) == 1
    await driver.skip(timedelta(seconds=1))
    outcome = await driver.finish()
    assert alone(driver) == [("item-7", 0), ("item-2", 1)]
    assert (outcome.tally.done, outcome.tally.failed) == (7, 0)


async def test_what_nobody_should_retry_is_given_up_without_another_read() -> None:
    left = ItemLeft(step_key="item-5", final=True, code="CUR_DENIED", error="x" * 900)
    driver = gathering({"item-5": left})
    await driver.start()
    outcome = await driver.finish()
    (failed,) = driver.calls("integration.fail_item")
    assert (failed.step_key, failed.code, len(failed.error)) == ("item-5", "CUR_DENIED", 500)
    assert alone(driver) == [("item-7", 0)]
    assert (outcome.tally.done, outcome.tally.failed) == (7, 1)


async def test_a_group_whose_activity_gave_up_is_read_one_by_one() -> None:
    driver = gathering()

    def together(order: ItemsOrder) -> ItemsOutcome:
        if "item-1" in order.step_keys:
            raise ApplicationError("no connector", type="UnknownProvider")
        return ItemsOutcome(tally=Tally(done=3))

    def one(order: ItemOrder) -> ItemOutcome:
        if order.step_key == "item-3":
            raise ApplicationError("denied", type="CustomerMustAct")
        return ItemOutcome(step_key=order.step_key, tally=Tally(done=1))

    driver.fake("integration.ingest_items", by=together)
    driver.fake("integration.ingest_item", by=one)
    await driver.start()
    outcome = await driver.finish()
    assert sorted(key for key, _ in alone(driver)) == ["item-1", "item-2", "item-3", "item-7"]
    assert [failed.step_key for failed in driver.calls("integration.fail_item")] == ["item-3"]
    assert (outcome.tally.done, outcome.tally.failed) == (7, 1)


async def test_a_cancelled_sync_reads_nothing_of_what_its_groups_left() -> None:
    driver = gathering({"item-2": ItemLeft(step_key="item-2", tried=1, after=timedelta(hours=1))})
    await driver.start()
    await driver.update(CANCEL_UPDATE, CancelRequest(requested_by="user:a"))
    assert (await driver.finish(within=timedelta(0))).state is RunState.CANCELLED
    assert alone(driver) == [("item-7", 0)]


async def test_a_cancelled_sync_stops_its_groups() -> None:
    driver = gathering()
    driver.hold("integration.ingest_items")
    await driver.start()
    await driver.update(CANCEL_UPDATE, CancelRequest(requested_by="user:a"))
    assert (await driver.finish()).state is RunState.CANCELLED
