"""The way of one tenant from its connection to its reconciled bill, and where a kill meets it."""

import asyncio
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from temporalio.client import Client, WorkflowExecutionDescription
from temporalio.service import RPCError, RPCStatusCode

from demo.world.spec import World
from tensorcost.activities.processes import Processes
from tensorcost.domain.cost.contracts import reconcile_workflow_id
from tensorcost.domain.errors import Unavailable
from tensorcost.domain.events.catalogue import EventType
from tensorcost.domain.integration.contracts import Tally, sync_workflow_id
from tensorcost.domain.integration.contracts_connection import Connection
from tensorcost.domain.integration.progress_records import SyncRun
from tensorcost.domain.integration.states import RunKind, RunState
from tensorcost.services.processes import IntegrationProcesses
from tests.chaos.house import House
from tests.support.estate import connect_world
from tests.support.runs import newest_run
from tests.support.temporal_house import finish
from tests.support.tenants import make_tenant
from tests.support.truths import Truths, read_truths

DAYS, REQUESTS = 6, 500
LOOK_EVERY = 0.01
PATIENCE = 240.0
JITTER = 0.15
"""Seconds: a few items of a backfill long."""
TOLD_ONCE = (
    EventType.CONNECTION_VALIDATED,
    EventType.BACKFILL_STARTED,
    EventType.BACKFILL_COMPLETED,
    EventType.BACKFILL_FAILED,
    EventType.RECONCILIATION_COMPLETED,
    EventType.RECONCILIATION_FAILED,
    EventType.COST_RESTATED,
)
"""Others come by the clock or by what one attempt finds to do."""
LATEST = 0.9
"""Share of the usual duration after which a kill would often come too late."""


class Phase(StrEnum):
    """What a kill interrupts."""

    BACKFILL = "backfill"
    RECONCILE = "reconcile"


@dataclass(frozen=True)
class Moment:
    """What was under way: the workflow's run, and how far it had come."""

    workflow_id: str
    run_id: str
    progress: str


@dataclass(frozen=True)
class Arrival:
    """What a tenant knows in the end, what its backfill counted and what its readers were told."""

    truths: Truths
    read: Tally
    told: Mapping[str, int]
    """Events of ``TOLD_ONCE`` by type."""


@dataclass(frozen=True)
class Calm:
    """An undisturbed tenant's end, and how long its reconciliation took."""

    arrival: Arrival
    reconciling: timedelta


@dataclass(frozen=True)
class Road:
    """One tenant on its way."""

    house: House
    connection: Connection

    @property
    def client(self) -> Client:
        return self.house.client

    async def moment(self, phase: Phase, rng: random.Random, reconciling: timedelta) -> Moment:
        """Return at a moment within the phase that ``rng`` chooses, by what is done or by the
        share of the usual duration."""
        if phase is Phase.BACKFILL:
            return await self._in_backfill(rng)
        return await self._in_reconcile(rng, reconciling)

    async def arrive(self) -> Arrival:
        """Wait for the end of everything that the connection began; what is known then."""
        outcome = await finish(self.client, self.connection)
        assert outcome.state is RunState.COMPLETED
        await self.client.get_workflow_handle(self._reconcile_id).result()
        # Nothing is left that could begin by itself beside the next tenant's way.
        schedule = sync_workflow_id(self.connection.connection_id)
        await self.client.get_schedule_handle(schedule).delete()
        truths = await read_truths(self.house.db, self.client, self.connection.tenant_id)
        return Arrival(truths, outcome.tally, await self._told())

    async def reconciled_in(self) -> timedelta:
        found = await self._describe(self._reconcile_id)
        assert found is not None
        assert found.close_time is not None
        return found.close_time - found.start_time

    async def was_under_way(self, moment: Moment, at: datetime) -> bool:
        """Whether the workflow's run had begun and not ended at a time."""
        found = await self._describe(moment.workflow_id, moment.run_id)
        assert found is not None
        return found.start_time < at and (found.close_time is None or found.close_time > at)

    @property
    def _reconcile_id(self) -> str:
        return reconcile_workflow_id(self.connection.tenant_id)

    async def _in_backfill(self, rng: random.Random) -> Moment:
        share, jitter = rng.uniform(-0.1, 0.95), rng.uniform(0.0, JITTER)
        run = await self._backfill_at(share)
        await asyncio.sleep(jitter)
        found = await self._begun(run.workflow_id)
        run = await self._backfill() or run
        progress = f"{run.tally.done} of {run.steps_total} items"
        return Moment(run.workflow_id, found.run_id, progress)

    async def _in_reconcile(self, rng: random.Random, usual: timedelta) -> Moment:
        await self._backfill_at(1.0)
        found = await self._begun(self._reconcile_id)
        waited = rng.uniform(0.0, LATEST * usual.total_seconds())
        await asyncio.sleep(waited)
        return Moment(self._reconcile_id, found.run_id, f"{waited:.2f} s after its beginning")

    async def _backfill_at(self, share: float) -> SyncRun:
        """The backfill once so much of its work is done; below zero while that is planned."""
        while True:
            run = await self._backfill()
            if run and (share < 0 or 0 < run.steps_total * share <= run.tally.done):
                return run
            await asyncio.sleep(LOOK_EVERY)

    async def _backfill(self) -> SyncRun | None:
        return await newest_run(self.house.db, self.connection, RunKind.BACKFILL)

    async def _begun(self, workflow_id: str) -> WorkflowExecutionDescription:
        while True:
            if found := await self._describe(workflow_id):
                return found
            await asyncio.sleep(LOOK_EVERY)

    async def _told(self) -> dict[str, int]:
        async with self.house.db.tenant(self.connection.tenant_id) as tx:
            rows = await tx.all("SELECT type, count(*) AS n FROM app.event_outbox GROUP BY type")
        return {row.type: row.n for row in rows if row.type in TOLD_ONCE}

    async def _describe(
        self, workflow_id: str, run_id: str | None = None
    ) -> WorkflowExecutionDescription | None:
        handle = self.client.get_workflow_handle(workflow_id, run_id=run_id)
        try:
            return await handle.describe()
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            return None


@asynccontextmanager
async def set_out(house: House, world: World, *, suffix: str = "") -> AsyncIterator[Road]:
    """A new tenant that has just asked for its connection to be validated; the work is that of
    the house's worker, or of one with queues of that ``suffix``."""
    tenant = await make_tenant(house.database)
    connection = await connect_world(house.db, tenant, world)
    processes = IntegrationProcesses(
        Processes(house.client, queue_suffix=suffix),
        backfill_days=DAYS + 2,
        interval=timedelta(milliseconds=300),
    )
    async with asyncio.timeout(PATIENCE):
        await _validate(processes, connection)
        yield Road(house, connection)


async def _validate(processes: IntegrationProcesses, connection: Connection) -> None:
    """Ask until it is heard: a worker that has just been started may need longer than a call."""
    while True:
        with suppress(Unavailable):
            await processes.validate(connection, "user:fake")
            return


def utc_now() -> datetime:
    return datetime.now(UTC)
