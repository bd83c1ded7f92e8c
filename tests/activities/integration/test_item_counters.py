"""What a run counts is what it committed, however often an attempt dies on the way."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from tensorcost.domain.integration.contracts import Failure, Tally
from tensorcost.domain.integration.contracts_steps import ItemsOrder
from tensorcost.domain.integration.plan import Site, WorkItem
from tensorcost.domain.integration.states import SourceKind, StepState
from tensorcost.storage import sync_history, sync_steps
from tensorcost.storage.session import Database
from tests.activities.integration.item_bench import Bench, make_bench
from tests.support.connections import ACCOUNT, NOW, make_run
from tests.support.databases import Database as TestDatabase
from tests.support.tenants import make_tenant

REGIONS = ("us-east-1", "eu-west-1")
PATIENCE = 20
"""Attempts: more than there are chunks."""


class Gate(threading.Event):
    """Says when somebody waits for it."""

    def __init__(self) -> None:
        super().__init__()
        self.met = threading.Event()

    def wait(self, timeout: float | None = None) -> bool:
        self.met.set()
        return super().wait(timeout)


class Killed(BaseException):
    """No handler of ours hears of a kill, and none writes anything."""


@dataclass(frozen=True)
class Arrival:
    """What a run says of itself, and what is there."""

    steps: dict[str, tuple[StepState, str, Tally]]
    run: Tally
    rows: int
    requests: int
    findings: list[tuple[str, str]]


Ingest = Callable[[Bench, list[WorkItem]], Awaitable[Tally]]
Make = Callable[[list[WorkItem]], Awaitable[Bench]]


async def alone(bench: Bench, items: list[WorkItem]) -> Tally:
    found = Tally()
    for item in items:
        bench.order = bench.order.model_copy(update={"step_key": item.step_key})
        found += (await bench.ingest()).tally
    return found


async def together(bench: Bench, items: list[WorkItem]) -> Tally:
    keys = tuple(item.step_key for item in items)
    order = ItemsOrder(connection=bench.order.connection, run_id=bench.order.run_id, step_keys=keys)
    outcome = await bench.env.run(bench.acts.ingest_items, order)
    assert outcome.left == ()
    return outcome.tally


def items_of(source: SourceKind) -> list[WorkItem]:
    # A bill is one place's; two accounts bring months of their own.
    sites = [
        Site(source, f"{int(ACCOUNT) + n}", region, {"place": f"{n}"})
        for n, region in enumerate(REGIONS)
    ]
    start = [NOW.replace(hour=0) - timedelta(days=366 * n) for n in range(len(sites))]
    return [
        WorkItem(f"{site.key}/w", n, site, start[n - 1], start[n - 1] + timedelta(hours=6))
        for n, site in enumerate(sites, start=1)
    ]


@pytest.fixture
def make(db: Database, database: TestDatabase, threads: ThreadPoolExecutor) -> Make:
    async def made(items: list[WorkItem]) -> Bench:
        bench = await make_bench(db, await make_tenant(database), threads)
        async with db.tenant(bench.connection.tenant_id) as tx:
            await sync_steps.plan_steps(tx, bench.order.run_id, items, NOW)
        connector = bench.connector
        connector.objects_per_item = connector.windows_in_metrics = 3
        connector.repeats_per_object = connector.rejects_per_object = 1
        # Beats then come from committed chunks only.
        bench.acts = replace(bench.acts, beat_every=timedelta(minutes=1))
        bench.resume_from(attempt=1)
        return bench

    return made


async def arrival(bench: Bench, items: list[WorkItem]) -> Arrival:
    keys = {item.step_key for item in items}
    async with bench.db.tenant(bench.connection.tenant_id) as tx:
        found = await sync_history.list_steps(tx, bench.order.run_id, limit=9)
        run = await sync_history.get_run(tx, bench.order.run_id)
    findings = [(one.code, one.subject) for one in await bench.findings()]
    return Arrival(
        {one.step_key: (one.state, one.detail, one.tally) for one in found if one.step_key in keys},
        run.tally,
        await bench.rows(),
        await bench.requests(),
        sorted(findings),
    )


async def until_done(
    bench: Bench, items: list[WorkItem], ingest: Ingest, die_at: int
) -> tuple[Tally, int]:
    """Attempts that each die once so many chunks are committed; the last one's outcome, and how
    many died."""
    for attempt in range(1, PATIENCE):
        bench.resume_from(attempt=attempt)
        beats = 0

        def beat(_details: Any) -> None:
            nonlocal beats
            beats += 1
            if beats == die_at:
                raise Killed

        bench.env.on_heartbeat = beat
        try:
            return await ingest(bench, items), attempt - 1
        except Killed:
            continue
    raise AssertionError("no attempt came to its end")


@pytest.mark.parametrize("die_at", [1, 2])
@pytest.mark.parametrize("ingest", [alone, together])
@pytest.mark.parametrize("source", SourceKind)
async def test_attempts_that_die_after_a_commit_change_no_counter(
    make: Make, source: SourceKind, ingest: Ingest, die_at: int
) -> None:
    items = items_of(source)
    calm, killed = await make(items), await make(items)
    expected = await ingest(calm, items)
    found, deaths = await until_done(killed, items, ingest, die_at)
    assert deaths > 0
    assert found == expected
    assert await arrival(killed, items) == await arrival(calm, items)
    # An undisturbed run is held against what was written down, so that both cannot be wrong.
    assert (expected.done, expected.objects) == (2, 6)
    if source in (SourceKind.LOGS_S3, SourceKind.LOGS_CLOUDWATCH):
        assert (expected.accepted, expected.duplicate, expected.rejected) == (18, 6, 6)
        assert expected.unpriced == 24  # rows read, no price list here
    elif source is SourceKind.METRICS:
        assert (expected.accepted, expected.unpriced) == (6, 6)
    elif source is SourceKind.BILL:
        assert (expected.accepted, expected.rejected) == (18, 6)


async def test_a_row_that_comes_again_in_a_later_run_is_a_duplicate(make: Make) -> None:
    items = items_of(SourceKind.LOGS_CLOUDWATCH)
    bench = await make(items)
    first = await alone(bench, items)
    run = await make_run(bench.db, bench.connection)
    async with bench.db.tenant(bench.connection.tenant_id) as tx:
        await sync_steps.plan_steps(tx, run.run_id, items, NOW)
    bench.order = bench.order.model_copy(update={"run_id": run.run_id})
    again, _ = await until_done(bench, items, alone, 1)
    assert (again.accepted, again.duplicate) == (0, first.accepted + first.duplicate)


async def test_an_attempt_that_another_one_has_followed_leaves_nothing_behind(
    make: Make,
) -> None:
    """Temporal took it for dead; it only had no heartbeat through, and still held its rows."""
    items = items_of(SourceKind.LOGS_CLOUDWATCH)[:1]
    calm, bench = await make(items), await make(items)
    await alone(calm, items)
    gate = bench.connector.gate = Gate()
    late = asyncio.create_task(alone(bench, items))
    assert await asyncio.to_thread(gate.met.wait, 20)
    bench.connector.gate = None
    bench.resume_from(attempt=2)
    await alone(bench, items)
    gate.set()
    with pytest.raises(ApplicationError) as caught:
        await late
    assert caught.value.type == Failure.SUPERSEDED
    assert not caught.value.non_retryable
    assert await arrival(bench, items) == await arrival(calm, items)


async def test_a_bill_whose_attempt_dies_is_told_all_the_same(make: Make) -> None:
    items = items_of(SourceKind.BILL)
    bench = await make(items)
    await until_done(bench, items, alone, 1)
    found = await arrival(bench, items)
    assert [code for code, _ in found.findings] == ["BILL_ROWS_REJECTED"] * 6
    assert all("BILL_ROWS_REJECTED" in detail for _, detail, _ in found.steps.values())
