"""A worker killed while it writes: every day is written once, and the sums are those of a quiet
run."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.client import Client

from tensorcost.activities.processes import Processes
from tensorcost.activities.rerating.activities import rerate_process
from tensorcost.activities.rerating.rerater import Rerater
from tensorcost.domain.cost.contracts_rerating import RERATE, RerateOutcome, RerateState
from tensorcost.runtime.embedded.temporal import TemporalAddress
from tensorcost.workers.plugin import temporal_plugin
from tests.support.databases import Database as TestDatabase
from tests.support.estate import NOWHERE
from tests.support.rerated import AT_3, NOVEMBER, Books
from tests.support.temporal_house import utc_now
from tests.support.tenants import app_database, make_tenant
from tests.support.worker_process import WorkerConfig, worker_process

DAYS, ROWS = 12, 500


@pytest.fixture
async def books(database: TestDatabase) -> AsyncIterator[Books]:
    async with app_database(database) as db:
        made = Books(db, await make_tenant(database), Rerater(db, utc_now))
        await made.price("2")
        start = NOVEMBER.replace(day=1)
        await made.use(
            *(start + timedelta(days=d, seconds=n) for d in range(DAYS) for n in range(ROWS))
        )
        await made.settled()
        await made.price("3")
        yield made


async def written(books: Books, days: int) -> None:
    """Return once so many days are committed."""
    while True:
        async with books.db.tenant(books.tenant) as tx:
            if await tx.scalar("SELECT count(*) FROM ai.rerating_day") >= days:
                return
        await asyncio.sleep(0.002)


@pytest.mark.chaos
@pytest.mark.parametrize("after", [0, 2, 5, 9])
async def test_a_worker_killed_while_it_writes_leaves_no_day_out_and_none_twice(
    database: TestDatabase,
    temporal_server: TemporalAddress,
    books: Books,
    tmp_path: Path,
    after: int,
) -> None:
    suffix = f"-{secrets.token_hex(4)}"
    config = WorkerConfig(temporal_server, database.urls.app, suffix, NOWHERE)
    client = await Client.connect(
        temporal_server.frontend, namespace=temporal_server.namespace, plugins=[temporal_plugin()]
    )
    process = rerate_process(await books.request())
    assert process.name == RERATE
    with worker_process(config, tmp_path) as first:
        await Processes(client, queue_suffix=suffix).start(process)
        await asyncio.wait_for(written(books, after + 1), 60)
        first.kill()
        first.wait()
    with worker_process(config, tmp_path):
        handle = client.get_workflow_handle(process.workflow_id, result_type=RerateOutcome)
        outcome: RerateOutcome = await asyncio.wait_for(handle.result(), 90)
    assert (outcome.state, outcome.rows) == (RerateState.APPLIED, DAYS * ROWS)
    assert {cost for cost, _ in await books.costs()} == {AT_3}
    assert len(await books.history()) == DAYS * ROWS
    await books.assert_sums_agree()
    assert len(await books.events("cost.restated")) == 1
