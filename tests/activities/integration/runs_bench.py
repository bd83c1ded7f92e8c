"""A connection with two sites, and what a validation, a sync and their ends do to its runs."""

from datetime import datetime
from uuid import UUID, uuid4

from temporalio.testing import ActivityEnvironment

from tensorcost.activities.integration.runs import RunActivities
from tensorcost.domain.cost.contracts import ReconcileRequest
from tensorcost.domain.integration.contracts import ConnectionKey, Tally
from tensorcost.domain.integration.contracts_connection import Connection
from tensorcost.domain.integration.contracts_steps import (
    BackfillRequest,
    BackfillTicket,
    FinishRun,
    PlanRequest,
    RunEnded,
)
from tensorcost.domain.integration.plan import Site
from tensorcost.domain.integration.progress_records import SyncRun
from tensorcost.domain.integration.states import RunState, SourceKind, StepState
from tensorcost.storage import integration_sites, outbox, sync_history
from tensorcost.storage.session import Database
from tensorcost.storage.sync_steps import StepSaving, save_step
from tests.support.connections import ACCOUNT, NOW

LOGS = Site(SourceKind.LOGS_S3, ACCOUNT, "us-east-1", {"bucket": "b"})
METRICS = Site(SourceKind.METRICS, ACCOUNT, "us-east-1")
SITES = [LOGS, METRICS]


class Bench:
    """One connection with two sites, and the activities at a clock of our own."""

    def __init__(self, db: Database, connection: Connection) -> None:
        self.db = db
        self.connection = connection
        self.now: datetime = NOW
        self.asked: list[ReconcileRequest] = []
        self.acts = RunActivities(db, lambda: self.now, self, tenant_cap=6)
        self.env = ActivityEnvironment()
        self.key = ConnectionKey(
            tenant_id=connection.tenant_id,
            connection_id=connection.connection_id,
            provider="bedrock",
        )

    async def ask(self, request: ReconcileRequest) -> str:
        """Stands in for the Reconcile workflow."""
        self.asked.append(request)
        return "tenant/fake/reconcile"

    async def open(
        self, run_id: UUID | None = None, *, after_sync: UUID | None = None
    ) -> tuple[UUID, BackfillTicket]:
        """Ask for a backfill as a validation does, or as a sync does."""
        run_id = run_id or uuid4()
        request = BackfillRequest(
            connection=self.key,
            run_id=run_id,
            days=None if after_sync else 4,
            requested_by="user:a",
            now=self.now,
            after_sync=after_sync,
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

    async def finish(self, run_id: UUID, state: RunState) -> RunEnded:
        order = FinishRun(connection=self.key, run_id=run_id, state=state)
        return await self.env.run(self.acts.finish_run, order)

    async def backfill(
        self, *, failing: str = "", state: RunState = RunState.COMPLETED
    ) -> tuple[UUID, BackfillTicket]:
        """A backfill whose steps all work, save those of the sources named ``failing``."""
        run_id, ticket = await self.open()
        await self.env.run(self.acts.plan_backfill, self.plan(run_id, ticket))
        await self.work(run_id, failing)
        await self.finish(run_id, state)
        return run_id, ticket

    async def sync(self, *, failing: str = "") -> tuple[UUID, RunEnded]:
        """A whole sync up to now."""
        run_id = uuid4()
        request = PlanRequest(
            connection=self.key, run_id=run_id, workflow_id="sync", window_end=self.now
        )
        await self.env.run(self.acts.plan_sync, request)
        await self.work(run_id, failing)
        return run_id, await self.finish(run_id, RunState.COMPLETED)

    async def work(self, run_id: UUID, failing: str = "") -> None:
        async with self.db.tenant(self.connection.tenant_id) as tx:
            for step in await sync_history.list_steps(tx, run_id, limit=100):
                failed = failing and failing in step.source
                state = StepState.FAILED if failed else StepState.COMPLETED
                saving = StepSaving(run_id, step.step_key, state, Tally())
                await save_step(tx, saving, self.now)

    async def sources(self, run_id: UUID) -> set[str]:
        """What a run's steps read."""
        async with self.db.tenant(self.connection.tenant_id) as tx:
            return {step.source for step in await sync_history.list_steps(tx, run_id, limit=100)}

    async def discover(self, sites: list[Site]) -> None:
        async with self.db.tenant(self.connection.tenant_id) as tx:
            await integration_sites.replace_sites(
                tx, self.connection.connection_id, sites, self.now
            )

    async def events(self) -> list[str]:
        async with self.db.tenant(self.connection.tenant_id) as tx:
            return [event.type for event in await outbox.events_after(tx, 0, limit=100)]

    async def run(self, run_id: UUID) -> SyncRun:
        async with self.db.tenant(self.connection.tenant_id) as tx:
            return await sync_history.get_run(tx, run_id)
