"""A planned run of one item on the real database, for tests of its ingest."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from temporalio.testing import ActivityEnvironment

from tensorcost.activities.ingest.bills import BillIngest
from tensorcost.activities.ingest.pipeline import SpendIngest
from tensorcost.activities.ingest.prices import PriceBooks
from tensorcost.activities.integration.items import ItemActivities
from tensorcost.activities.integration.ports import Loaders
from tensorcost.domain.ids import TenantId
from tensorcost.domain.integration.contracts import ConnectionKey
from tensorcost.domain.integration.contracts_connection import Connection
from tensorcost.domain.integration.contracts_findings import Finding
from tensorcost.domain.integration.contracts_steps import ItemOrder, ItemOutcome
from tensorcost.domain.integration.progress_records import SyncStep
from tensorcost.storage import sync_history, sync_steps
from tensorcost.storage.findings import list_findings
from tensorcost.storage.session import Database
from tests.support.connections import NOW, log_item, make_connection, make_run
from tests.support.scripted_connector import ScriptedConnector


class Bench:
    """A planned run of one item, and the activity that ingests it."""

    def __init__(
        self, db: Database, connection: Connection, run_id: UUID, threads: ThreadPoolExecutor
    ) -> None:
        self.db = db
        self.connection = connection
        self.item = log_item(1)
        self.connector = ScriptedConnector()
        self.now = NOW
        self.order = ItemOrder(
            connection=ConnectionKey(
                tenant_id=connection.tenant_id,
                connection_id=connection.connection_id,
                provider="bedrock",
            ),
            run_id=run_id,
            step_key=self.item.step_key,
        )
        self.acts = ItemActivities(
            db,
            {"bedrock": self.connector},
            Loaders(SpendIngest(db, PriceBooks(db)), BillIngest(db)),
            threads,
            lambda: self.now,
            timedelta(milliseconds=20),
        )
        self.beats: list[Any] = []
        self.beaten = asyncio.Event()
        self.resume_from()

    async def ingest(self) -> ItemOutcome:
        return await self.env.run(self.acts.ingest_item, self.order)

    def resume_from(self, *details: object, attempt: int = 2) -> None:
        """A next attempt, with the heartbeat details that the server kept."""
        self.env = ActivityEnvironment()
        self.env.info = replace(self.env.info, heartbeat_details=details, attempt=attempt)
        self.env.on_heartbeat = self._beat

    def _beat(self, details: Any) -> None:
        self.beats.append(details)
        self.beaten.set()

    async def step(self) -> SyncStep:
        async with self.db.tenant(self.connection.tenant_id) as tx:
            (step,) = await sync_history.list_steps(tx, self.order.run_id, limit=10)
            return step

    async def findings(self) -> list[Finding]:
        async with self.db.tenant(self.connection.tenant_id) as tx:
            return await list_findings(tx, limit=10)

    async def rows(self) -> int:
        async with self.db.tenant(self.connection.tenant_id) as tx:
            return int(await tx.scalar("SELECT count(*) FROM ai.spend_event"))

    async def requests(self) -> int:
        async with self.db.tenant(self.connection.tenant_id) as tx:
            return int(await tx.scalar("SELECT COALESCE(sum(requests), 0) FROM ai.spend_daily"))


async def make_bench(db: Database, tenant_id: TenantId, threads: ThreadPoolExecutor) -> Bench:
    """A connection, its run, and the one item planned."""
    connection = await make_connection(db, tenant_id)
    run = await make_run(db, connection)
    bench = Bench(db, connection, run.run_id, threads)
    async with db.tenant(tenant_id) as tx:
        await sync_steps.plan_steps(tx, run.run_id, [bench.item], NOW)
    return bench
