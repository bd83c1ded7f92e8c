"""An emulated organisation, from the role to the rows on real servers; with a killed worker too."""

import asyncio
import os
import secrets
import signal
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.client import Client

from demo.aws.control import SimControl
from demo.world.spec import World
from tensorcost.activities.integration.bedrock.connector import BedrockConnector
from tensorcost.activities.processes import Processes
from tensorcost.domain.ids import TenantId
from tensorcost.domain.integration.contracts_connection import Connection
from tensorcost.domain.integration.progress_records import SyncRun
from tensorcost.domain.integration.states import (
    Coverage,
    RunKind,
    RunState,
    SourceKind,
)
from tensorcost.runtime.embedded.temporal import TemporalAddress
from tensorcost.services.processes import IntegrationProcesses
from tensorcost.storage import integration, sync_history
from tensorcost.storage.session import Database
from tensorcost.workers.plugin import temporal_plugin
from tests.support.databases import Database as TestDatabase
from tests.support.estate import Estate, connect_world, logged_totals, recent_world, truth_of
from tests.support.runs import Runs, newest_run
from tests.support.temporal_house import finish, open_house, utc_now
from tests.support.truths import read_truths
from tests.support.worker_process import WorkerConfig, worker_process

DAYS = 12
BATCH_PLACE = ("222233334444", "us-west-2")
"""Where only batch jobs run: nothing counts them, so that the bill alone names the place."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return recent_world(tmp_path_factory, days=DAYS, requests=2_500)


@pytest.fixture
def aws(simulator: SimControl, world: World) -> SimControl:
    simulator.seed_folder(world.path)
    return simulator


def processes(inner: Processes) -> IntegrationProcesses:
    return IntegrationProcesses(inner, backfill_days=DAYS + 1, interval=timedelta(milliseconds=300))


@pytest.mark.slow
async def test_an_organisation_is_connected_and_every_request_is_found_once(
    db: Database,
    tenant: TenantId,
    temporal_server: TemporalAddress,
    aws: SimControl,
    world: World,
) -> None:
    connection = await connect_world(db, tenant, world)
    connector = BedrockConnector(Estate.of(aws.endpoint_url, world).sessions(), utc_now)
    async with open_house(temporal_server, db, connector) as house:
        await processes(house.processes).validate(connection, "user:fake")
        outcome = await finish(house.client, connection)
        assert await logged_totals(db, tenant) == truth_of(world)
        runs = Runs(house, connection)
        await runs.sync_now()
        synced = await runs.ended(RunKind.SYNC)
    assert outcome.state is synced.state is RunState.COMPLETED
    assert (outcome.tally.failed, synced.tally.failed) == (0, 0)
    assert synced.tally.duplicate > 0  # the overlap was read again
    assert await logged_totals(db, tenant) == truth_of(world)
    async with db.tenant(tenant) as tx:
        accounts = await integration.list_accounts(tx, connection.connection_id)
        bills = await tx.scalar("SELECT count(*) FROM ai.bill_line")
        run = await sync_history.get_run(tx, outcome.run_id)
    covered = {a.account_id for a in accounts if a.coverage is Coverage.COVERED}
    assert covered == {world.reader_account, *world.members_with_jump_role}
    assert {a.account_id for a in accounts} - covered
    assert bills > 0
    assert run.tally.done == outcome.items > DAYS


@pytest.mark.slow
@pytest.mark.chaos
async def test_a_worker_killed_in_the_middle_of_a_backfill_changes_no_total(
    db: Database,
    database: TestDatabase,
    tenant: TenantId,
    temporal_server: TemporalAddress,
    aws: SimControl,
    world: World,
    tmp_path: Path,
) -> None:
    connection = await connect_world(db, tenant, world)
    suffix = f"-{secrets.token_hex(4)}"
    config = WorkerConfig(
        temporal_server, database.urls.app, suffix, Estate.of(aws.endpoint_url, world)
    )
    client = await Client.connect(
        temporal_server.frontend,
        namespace=temporal_server.namespace,
        plugins=[temporal_plugin()],
    )
    with worker_process(config, tmp_path) as worker:
        await processes(Processes(client, queue_suffix=suffix)).validate(connection, "user:fake")
        before = await wait_for_progress(db, connection)
        os.kill(worker.pid, signal.SIGKILL)
        await asyncio.to_thread(worker.wait)
    with worker_process(config, tmp_path):
        outcome = await finish(client, connection)
        truths = await read_truths(db, client, tenant)
    truths.assert_consistent()
    assert truths.failed_steps == 0
    assert 0 < before.tally.done < before.steps_total
    assert outcome.state is RunState.COMPLETED
    assert await logged_totals(db, tenant) == truth_of(world)
    async with db.tenant(tenant) as tx:
        run = await sync_history.get_run(tx, outcome.run_id)
        loaded = await tx.scalar(
            "SELECT sum(rows_accepted)::bigint FROM ai.ingest_batch WHERE run_id = :run",
            run=outcome.run_id,
        )
    assert run.tally.accepted >= loaded
    assert run.tally.done == run.steps_total


@pytest.mark.slow
async def test_a_bucket_that_opens_after_the_backfill_is_read_back_to_its_beginning(
    db: Database,
    tenant: TenantId,
    temporal_server: TemporalAddress,
    aws: SimControl,
    world: World,
) -> None:
    connection = await connect_world(db, tenant, world)
    connector = BedrockConnector(Estate.of(aws.endpoint_url, world).sessions(), utc_now)
    closed = world.log_buckets[0].bucket
    aws.preset("cur_denied", resource=closed)
    async with open_house(temporal_server, db, connector) as house:
        await processes(house.processes).validate(connection, "user:fake")
        first = await finish(house.client, connection)
        missing = await logged_totals(db, tenant)
        aws.heal()  # the bucket's owner adds the policy, and the connection is checked again
        await processes(house.processes).validate(connection, "user:fake")
        second = await finish(house.client, connection)
    assert missing != truth_of(world)
    assert await logged_totals(db, tenant) == truth_of(world)
    async with db.tenant(tenant) as tx:
        steps = await sync_history.list_steps(tx, second.run_id, limit=1_000)
    assert first.state is second.state is RunState.COMPLETED
    assert second.items < first.items
    others = {(s.account_id, s.region) for s in steps if s.source != SourceKind.LOGS_S3}
    assert len(others) < len(steps)
    assert others == {BATCH_PLACE}


async def wait_for_progress(db: Database, connection: Connection) -> SyncRun:
    """The backfill once some of its items are done."""
    async with asyncio.timeout(120):
        while True:
            run = await newest_run(db, connection, RunKind.BACKFILL)
            if run and run.tally.done >= 6:
                return run
            await asyncio.sleep(0.02)
