"""What a connection on real servers does: its runs of each kind, and its next sync right now."""

import asyncio
from dataclasses import dataclass

from temporalio.client import ScheduleHandle, ScheduleOverlapPolicy

from tensorcost.domain.integration.contracts import sync_workflow_id
from tensorcost.domain.integration.contracts_connection import Connection
from tensorcost.domain.integration.progress_records import SyncRun, SyncStep
from tensorcost.domain.integration.states import RunKind, RunState
from tensorcost.storage import sync_history
from tensorcost.storage.session import Database
from tests.support.temporal_house import House


async def newest_run(db: Database, connection: Connection, kind: RunKind) -> SyncRun | None:
    async with db.tenant(connection.tenant_id) as tx:
        runs = await sync_history.list_runs(tx, connection.connection_id, limit=1, kind=kind)
    return runs[0] if runs else None


@dataclass
class Runs:
    """One connection and the house whose workers read it."""

    house: House
    connection: Connection

    @property
    def db(self) -> Database:
        return self.house.db

    @property
    def schedule(self) -> ScheduleHandle:
        """Of the connection's syncs."""
        syncs = sync_workflow_id(self.connection.connection_id)
        return self.house.client.get_schedule_handle(syncs)

    async def sync_now(self) -> None:
        """Have the schedule run now; after a sync that runs, which ends later than its run."""
        await self.schedule.trigger(overlap=ScheduleOverlapPolicy.BUFFER_ONE)

    async def newest(self, kind: RunKind) -> SyncRun | None:
        return await newest_run(self.db, self.connection, kind)

    async def ended(self, kind: RunKind, after: SyncRun | None = None) -> SyncRun:
        """The first run of a kind, or the next one ``after`` a run, once it has ended."""
        async with asyncio.timeout(120):
            while True:
                run = await self.newest(kind)
                is_next = run is not None and (after is None or run.run_id != after.run_id)
                if run is not None and is_next and run.state is not RunState.RUNNING:
                    return run
                await asyncio.sleep(0.05)

    async def steps(self, run: SyncRun) -> list[SyncStep]:
        async with self.db.tenant(self.connection.tenant_id) as tx:
            return await sync_history.list_steps(tx, run.run_id, limit=1_000)
