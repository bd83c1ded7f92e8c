"""Runs as rows: opened once, planned once, closed once, told on every way."""

from datetime import date, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from temporalio.exceptions import ApplicationError

from tensorcost.activities.integration.backfills import SILENT_FOR
from tensorcost.domain.cost.contracts import ReconcileRequest
from tensorcost.domain.events.catalogue import EventType
from tensorcost.domain.ids import TenantId
from tensorcost.domain.integration.contracts import Failure, Tally
from tensorcost.domain.integration.contracts_steps import (
    FailItem,
    NextItems,
    PlanRequest,
)
from tensorcost.domain.integration.plan import Site
from tensorcost.domain.integration.states import RunKind, RunState, SourceKind, StepState
from tensorcost.storage import integration, integration_sites, sync_history
from tensorcost.storage.session import Database
from tensorcost.storage.sync_steps import StepSaving, open_steps, save_step
from tests.activities.integration.runs_bench import LOGS, METRICS, SITES, Bench
from tests.support.bills import OCTOBER, bill_line, load_bill
from tests.support.connections import ACCOUNT, NOW, make_connection


@pytest.fixture
async def bench(db: Database, tenant: TenantId) -> Bench:
    connection = await make_connection(db, tenant)
    async with db.tenant(connection.tenant_id) as tx:
        await integration_sites.replace_sites(tx, connection.connection_id, SITES, NOW)
    return Bench(db, connection)


async def test_a_retried_opening_meets_its_own_ticket(bench: Bench) -> None:
    run_id, first = await bench.open()
    _, again = await bench.open(run_id)
    assert (first.number, again) == (1, first)
    assert first.workflow_id.endswith("/backfill/1")
    assert first.window_end == NOW


async def test_no_backfill_is_needed_while_one_runs_or_once_every_site_was_read(
    bench: Bench,
) -> None:
    _, ticket = await bench.open()
    assert (ticket.number, (await bench.open())[1].number) == (1, 0)
    bench.now += SILENT_FOR
    await bench.backfill()
    assert (await bench.open())[1].number == 0
    _, ended = await bench.sync()
    assert (ended.changed, ended.owes_backfill) == (True, False)


async def test_a_source_found_after_the_backfill_is_read_on_its_own(bench: Bench) -> None:
    await bench.discover([METRICS])
    await bench.backfill()
    await bench.discover([METRICS, LOGS])
    run_id, ticket = await bench.open()
    assert ticket.number == 2
    await bench.env.run(bench.acts.plan_backfill, bench.plan(run_id, ticket))
    assert await bench.sources(run_id) == {SourceKind.LOGS_S3}


async def test_a_member_account_found_later_is_read_on_its_own(bench: Bench) -> None:
    await bench.backfill()
    joined = Site(SourceKind.METRICS, "222233334444", "us-east-1")
    await bench.discover([*SITES, joined])
    run_id, ticket = await bench.open()
    planned = await bench.env.run(bench.acts.plan_backfill, bench.plan(run_id, ticket))
    async with bench.db.tenant(bench.connection.tenant_id) as tx:
        steps = await sync_history.list_steps(tx, run_id, limit=100)
    assert planned.items == len(steps) > 0
    assert {step.account_id for step in steps} == {"222233334444"}


async def test_logs_that_move_to_another_bucket_have_a_past_of_their_own(bench: Bench) -> None:
    await bench.backfill()
    moved = Site(SourceKind.LOGS_S3, ACCOUNT, "us-east-1", {"bucket": "another"})
    await bench.discover([moved, METRICS])
    run_id, ticket = await bench.open()
    await bench.env.run(bench.acts.plan_backfill, bench.plan(run_id, ticket))
    assert await bench.sources(run_id) == {SourceKind.LOGS_S3}
    async with bench.db.tenant(bench.connection.tenant_id) as tx:
        items = await open_steps(tx, run_id, after=0, limit=100)
    assert {item.site.params["bucket"] for item in items} == {"another"}


async def test_profiles_that_become_readable_need_no_backfill(bench: Bench) -> None:
    await bench.backfill()
    await bench.discover([*SITES, Site(SourceKind.PROFILES, ACCOUNT, "us-east-1")])
    assert (await bench.open())[1].number == 0


async def test_the_first_sync_that_reads_a_source_asks_for_its_past(bench: Bench) -> None:
    _, first = await bench.backfill(failing="logs")
    _, still = await bench.sync(failing="logs")
    assert not still.owes_backfill
    bench.now += timedelta(minutes=15)
    sync_id, healed = await bench.sync()
    assert healed.owes_backfill
    assert (await bench.finish(sync_id, RunState.COMPLETED)).owes_backfill  # a retried close
    run_id, ticket = await bench.open(after_sync=sync_id)
    _, again = await bench.open(run_id, after_sync=sync_id)
    assert (ticket.number, again) == (2, ticket)
    assert first.window_start == ticket.window_start  # as many days as the first
    await bench.env.run(bench.acts.plan_backfill, bench.plan(run_id, ticket))
    assert await bench.sources(run_id) == {SourceKind.LOGS_S3}
    assert not (await bench.sync())[1].owes_backfill  # it is under way
    await bench.work(run_id)
    await bench.finish(run_id, RunState.COMPLETED)
    assert not (await bench.sync())[1].owes_backfill


async def test_a_past_that_stays_unreadable_is_not_tried_after_every_sync(bench: Bench) -> None:
    await bench.backfill(failing="logs")
    sync_id, _ = await bench.sync()
    run_id, ticket = await bench.open(after_sync=sync_id)
    await bench.env.run(bench.acts.plan_backfill, bench.plan(run_id, ticket))
    await bench.work(run_id, failing="logs")
    await bench.finish(run_id, RunState.FAILED)
    bench.now += timedelta(minutes=15)
    assert not (await bench.sync())[1].owes_backfill
    bench.now += timedelta(minutes=45)
    assert (await bench.sync())[1].owes_backfill
    assert (await bench.open())[1].number == 3  # a person who validates need not wait


async def test_a_backfill_that_a_person_stopped_is_not_begun_again_by_a_sync(
    bench: Bench,
) -> None:
    run_id, ticket = await bench.open()
    await bench.env.run(bench.acts.plan_backfill, bench.plan(run_id, ticket))
    await bench.finish(run_id, RunState.CANCELLED)
    assert not (await bench.sync())[1].owes_backfill
    assert (await bench.open())[1].number == 2


async def test_before_the_first_backfill_a_sync_asks_for_none(bench: Bench) -> None:
    assert not (await bench.sync())[1].owes_backfill


async def test_what_a_stopped_backfill_had_read_whole_is_not_read_again(bench: Bench) -> None:
    run_id, ticket = await bench.open()
    await bench.env.run(bench.acts.plan_backfill, bench.plan(run_id, ticket))
    async with bench.db.tenant(bench.connection.tenant_id) as tx:
        for step in await sync_history.list_steps(tx, run_id, limit=100):
            if step.source == SourceKind.METRICS:
                done = StepSaving(run_id, step.step_key, StepState.COMPLETED, Tally())
                await save_step(tx, done, bench.now)
    await bench.finish(run_id, RunState.CANCELLED)
    second, ticket = await bench.open()
    await bench.env.run(bench.acts.plan_backfill, bench.plan(second, ticket))
    assert await bench.sources(second) == {SourceKind.LOGS_S3}


async def test_a_run_says_that_some_of_what_it_read_was_refused(bench: Bench) -> None:
    run_id, ticket = await bench.open()
    await bench.env.run(bench.acts.plan_backfill, bench.plan(run_id, ticket))
    async with bench.db.tenant(bench.connection.tenant_id) as tx:
        for step in await sync_history.list_steps(tx, run_id, limit=100):
            code = "BILL_REFUSED" if step.source == SourceKind.METRICS else ""
            done = StepSaving(run_id, step.step_key, StepState.COMPLETED, Tally(), error_code=code)
            await save_step(tx, done, bench.now)
    await bench.finish(run_id, RunState.COMPLETED)
    note = (await bench.run(run_id)).note
    assert note == "refused or set aside, see the steps: BILL_REFUSED"


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


async def many_sites(bench: Bench, accounts: int) -> UUID:
    """A planned sync of so many accounts, each read an hour ago."""
    sites = [Site(SourceKind.METRICS, f"{n:012}", "us-east-1") for n in range(accounts)]
    await bench.discover(sites)
    async with bench.db.tenant(bench.connection.tenant_id) as tx:
        reached = {site.key: NOW - timedelta(hours=1) for site in sites}
        await integration_sites.advance_watermarks(tx, bench.connection.connection_id, reached, NOW)
    run_id = uuid4()
    request = PlanRequest(connection=bench.key, run_id=run_id, workflow_id="sync", window_end=NOW)
    await bench.env.run(bench.acts.plan_sync, request)
    return run_id


@pytest.mark.parametrize(
    ("accounts", "asked", "sizes"),
    [
        (100, 8, {8, 4}),  # as many as asked for
        (40, 8, {3, 1}),  # two rounds of six lanes
        (20, 8, {1}),  # too few to keep every lane busy
        (100, 1, {1}),  # a run that began before small items were gathered
    ],
)
async def test_small_items_are_gathered_where_every_lane_has_enough(
    bench: Bench, accounts: int, asked: int, sizes: set[int]
) -> None:
    run_id = await many_sites(bench, accounts)
    request = NextItems(connection=bench.key, run_id=run_id, after=0, limit=100, together=asked)
    page = await bench.env.run(bench.acts.next_items, request)
    assert {1 + len(item.others) for item in page.items} == sizes
    keys = [key for item in page.items for key in (item.step_key, *item.others)]
    assert len(set(keys)) == accounts
    assert page.items[-1].position == accounts


async def test_a_page_after_a_gathered_one_begins_behind_its_last_item(bench: Bench) -> None:
    run_id = await many_sites(bench, 100)
    met: list[str] = []
    after = 0
    while True:
        request = NextItems(connection=bench.key, run_id=run_id, after=after, limit=60, together=8)
        page = await bench.env.run(bench.acts.next_items, request)
        if not page.items:
            break
        met += [key for item in page.items for key in (item.step_key, *item.others)]
        after = page.items[-1].position
    assert len(met) == len(set(met)) == 100


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
    assert (step.error_code, step.error) == ("CustomerMustAct", "denied")
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
    assert (await bench.finish(run_id, state)).changed
    assert not (await bench.finish(run_id, state)).changed
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
        reached = {site.key: watermark for site in SITES}
        await integration_sites.advance_watermarks(tx, bench.connection.connection_id, reached, NOW)
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


async def test_what_a_run_read_is_held_against_the_bill_once_there_is_one(bench: Bench) -> None:
    run_id, _ = await bench.backfill()
    assert bench.asked == [], "no bill, nothing to do"
    await load_bill(bench.db, bench.connection.tenant_id, [bill_line(OCTOBER)])
    for _ in range(2):
        await bench.finish(run_id, RunState.COMPLETED)
    wanted = ReconcileRequest(tenant_id=bench.connection.tenant_id, requested_by="system:ingest")
    assert bench.asked == [wanted, wanted], "a repeat asks again: the first may have been lost"


async def test_a_sync_reads_every_bill_again_that_is_not_final(bench: Bench) -> None:
    origin = str(bench.connection.connection_id)
    site = Site(SourceKind.BILL, ACCOUNT, "", {"place": "daily"})
    august = date(2026, 8, 1)
    async with bench.db.tenant(bench.connection.tenant_id) as tx:
        await integration_sites.replace_sites(tx, bench.connection.connection_id, [site], NOW)
    for month in (august, OCTOBER):
        await load_bill(
            bench.db,
            bench.connection.tenant_id,
            [bill_line(month)],
            period=month,
            origin=origin,
        )
    run_id = uuid4()
    request = PlanRequest(connection=bench.key, run_id=run_id, workflow_id="sync", window_end=NOW)
    await bench.env.run(bench.acts.plan_sync, request)
    async with bench.db.tenant(bench.connection.tenant_id) as tx:
        steps = await sync_history.list_steps(tx, run_id, limit=10)
    (bill,) = [step for step in steps if step.source == SourceKind.BILL]
    assert bill.window_start is not None
    assert bill.window_start.date() == august


async def test_a_connection_that_is_gone_ends_its_syncs(bench: Bench) -> None:
    stranger = bench.key.model_copy(update={"connection_id": uuid4()})
    request = PlanRequest(connection=stranger, run_id=uuid4(), workflow_id="sync", window_end=NOW)
    with pytest.raises(ApplicationError) as caught:
        await bench.env.run(bench.acts.plan_sync, request)
    assert (caught.value.type, caught.value.non_retryable) == (Failure.CONNECTION_GONE, True)
