"""The long-running processes: api and workers. Each drains on SIGTERM and closes in order."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import uvicorn
from temporalio.client import Client

from tensorcost.activities.ingest.bills import BillIngest
from tensorcost.activities.ingest.pipeline import SpendIngest
from tensorcost.activities.ingest.prices import PriceBooks
from tensorcost.activities.integration.ports import Loaders
from tensorcost.activities.processes import Processes
from tensorcost.domain.temporal import TaskQueue
from tensorcost.runtime.api import ApiParts, open_api
from tensorcost.runtime.bedrock import bedrock_artefacts, bedrock_connector
from tensorcost.runtime.heap import settle_heap
from tensorcost.runtime.local import Addresses
from tensorcost.runtime.probe import Ready, probe_server
from tensorcost.runtime.settings import Settings
from tensorcost.runtime.telemetry import open_telemetry
from tensorcost.runtime.temporal import connect
from tensorcost.services.rerating_processes import ReratingProcesses
from tensorcost.storage.engine import make_engine
from tensorcost.storage.safety import refuse_unsafe_role
from tensorcost.storage.session import Database, PlatformDatabase
from tensorcost.workers.build import WorkerDeps, build
from tensorcost.workers.drain import run_workers, stop_on_signals
from tensorcost.workers.housekeeping import Housekeeper, jobs
from tensorcost.workers.pruning import Retention
from tensorcost.workers.rerating import rerating_job
from tensorcost.workers.settings import WorkerSettings


def utc_now() -> datetime:
    return datetime.now(UTC)


async def serve_api(settings: Settings, addresses: Addresses) -> None:
    """Serve the API until SIGTERM or SIGINT; open requests get ``drain_seconds`` to finish."""
    telemetry = open_telemetry(settings.telemetry)
    try:
        client = await connect(addresses, settings.temporal, telemetry)
        server: uvicorn.Server
        parts = ApiParts(
            settings=settings,
            addresses=addresses,
            temporal=client,
            artefacts={"bedrock": bedrock_artefacts(settings.aws)},
            clock=utc_now,
            draining=lambda: server.should_exit,
            telemetry=telemetry.is_on,
        )
        async with open_api(parts) as app:
            server = uvicorn.Server(
                uvicorn.Config(
                    app,
                    host=settings.http.host,
                    port=settings.http.port,
                    loop="uvloop",
                    ws="websockets-sansio",
                    # Compression costs four times the memory of a connection.
                    ws_per_message_deflate=False,
                    log_config=None,
                    access_log=False,
                    server_header=False,
                    timeout_graceful_shutdown=int(settings.drain_seconds),
                )
            )
            settle_heap()
            await server.serve()
    finally:
        telemetry.shutdown()


async def serve_workers(
    settings: Settings, addresses: Addresses, queues: Sequence[TaskQueue], probe_port: int
) -> None:
    """Run the workers of ``queues`` until SIGTERM or SIGINT, then drain."""
    telemetry = open_telemetry(settings.telemetry)
    try:
        client = await connect(addresses, settings.temporal, telemetry)
        async with _worker_deps(settings, addresses, client) as (deps, platform):
            workers = build(deps, queues)
            housekeeper = None
            if TaskQueue.CORE in queues:
                retention = Retention(events=timedelta(days=settings.event_days))
                chores = jobs(deps.db, platform, utc_now, retention)
                reratings = ReratingProcesses(Processes(client), settings.approval_warning)
                housekeeper = Housekeeper([*chores, rerating_job(deps.db, reratings)])
            with stop_on_signals() as stop:
                settle_heap()
                async with probe_server(probe_port, _ready(client, stop)):
                    await run_workers(workers, stop, housekeeper)
    finally:
        telemetry.shutdown()


@asynccontextmanager
async def _worker_deps(
    settings: Settings, addresses: Addresses, client: Client
) -> AsyncIterator[tuple[WorkerDeps, PlatformDatabase]]:
    sizes = WorkerSettings(cloud_drain=timedelta(seconds=settings.drain_seconds))
    app = make_engine(addresses.database.app, application_name="tensorcost-worker", pool_size=16)
    platform = make_engine(
        addresses.database.platform, application_name="tensorcost-worker", pool_size=1
    )
    threads = ThreadPoolExecutor(sizes.threads, thread_name_prefix="reading")
    try:
        await refuse_unsafe_role(app)
        db = Database(app)
        deps = WorkerDeps(
            client=client,
            db=db,
            connectors={"bedrock": bedrock_connector(settings.aws, utc_now)},
            loaders=Loaders(SpendIngest(db, PriceBooks(db)), BillIngest(db)),
            threads=threads,
            clock=utc_now,
            settings=sizes,
        )
        yield deps, PlatformDatabase(platform)
    finally:
        await asyncio.to_thread(threads.shutdown, cancel_futures=True)
        await app.dispose()
        await platform.dispose()


def _ready(client: Client, stop: asyncio.Event) -> Ready:
    async def ready() -> bool:
        return not stop.is_set() and await client.service_client.check_health()

    return ready
