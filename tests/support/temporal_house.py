"""Workers, client and services on real servers, with queues of their own."""

import secrets
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from temporalio.client import Client

from tensorcost.activities.ingest.bills import BillIngest
from tensorcost.activities.ingest.pipeline import SpendIngest
from tensorcost.activities.ingest.prices import PriceBooks
from tensorcost.activities.integration.ports import Connector, Loaders
from tensorcost.activities.processes import Processes
from tensorcost.domain.clock import Clock
from tensorcost.domain.integration.contracts import (
    LONGEST_PAUSE,
    BackfillOutcome,
    OnboardingOutcome,
    onboarding_workflow_id,
)
from tensorcost.domain.integration.contracts_connection import Connection
from tensorcost.domain.integration.states import OnboardingPhase
from tensorcost.runtime.embedded.temporal import TemporalAddress
from tensorcost.storage.session import Database
from tensorcost.workers.build import WorkerDeps, build
from tensorcost.workers.plugin import temporal_plugin
from tensorcost.workers.settings import CodecSettings, WorkerSettings


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class House:
    """A running product without its faces."""

    client: Client
    db: Database
    processes: Processes
    settings: WorkerSettings


@asynccontextmanager
async def open_house(
    address: TemporalAddress,
    db: Database,
    connector: Connector,
    *,
    codec: CodecSettings | None = None,
    clock: Clock = utc_now,
    suffix: str | None = None,
    longest_pause: timedelta = LONGEST_PAUSE,
) -> AsyncIterator[House]:
    """Run both workers until the block ends. A ``suffix`` given again finds the same queues."""
    settings = WorkerSettings(
        queue_suffix=f"-{secrets.token_hex(4)}" if suffix is None else suffix,
        core_drain=timedelta(seconds=5),
        cloud_drain=timedelta(seconds=5),
        heartbeat_throttle=timedelta(milliseconds=200),
        longest_pause=longest_pause,
    )
    client = await Client.connect(
        address.frontend, namespace=address.namespace, plugins=[temporal_plugin(codec)]
    )
    with ThreadPoolExecutor(max_workers=8) as threads:
        deps = WorkerDeps(
            client=client,
            db=db,
            connectors={"bedrock": connector},
            loaders=Loaders(SpendIngest(db, PriceBooks(db)), BillIngest(db)),
            threads=threads,
            clock=clock,
            settings=settings,
        )
        core, cloud = build(deps)
        async with core, cloud:
            processes = Processes(client, queue_suffix=settings.queue_suffix)
            yield House(client, db, processes, settings)


async def finish(client: Client, connection: Connection) -> BackfillOutcome:
    """Wait for the onboarding, which must connect, and for its backfill."""
    handle = client.get_workflow_handle(
        onboarding_workflow_id(connection.connection_id), result_type=OnboardingOutcome
    )
    onboarded = await handle.result()
    assert onboarded.phase is OnboardingPhase.CONNECTED
    backfill = client.get_workflow_handle(onboarded.backfill_id, result_type=BackfillOutcome)
    outcome: BackfillOutcome = await backfill.result()
    return outcome
