"""Small items that one activity reads: each ends, fails and is told as if it were alone."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

import pytest
from temporalio.exceptions import ApplicationError

from tensorcost.activities.integration.attempts import WITHHELD
from tensorcost.activities.integration.ports import ConnectorError, ReadJob
from tensorcost.domain.events.catalogue import EventType
from tensorcost.domain.integration.contracts import Failure, Tally
from tensorcost.domain.integration.contracts_findings import NewFinding, Severity
from tensorcost.domain.integration.contracts_steps import (
    ItemLeft,
    ItemOrder,
    ItemsOrder,
    ItemsOutcome,
)
from tensorcost.domain.integration.plan import WorkItem
from tensorcost.domain.integration.progress_records import SyncStep
from tensorcost.domain.integration.states import StepState
from tensorcost.storage import outbox, sync_history, sync_steps
from tensorcost.storage.audit import AuditFilter, list_entries
from tensorcost.storage.integration_sites import watermarks
from tests.activities.integration.item_bench import Bench
from tests.support.connections import NOW, log_item
from tests.support.scripted_connector import metric_site

REGIONS = ("us-east-1", "us-east-2", "us-west-2", "eu-west-1")
LOGS = [log_item(1, region=region) for region in REGIONS]
METRICS = [
    WorkItem(f"{site.key}/w", position, site, NOW - timedelta(hours=3), NOW)
    for position, site in enumerate((metric_site(region) for region in REGIONS), start=1)
]
SLOW_DOWN = ConnectorError("THROTTLED", "slow down", retry_after=7)


@pytest.fixture
async def bench(bench: Bench) -> Bench:
    """A run of many small items, at the first attempt to read them."""
    async with bench.db.tenant(bench.connection.tenant_id) as tx:
        await sync_steps.plan_steps(tx, bench.order.run_id, [*LOGS, *METRICS], NOW)
    bench.resume_from(attempt=1)
    return bench


async def together(bench: Bench, items: list[WorkItem]) -> ItemsOutcome:
    order = ItemsOrder(
        connection=bench.order.connection,
        run_id=bench.order.run_id,
        step_keys=tuple(item.step_key for item in items),
    )
    return await bench.env.run(bench.acts.ingest_items, order)


async def alone(bench: Bench, left: ItemLeft) -> Tally:
    order = ItemOrder(
        connection=bench.order.connection,
        run_id=bench.order.run_id,
        step_key=left.step_key,
        tried=left.tried,
    )
    return (await bench.env.run(bench.acts.ingest_item, order)).tally


async def steps(bench: Bench) -> dict[str, SyncStep]:
    async with bench.db.tenant(bench.connection.tenant_id) as tx:
        found = await sync_history.list_steps(tx, bench.order.run_id, limit=20)
    return {step.step_key: step for step in found}


def failing(item: WorkItem, error: Exception) -> Callable[[ReadJob], ConnectorError | None]:
    def fail(job: ReadJob) -> ConnectorError | None:
        if job.item.step_key != item.step_key:
            return None
        if isinstance(error, ConnectorError):
            return error
        raise error

    return fail


async def test_every_item_is_counted_on_its_own_step_and_moves_its_own_watermark(
    bench: Bench,
) -> None:
    outcome = await together(bench, LOGS)
    assert outcome.left == ()
    assert (outcome.tally.done, outcome.tally.accepted, outcome.tally.objects) == (4, 24, 8)
    told = await steps(bench)
    for item in LOGS:
        step = told[item.step_key]
        assert (step.state, step.attempt, step.tally.accepted) == (StepState.COMPLETED, 1, 6)
    async with bench.db.tenant(bench.connection.tenant_id) as tx:
        marks = await watermarks(tx, bench.connection.connection_id)
        pulled = await list_entries(tx, AuditFilter(action="data.pulled"), limit=9, after=None)
        run = await sync_history.get_run(tx, bench.order.run_id)
    assert marks == {item.site.key: item.window_end for item in LOGS}
    assert {entry.detail["region"] for entry in pulled} == set(REGIONS)
    assert len(pulled) == 4
    assert (run.tally.done, run.tally.accepted) == (4, 24)
    assert await bench.rows() == await bench.requests() == 24


async def test_metrics_of_several_places_share_a_transaction_and_not_their_counters(
    bench: Bench,
) -> None:
    assert (await together(bench, METRICS)).tally.accepted == 4
    assert {(await steps(bench))[i.step_key].tally.accepted for i in METRICS} == {1}
    async with bench.db.tenant(bench.connection.tenant_id) as tx:
        assert await tx.scalar("SELECT count(*) FROM ai.ingest_batch") == 1
    assert await bench.requests() == 40


async def test_a_second_run_of_the_same_order_changes_nothing(bench: Bench) -> None:
    first = await together(bench, LOGS)
    assert (await together(bench, LOGS)) == first
    assert len(bench.connector.reads) == 4


@pytest.mark.parametrize("items", [LOGS, METRICS])
async def test_an_item_to_be_tried_later_is_left_and_the_others_end(
    bench: Bench, items: list[WorkItem]
) -> None:
    bench.connector.fail = failing(items[1], SLOW_DOWN)
    outcome = await together(bench, items)
    (left,) = outcome.left
    assert (left.step_key, left.tried, left.after) == (items[1].step_key, 1, timedelta(seconds=7))
    assert not left.final
    assert outcome.tally.done == 3
    step = (await steps(bench))[left.step_key]
    assert (step.state, step.attempt, step.error_code) == (StepState.RETRYING, 1, "THROTTLED")
    bench.connector.fail = lambda _job: None
    assert (await alone(bench, left)).done == 1
    step = (await steps(bench))[left.step_key]
    assert (step.state, step.attempt, step.error_code) == (StepState.COMPLETED, 2, "")


async def test_a_denied_item_is_left_for_good_with_its_finding(bench: Bench) -> None:
    finding = NewFinding(
        code="LOG_BUCKET_DENIED",
        severity=Severity.WARNING,
        title="The role may not read the bucket",
        remedy="Allow it.",
        subject=f"{LOGS[0].site.account_id}/{LOGS[0].site.region}",
    )
    error = ConnectorError("LOG_BUCKET_DENIED", "no", retry_after=None, finding=finding)
    bench.connector.fail = failing(LOGS[0], error)
    (left,) = (await together(bench, LOGS)).left
    assert (left.final, left.code, left.error) == (True, "LOG_BUCKET_DENIED", "no")
    assert [found.subject for found in await bench.findings()] == [finding.subject]


async def test_after_an_object_that_cannot_be_read_only_its_own_item_stops(bench: Bench) -> None:
    bench.connector.objects_per_item = 3
    torn = f"{LOGS[1].step_key}/0001.json.gz"
    bench.connector.torn = {torn: SLOW_DOWN}
    outcome = await together(bench, LOGS)
    (left,) = outcome.left
    assert left.step_key == LOGS[1].step_key
    assert outcome.tally.accepted == 27
    step = (await steps(bench))[left.step_key]
    assert (step.state, step.tally.accepted) == (StepState.RETRYING, 3)  # up to the torn one
    bench.connector.torn = {}
    assert (await alone(bench, left)).accepted == 9
    assert await bench.rows() == await bench.requests() == 36


async def test_an_error_of_our_own_leaves_every_item_that_has_not_ended(bench: Bench) -> None:
    bench.connector.fail = failing(LOGS[2], ValueError("a prompt"))
    outcome = await together(bench, LOGS)
    assert [left.step_key for left in outcome.left] == [item.step_key for item in LOGS]
    told = await steps(bench)
    assert {told[item.step_key].error for item in LOGS} == {WITHHELD}
    bench.connector.fail = lambda _job: None
    for left in outcome.left:
        assert (await alone(bench, left)).accepted == 6
    assert await bench.rows() == await bench.requests() == 24


async def test_a_shutdown_keeps_what_ended_and_asks_for_the_rest_to_be_retried(
    bench: Bench,
) -> None:
    bench.env.worker_shutdown()
    with pytest.raises(ApplicationError) as caught:
        await together(bench, LOGS)
    assert (caught.value.type, caught.value.non_retryable) == (Failure.DRAINING, False)
    assert (await steps(bench))[LOGS[0].step_key].tally.accepted == 6
    bench.resume_from(attempt=2)
    outcome = await together(bench, LOGS)
    assert (outcome.left, outcome.tally.done, outcome.tally.accepted) == ((), 4, 24)
    assert await bench.rows() == await bench.requests() == 24


async def test_what_is_refused_is_told_of_the_item_whose_it_is(bench: Bench) -> None:
    bench.connector.rejects_per_object = 1
    await together(bench, LOGS[:2])
    async with bench.db.tenant(bench.connection.tenant_id) as tx:
        events = await outbox.events_after(tx, 0, limit=100)
        kept = await sync_history.list_quarantined(tx, limit=10, run_id=bench.order.run_id)
    told = [event.data for event in events if event.type == EventType.SYNC_QUARANTINED]
    assert [(one["step_key"], one["rejected"]) for one in told] == [
        (item.step_key, 2) for item in LOGS[:2]
    ]
    assert len(kept) == 4


async def test_an_item_that_is_done_ends_while_those_after_it_are_read(bench: Bench) -> None:
    bench.connector.objects_per_item, bench.connector.rows_per_object = 64, 1
    met: list[dict[str, SyncStep]] = []
    loop = asyncio.get_running_loop()

    def look(job: ReadJob) -> None:
        bench.now += timedelta(seconds=2)
        if job.item.step_key == LOGS[2].step_key:
            met.append(asyncio.run_coroutine_threadsafe(steps(bench), loop).result(10))

    bench.connector.fail = look
    await together(bench, LOGS)
    states = [met[0][item.step_key].state for item in LOGS]
    assert states == [StepState.COMPLETED, *[StepState.RUNNING] * 3]
    assert met[0][LOGS[1].step_key].tally.objects > 0
