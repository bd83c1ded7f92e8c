"""Runs as rows: opened once, planned once, closed once, told on every way."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from tensorcost.activities.integration.runs import SILENT_FOR, RunActivities
from tensorcost.domain.events.catalogue import EventType
from tensorcost.domain.integration.contracts import ConnectionKey, Failure
from tensorcost.domain.integration.contracts_connection import Connection
from tensorcost.domain.integration.contracts_steps import (
    BackfillRequest,
    BackfillTicket,
    FailItem,
    FinishRun,
    NextItems,
    PlanRequest,
)
from tensorcost.domain.integration.plan import Site
from tensorcost.domain.integration.progress_records import SyncRun
from tensorcost.domain.integration.states import RunKind, RunState, SourceKind, StepState
from tensorcost.storage import integration, integration_sites, outbox, sync_history
from tensorcost.storage.session import Database
from tests.support.connections import ACCOUNT, NOW, make_connection
from tests.support.databases import Database as TestDatabase
from tests.support.tenants import app_database, make_tenant

SITES = [
    Site(SourceKind.LOGS_S3, ACCOUNT, "us-east-1", {"bucket": "b"}),
    Site(SourceKind.METRICS, ACCOUNT, "us-east-1"),
]


@pytest.fixture(scope="module")
async def db(database: TestDatabase) -> AsyncIterator[Database]:
    async with app_database(database) as opened:
        yield opened


class Bench:
    """One connection with two sites, and the activities at a clock of our own."""

    def __init__(self, db: Database, connection: Connection) -> None:
        self.db = db
        self.connection = connection
        self.now: datetime = NOW
        self.acts = RunActivities(db, lambda: self.now, tenant_cap=6)
        self.env = ActivityEnvironment()
        self.key = ConnectionKey(
            tenant_id=connection.tenant_id,
            connection_id=connection.connection_id,
            provider="bedrock",
        )

    async def open(self, run_id: UUID | None = None) -> tuple[UUID, BackfillTicket]:
        run_id = run_id or uuid4()
        request = BackfillRequest(
            connection=self.key, run_id=run_id, days=4, requested_by="user:a", now=self.now
        )
        return run_id, await self.env.run(self.acts.open_backfill, request)

    def plan(self, run_id: UUID, ticket: BackfillTicket) -> PlanRequest:
        assert ticket.window_end is not None
        return PlanRequest(
            connection=self.key,
            run_id=run_id,
            workflow_id=ticket.workflow_id,
            window_start=ticket.window_start,
            window_end=ticket.window_end,
        )

    async def finish(self, run_id: UUID, state: RunState) -> bool:
        order = FinishRun(connection=self.key, run_id=run_id, state=state)
        return (await self.env.run(self.acts.finish_run, order)).changed

    async def events(self) -> list[str]:
        async with self.db.tenant(self.connection.tenant_id) as tx:
            return [event.type for event in await outbox.events_after(tx, 0, limit=100)]

    async def run(self, run_id: UUID) -> SyncRun:
        async with self.db.tenant(self.connection.tenant_id) as tx:
            return await sync_history.get_run(tx, run_id)


@pytest.fixture
async def bench(db: Database, database: TestDatabase) -> Bench:
    connection = await make_connection(db, await make_tenant(database))
    async with db.tenant(connection.tenant_id) as tx:
        await integration_sites.replace_sites(tx, connection.connection_id, SITES, NOW)
    return Bench(db, connection)


async def test_a_retried_opening_meets_its_own_ticket(bench: Bench) -> None:
    run_id, first = await bench.open()
    _, again = await bench.open(run_id)
    assert (first.number, again) == (1, first)
    assert first.workflow_id.endswith("/backfill/1")
    assert first.window_end == NOW


async def test_no_backfill_is_needed_while_one_runs_or_after_one_completed(bench: Bench) -> None:
    run_id, _ = await bench.open()
    assert (await bench.open())[1].number == 0
    await bench.finish(run_id, RunState.COMPLETED)
    assert (await bench.open())[1].number == 0


async def test_a_failed_backfill_is_followed_by_the_next_number(bench: Bench) -> None:
    run_id, _ = await bench.open()
    await bench.finish(run_id, RunState.FAILED)
    assert (await bench.open())[1].number == 2


async def test_a_backfill_that_stands_still_for_hours_blocks_nobody(bench: Bench) -> None:
    run_id, _ = await bench.open()
    bench.now = NOW + SILENT_FOR
    assert (await bench.open())[1].number == 2
    assert (await bench.run(run_id)).note == "abandoned"


async def test_planning_is_told_once_and_repeats_as_it_was(bench: Bench) -> None:
    run_id, ticket = await bench.open()
    request = bench.plan(run_id, ticket)
    first = await bench.env.run(bench.acts.plan_backfill, request)
    again = await bench.env.run(bench.acts.plan_backfill, request)
    assert first.items == again.items == 5 + 1
    assert (await bench.events()).count(EventType.BACKFILL_STARTED) == 1


async def test_items_come_in_pages_until_none_is_open(bench: Bench) -> None:
    run_id, ticket = await bench.open()
    await bench.env.run(bench.acts.plan_backfill, bench.plan(run_id, ticket))
    met: list[int] = []
    while True:
        request = NextItems(
            connection=bench.key, run_id=run_id, after=met[-1] if met else 0, limit=4
        )
        page = await bench.env.run(bench.acts.next_items, request)
        if not page.items:
            break
        met += [item.position for item in page.items]
    assert met == [1, 2, 3, 4, 5, 6]


async def test_the_tenants_cap_is_shared_among_its_runs(bench: Bench, db: Database) -> None:
    run_id, ticket = await bench.open()
    alone = await bench.env.run(bench.acts.plan_backfill, bench.plan(run_id, ticket))
    second = await make_connection(db, bench.connection.tenant_id, account_id="222233334444")
    other = Bench(db, second)
    other_run, other_ticket = await other.open()
    shared = await other.env.run(other.acts.plan_backfill, other.plan(other_run, other_ticket))
    assert (alone.in_flight, shared.in_flight) == (6, 3)


async def test_an_item_that_was_given_up_keeps_its_reason(bench: Bench) -> None:
    run_id, ticket = await bench.open()
    await bench.env.run(bench.acts.plan_backfill, bench.plan(run_id, ticket))
    page = await bench.env.run(
        bench.acts.next_items, NextItems(connection=bench.key, run_id=run_id, after=0, limit=1)
    )
    failure = FailItem(
        connection=bench.key,
        run_id=run_id,
        step_key=page.items[0].step_key,
        code="CustomerMustAct",
        error="denied",
    )
    assert (await bench.env.run(bench.acts.fail_item, failure)).changed
    assert not (await bench.env.run(bench.acts.fail_item, failure)).changed
    async with bench.db.tenant(bench.connection.tenant_id) as tx:
        (step,) = await sync_history.list_steps(tx, run_id, limit=1)
    assert (step.state, step.detail) == (StepState.FAILED, "CustomerMustAct: denied")
    assert EventType.BACKFILL_PROGRESSED in await bench.events()


@pytest.mark.parametrize(
    ("state", "event"),
    [
        (RunState.COMPLETED, EventType.BACKFILL_COMPLETED),
        (RunState.FAILED, EventType.BACKFILL_FAILED),
        (RunState.CANCELLED, EventType.BACKFILL_FAILED),
    ],
)
async def test_a_run_is_closed_once_and_told_once(
    bench: Bench, state: RunState, event: EventType
) -> None:
    run_id, ticket = await bench.open()
    await bench.env.run(bench.acts.plan_backfill, bench.plan(run_id, ticket))
    assert await bench.finish(run_id, state)
    assert not await bench.finish(run_id, state)
    assert (await bench.events()).count(event) == 1
    async with bench.db.tenant(bench.connection.tenant_id) as tx:
        connection = await integration.get_connection(tx, bench.connection.connection_id)
        steps = await sync_history.list_steps(tx, run_id, limit=10)
    assert (connection.last_synced_at is not None) == (state is RunState.COMPLETED)
    left = {StepState.PENDING} if state is RunState.COMPLETED else {StepState.SKIPPED}
    assert {step.state for step in steps} == left


async def test_a_sync_opens_its_run_and_reads_from_the_watermarks(bench: Bench) -> None:
    watermark = NOW - timedelta(minutes=15)
    async with bench.db.tenant(bench.connection.tenant_id) as tx:
        for site in SITES:
            await integration_sites.advance_watermark(
                tx, bench.connection.connection_id, site.key, watermark, NOW
            )
    run_id = uuid4()
    request = PlanRequest(connection=bench.key, run_id=run_id, workflow_id="sync", window_end=NOW)
    planned = await bench.env.run(bench.acts.plan_sync, request)
    again = await bench.env.run(bench.acts.plan_sync, request)
    assert planned.items == again.items == 2
    run = await bench.run(run_id)
    assert (run.kind, run.state, run.window_end) == (RunKind.SYNC, RunState.RUNNING, NOW)
    async with bench.db.tenant(bench.connection.tenant_id) as tx:
        steps = await sync_history.list_steps(tx, run_id, limit=10)
    starts: dict[str, Any] = {step.source: step.window_start for step in steps}
    assert starts[SourceKind.LOGS_S3] == watermark - timedelta(hours=2)
    assert (await bench.events()).count(EventType.SYNC_STARTED) == 1


async def test_a_connection_that_is_gone_ends_its_syncs(bench: Bench) -> None:
    stranger = bench.key.model_copy(update={"connection_id": uuid4()})
    request = PlanRequest(connection=stranger, run_id=uuid4(), workflow_id="sync", window_end=NOW)
    with pytest.raises(ApplicationError) as caught:
        await bench.env.run(bench.acts.plan_sync, request)
    assert (caught.value.type, caught.value.non_retryable) == (Failure.CONNECTION_GONE, True)
