"""An organisation of 500 accounts on the emulated AWS, every call of which takes 20 ms.

* ``first look``: nothing is known; every region of every account is asked;
* ``hourly look``: what was quiet is left out;
* ``first sync`` and ``sync``: the ``Sync`` workflow on Temporal and Postgres, the second of them an
  hour later with its own look, as every hour.

The floor is what the calls take by themselves: their number x 20 ms, so many side by side as the
product allows: 16 while it looks, 6 while it reads. Every account has calls in one region, logged
and counted.

    python -m benchmarks.organization_sync [--accounts 500] [--latency 0.02]
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from benchmarks.harness import durable_database, make_tenant, peak_megabytes
from demo.aws.control import SimControl
from demo.aws.server import running_simulator
from tensorcost.activities.integration.bedrock.abreast import SIDE_BY_SIDE
from tensorcost.activities.integration.ports import Discovery, Known
from tensorcost.activities.integration.runs import TENANT_CAP
from tensorcost.activities.processes import Process
from tensorcost.domain.ids import TenantId
from tensorcost.domain.integration.contracts import (
    CONTEXT,
    ConnectionKey,
    SyncInput,
    WorkflowName,
    sync_workflow_id,
)
from tensorcost.domain.integration.contracts_connection import Connection, ConnectionSettings
from tensorcost.domain.integration.states import ConnectionMode, RunKind
from tensorcost.domain.temporal import SEARCH_ATTRIBUTE_TYPES
from tensorcost.runtime.embedded.temporal import EmbeddedTemporal, TemporalOptions
from tensorcost.storage.engine import make_engine
from tensorcost.storage.session import Database
from tensorcost.storage.sync_history import list_runs
from tests.providers.aws.world import EXTERNAL_ID, PAYER, ROLE_ARN
from tests.support.clock import MovableClock
from tests.support.connections import make_connection
from tests.support.organization import connector, known_after, organization
from tests.support.temporal_house import House, open_house

LAST_OF_LOOK: Final = ("ListExports", "DescribeReportDefinitions")
BUSY_HOURS: Final = (1, 3, 5)


@dataclass(frozen=True, slots=True)
class Setting:
    """What is measured: the emulated AWS, the number of accounts and seconds a call."""

    aws: SimControl
    accounts: int
    latency: float

    async def measure(self, name: str, work: Callable[[], Awaitable[object]]) -> None:
        """Print a line about ``work``."""
        self.aws.forget_requests()
        cpu, start = time.process_time(), time.perf_counter()
        await work()
        wall, cpu = time.perf_counter() - start, time.process_time() - cpu
        calls, looking = self._calls()
        floor = (looking / SIDE_BY_SIDE + (calls - looking) / TENANT_CAP) * self.latency
        each = calls / (self.accounts + 1)
        print(
            f"{name:12} {wall:7.1f} s wall  {floor:6.1f} s floor  ratio {wall / floor:5.2f}  "
            f"{calls:6} calls, {each:5.1f} an account  "
            f"CPU {cpu:6.1f} s  peak {peak_megabytes():4.0f} MB",
            flush=True,
        )

    def _calls(self) -> tuple[int, int]:
        """All calls, and those of the look, which ends with the search for the bill."""
        entries = self.aws.requests()
        ends = [n for n, entry in enumerate(entries, start=1) if entry.operation in LAST_OF_LOOK]
        return len(entries), max(ends, default=0)


async def looks(setting: Setting, connection: Connection, clock: MovableClock) -> None:
    """Discovery alone, without a database."""
    made = connector(setting.aws, clock)
    known = Known()

    async def look() -> None:
        nonlocal known
        found: Discovery = await asyncio.to_thread(made.discover, connection, known)
        known = known_after(found, known)

    await setting.measure("first look", look)
    clock.move(hours=1)
    await setting.measure("hourly look", look)


async def syncs(
    setting: Setting, house: House, connection: Connection, clock: MovableClock
) -> None:
    """Whole syncs, an hour apart."""
    key = ConnectionKey(
        tenant_id=connection.tenant_id,
        connection_id=connection.connection_id,
        provider=connection.provider,
    )

    async def sync(number: int) -> None:
        workflow_id = f"{sync_workflow_id(key.connection_id)}-{number}"
        order = SyncInput(connection=key)
        name = WorkflowName.SYNC.value
        await house.processes.start(Process(name, workflow_id, key.tenant_id, CONTEXT, order))
        await house.client.get_workflow_handle(workflow_id).result()

    await setting.measure("first sync", lambda: sync(1))
    clock.move(hours=1)
    await setting.measure("sync", lambda: sync(2))
    async with house.db.tenant(key.tenant_id) as tx:
        for run in await list_runs(tx, key.connection_id, limit=2, kind=RunKind.SYNC):
            tally = run.tally
            print(
                f"{'':12} {run.steps_total} items, {tally.failed} failed, "
                f"{tally.accepted} rows accepted, {tally.duplicate} known"
            )


@asynccontextmanager
async def stored(urls_app: str, tenant: TenantId) -> AsyncIterator[tuple[Database, Connection]]:
    """The product's door to the database, and the connection to the organisation."""
    engine = make_engine(urls_app, application_name="bench")
    try:
        db = Database(engine)
        connection = await make_connection(
            db,
            tenant,
            mode=ConnectionMode.ORGANIZATION,
            account_id=PAYER,
            external_id=EXTERNAL_ID,
            role_arn=ROLE_ARN,
            settings=ConnectionSettings(),
        )
        yield db, connection
    finally:
        await engine.dispose()


async def main(accounts: int, latency: float) -> None:
    clock = MovableClock(datetime.now(UTC))
    attributes = {name.value: kind for name, kind in SEARCH_ATTRIBUTE_TYPES.items()}
    with running_simulator() as aws, tempfile.TemporaryDirectory(prefix="tensorcost-") as folder:
        aws.seed_state(
            organization(accounts, now=clock(), busy=range(1, accounts + 1), hours=BUSY_HOURS)
        )
        aws.fault(delay=latency, name="latency")
        setting = Setting(aws, accounts, latency)
        print(f"{accounts} accounts, {latency * 1000:.0f} ms a call")
        options = TemporalOptions(search_attributes=attributes, ui=False)
        async with durable_database() as servers:
            tenant = await make_tenant(servers)
            with EmbeddedTemporal(Path(folder), options) as temporal:
                async with stored(servers.urls.app, tenant) as (db, connection):
                    await looks(setting, connection, clock)
                    made = connector(aws, clock)
                    async with open_house(temporal, db, made, clock=clock) as house:
                        await syncs(setting, house, connection, clock)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--accounts", type=int, default=500)
    parser.add_argument("--latency", type=float, default=0.02, help="seconds a call")
    chosen = parser.parse_args()
    asyncio.run(main(chosen.accounts, chosen.latency))
