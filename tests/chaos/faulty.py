"""A tenant that reads an emulated organisation, whatever goes wrong between them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from demo.aws.control import SimControl
from tensorcost.activities.integration.bedrock.connector import BedrockConnector
from tensorcost.domain.integration.contracts import LONGEST_PAUSE
from tensorcost.domain.integration.contracts_connection import ConnectionSettings
from tensorcost.domain.integration.diagnosis_failures import RETRY_AFTER
from tensorcost.domain.integration.progress_look import STEP as DISCOVERY
from tensorcost.domain.integration.progress_records import SyncRun, SyncStep
from tensorcost.domain.integration.states import (
    ConnectionMode,
    RunKind,
    SourceKind,
    StepState,
)
from tensorcost.runtime.embedded.temporal import TemporalAddress
from tensorcost.services.processes import IntegrationProcesses
from tensorcost.storage.session import Database
from tests.chaos.hour import DAYS
from tests.providers.aws.world import (
    EXTERNAL_ID,
    GROUP,
    HOME,
    PAYER,
    ROLE_ARN,
    sessions,
)
from tests.support.clock import AheadClock
from tests.support.connections import make_connection
from tests.support.databases import Database as TestDatabase
from tests.support.runs import Runs
from tests.support.temporal_house import open_house
from tests.support.tenants import make_tenant
from tests.support.truths import Truths, read_truths

READ_TIMEOUT: Final = 1.0
PAUSES: Final = {kind: seconds / 50 for kind, seconds in RETRY_AFTER.items()}
LONGEST: Final = LONGEST_PAUSE / 50
"""Patience as in life, in a fiftieth of its time."""


@dataclass
class Stage(Runs):
    """One tenant's connection, its workers, and the emulated AWS between them."""

    aws: SimControl
    clock: AheadClock
    patience: timedelta = timedelta(seconds=60)
    """How long a validation waits for what may heal by itself."""

    @property
    def processes(self) -> IntegrationProcesses:
        return IntegrationProcesses(
            self.house.processes,
            backfill_days=DAYS,
            interval=timedelta(milliseconds=200),
            patience=self.patience,
        )

    async def onboard(self) -> SyncRun:
        """Connect, read the past, and reconcile; the backfill."""
        await self.processes.validate(self.connection, "user:fake")
        return await self.ended(RunKind.BACKFILL)

    async def sync(self, minutes: int = 60) -> SyncRun:
        """The scheduled sync, so much later."""
        before = await self.newest(RunKind.SYNC)
        self.clock.move(minutes=minutes)
        await self.sync_now()
        return await self.ended(RunKind.SYNC, after=before)

    async def truths(self) -> Truths:
        return await read_truths(self.db, self.house.client, self.connection.tenant_id)

    async def looks(self, attempts: int) -> SyncStep:
        """The validation's look for accounts and sources once so many attempts at it failed."""
        async with asyncio.timeout(60):
            while True:
                run = await self.newest(RunKind.VALIDATE)
                for step in [] if run is None else await self.steps(run):
                    if step.source == DISCOVERY and step.detail.startswith(f"attempt {attempts} "):
                        return step
                await asyncio.sleep(0.05)

    async def step(self, account: str, state: StepState) -> SyncStep:
        """A step of the newest backfill that reads an account's calls, once it is in a state."""
        async with asyncio.timeout(60):
            while True:
                run = await self.newest(RunKind.BACKFILL)
                steps = [] if run is None else await self.steps(run)
                for step in steps:
                    is_log = step.source == SourceKind.LOGS_S3
                    if is_log and (step.account_id, step.state) == (account, state):
                        return step
                await asyncio.sleep(0.05)


@asynccontextmanager
async def open_stage(
    aws: SimControl,
    database: TestDatabase,
    db: Database,
    temporal: TemporalAddress,
    *,
    requests: int = 4,
) -> AsyncIterator[Stage]:
    """A new tenant with workers of its own, and a connection that nobody has looked at. A call
    makes so many ``requests`` before it fails."""
    clock = AheadClock()
    connection = await make_connection(
        db,
        await make_tenant(database),
        mode=ConnectionMode.ORGANIZATION,
        account_id=PAYER,
        external_id=EXTERNAL_ID,
        role_arn=ROLE_ARN,
        settings=ConnectionSettings(
            # Three regions, none of them named by the customer.
            home_region="us-gov-west-1",
            log_group_arn=f"arn:aws:logs:{HOME}:{PAYER}:log-group:{GROUP}",
        ),
    )
    reached = sessions(
        aws.endpoint_url, clock=clock, max_attempts=requests, read_timeout=READ_TIMEOUT
    )
    connector = BedrockConnector(reached, clock, PAUSES)
    async with open_house(temporal, db, connector, clock=clock, longest_pause=LONGEST) as house:
        yield Stage(house, connection, aws, clock)
