"""Backfill and its window in process, with virtual time."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from temporalio.exceptions import ActivityError, ApplicationError

from tensorcost.domain.ids import ConnectionId, TenantId
from tensorcost.domain.integration.contracts import (
    CANCEL_UPDATE,
    BackfillInput,
    CancelRequest,
    ConnectionKey,
    Failure,
    Tally,
)
from tensorcost.domain.integration.contracts_steps import (
    Done,
    ItemOrder,
    ItemOutcome,
    ItemPage,
    ItemRef,
    NextItems,
    Planned,
    RunEnded,
    SilenceVerdict,
)
from tensorcost.domain.integration.states import RunState
from tensorcost.domain.tenancy.onboarding import OnboardingFact
from tensorcost.workflows.backfill import Backfill
from tests.support.connections import NOW
from tests.support.workflow_driver import WorkflowDriver
from tests.workflows.activity_types import ACTIVITIES

KEY = ConnectionKey(
    tenant_id=TenantId(UUID(int=1)), connection_id=ConnectionId(UUID(int=2)), provider="bedrock"
)
RUN = UUID(int=3)
ROWS = Tally(done=1, objects=2, rows_read=10, accepted=10)


def backfill(items: int, **changes: Any) -> WorkflowDriver:
    """A backfill of ``items`` work items that all succeed."""
    request = BackfillInput(
        connection=KEY,
        number=1,
        run_id=RUN,
        window_start=NOW - timedelta(days=90),
        window_end=NOW,
        **changes,
    )
    workflow_id = f"connection/{KEY.connection_id}/backfill/1"
    driver = WorkflowDriver(Backfill, request, ACTIVITIES, workflow_id, NOW)

    def page(asked: NextItems) -> ItemPage:
        last = min(items, asked.after + asked.limit)
        found = range(asked.after + 1, last + 1)
        refs = (ItemRef(step_key=f"item-{n}", position=n, label=f"logs {n}") for n in found)
        return ItemPage(items=tuple(refs))

    driver.fake("integration.plan_backfill", Planned(items=items, in_flight=4))
    driver.fake("integration.next_items", by=page)
    driver.fake("integration.ingest_item", by=ingested)
    driver.fake("integration.judge_silence", SilenceVerdict(findings=0))
    driver.fake("integration.finish_run", RunEnded())
    for name in ("integration.fail_item", "tenancy.report_fact"):
        driver.fake(name, Done())
    return driver


def ingested(order: ItemOrder) -> ItemOutcome:
    return ItemOutcome(step_key=order.step_key, tally=ROWS)


def order_of(driver: WorkflowDriver) -> list[str]:
    return [order.step_key for order in driver.calls("integration.ingest_item")]


async def test_every_item_runs_once_and_is_counted() -> None:
    driver = backfill(items=250)
    await driver.start()
    outcome = await driver.finish()
    assert outcome.state is RunState.COMPLETED
    assert order_of(driver) == [f"item-{n}" for n in range(1, 251)]
    assert (outcome.tally.done, outcome.tally.accepted) == (250, 2500)
    assert driver.states == ["planning", "running", "completed"]


async def test_no_more_items_are_in_flight_than_were_granted() -> None:
    driver = backfill(items=10)
    driver.hold("integration.ingest_item")
    await driver.start()
    assert len(driver.held("integration.ingest_item")) == 4
    await driver.release("integration.ingest_item")
    assert len(driver.held("integration.ingest_item")) == 4
    assert len(order_of(driver)) == 5


async def test_a_failed_item_is_an_outcome_and_not_the_end() -> None:
    driver = backfill(items=3)

    def sometimes(order: ItemOrder) -> ItemOutcome:
        if order.step_key == "item-2":
            raise ApplicationError("the bucket is gone", type="CustomerMustAct")
        return ingested(order)

    driver.fake("integration.ingest_item", by=sometimes)
    await driver.start()
    outcome = await driver.finish()
    assert outcome.state is RunState.COMPLETED
    assert (outcome.tally.done, outcome.tally.failed) == (3, 1)
    (failed,) = driver.calls("integration.fail_item")
    assert (failed.step_key, failed.code, failed.error) == (
        "item-2",
        "CustomerMustAct",
        "the bucket is gone",
    )
    assert "1 of 3 items failed" in driver.calls("integration.finish_run")[0].note


async def test_a_failed_item_is_recorded_under_the_code_that_the_connector_gave() -> None:
    driver = backfill(items=1)
    denied = ApplicationError("the bucket says no", "CUR_DENIED", type="CustomerMustAct")
    driver.fake("integration.ingest_item", raises=denied)
    await driver.start()
    await driver.finish()
    (failed,) = driver.calls("integration.fail_item")
    assert (failed.code, failed.error) == ("CUR_DENIED", "the bucket says no")


async def test_a_backfill_in_which_nothing_worked_has_failed() -> None:
    driver = backfill(items=2)
    driver.fake("integration.ingest_item", raises=ApplicationError("no", type="X"))
    await driver.start()
    outcome = await driver.finish()
    assert outcome.state is RunState.FAILED
    assert driver.calls("integration.judge_silence") == []


async def test_a_backfill_without_sites_completes_with_silence_judged() -> None:
    driver = backfill(items=0)
    await driver.start()
    outcome = await driver.finish()
    assert (outcome.state, outcome.items) == (RunState.COMPLETED, 0)
    assert len(driver.calls("integration.judge_silence")) == 1


async def test_a_long_history_goes_on_in_a_new_run_with_ids_and_counters_only() -> None:
    driver = backfill(items=250, per_run=120)
    await driver.start()
    await driver.settle()
    following = driver.continued
    assert (following.planned, following.after, following.in_flight) == (250, 120, 4)
    assert following.tally.done == 120
    assert driver.calls("integration.finish_run") == []
    rest = backfill(items=250, **following.model_dump(exclude=KNOWN))
    await rest.start()
    assert order_of(rest)[0] == "item-121"
    assert rest.calls("integration.plan_backfill") == []


KNOWN = {"connection", "number", "run_id", "window_start", "window_end"}


async def test_the_server_may_ask_for_a_new_run() -> None:
    driver = backfill(items=20)
    driver.hold("integration.ingest_item")
    await driver.start()
    driver.history_is_long = True
    await driver.release("integration.ingest_item")
    while driver.held("integration.ingest_item"):
        await driver.release("integration.ingest_item")
    assert driver.continued is not None
    assert driver.continued.after == driver.continued.tally.done < 20


async def test_onboarding_hears_of_spend_once_as_soon_as_there_is_some() -> None:
    driver = backfill(items=6)
    driver.hold("integration.ingest_item")
    await driver.start()
    await driver.release("integration.ingest_item")
    facts = [report.fact for report in driver.calls("tenancy.report_fact")]
    assert facts == [OnboardingFact.BACKFILL_STARTED, OnboardingFact.SPEND_SEEN]
    while driver.held("integration.ingest_item"):
        await driver.release("integration.ingest_item")
    await driver.finish()
    facts = [report.fact for report in driver.calls("tenancy.report_fact")]
    assert facts[2:] == [OnboardingFact.BACKFILL_COMPLETED]


async def test_a_cancel_stops_what_runs_and_starts_nothing_more() -> None:
    driver = backfill(items=50)
    driver.hold("integration.ingest_item")
    await driver.start()
    await driver.release("integration.ingest_item", 2)
    started = len(order_of(driver))
    handle = await driver.update(CANCEL_UPDATE, CancelRequest(requested_by="user:a"))
    assert handle.accepted
    outcome = await driver.finish()
    assert outcome.state is RunState.CANCELLED
    assert len(order_of(driver)) == started
    assert outcome.tally.done == 2
    assert driver.calls("integration.finish_run")[0].state is RunState.CANCELLED


async def test_a_cancel_while_closing_is_rejected() -> None:
    driver = backfill(items=1)
    driver.hold("integration.finish_run")
    await driver.start()
    handle = await driver.update(CANCEL_UPDATE, CancelRequest(requested_by="user:a"))
    assert handle.rejection is not None
    assert handle.rejection.type == Failure.CLOSED


async def test_cancelling_the_workflow_closes_the_run() -> None:
    driver = backfill(items=50)
    driver.hold("integration.ingest_item")
    await driver.start()
    await driver.cancel()
    assert driver.cancelled
    assert driver.calls("integration.finish_run")[0].state is RunState.CANCELLED


async def test_a_failure_that_cannot_be_recorded_fails_the_workflow() -> None:
    driver = backfill(items=3)
    driver.fake("integration.ingest_item", raises=ApplicationError("no", type="X"))
    driver.fake("integration.fail_item", raises=ApplicationError("gone", type="ConnectionGone"))
    await driver.start()
    with pytest.raises(ActivityError):
        await driver.finish()


@settings(max_examples=15, deadline=None)
@given(
    items=st.integers(0, 40),
    per_run=st.integers(1, 15),
    failing=st.sets(st.integers(1, 40)),
)
async def test_whatever_fails_and_however_often_it_goes_on_each_item_is_tried_once(
    items: int, per_run: int, failing: set[int]
) -> None:
    met: list[str] = []
    changes: dict[str, Any] = {"per_run": per_run}
    while True:
        driver = backfill(items=items, **changes)

        def ingest(order: ItemOrder) -> ItemOutcome:
            if int(order.step_key.rpartition("-")[2]) in failing:
                raise ApplicationError("no", type="X")
            return ingested(order)

        driver.fake("integration.ingest_item", by=ingest)
        await driver.start()
        await driver.settle()
        met += order_of(driver)
        if driver.continued is None:
            break
        changes = driver.continued.model_dump(exclude=KNOWN)
    assert met == [f"item-{n}" for n in range(1, items + 1)]
    assert driver.outcome.tally.done == items
    assert driver.outcome.tally.failed == len([n for n in failing if n <= items])
