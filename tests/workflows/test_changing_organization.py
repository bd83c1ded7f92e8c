"""Thirty accounts on real servers, some of which join, leave, are suspended or lose their role
between two syncs: what can be read is read from its beginning, once, and nothing falls silent."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from demo.aws import state as sim
from demo.aws.control import SimControl
from tensorcost.domain.ids import TenantId
from tensorcost.domain.integration.contracts_connection import ConnectionSettings
from tensorcost.domain.integration.progress_records import AccountCoverage, SyncRun, SyncStep
from tensorcost.domain.integration.states import (
    ConnectionMode,
    Coverage,
    RunKind,
    RunState,
    StepState,
)
from tensorcost.runtime.embedded.temporal import TemporalAddress
from tensorcost.services.processes import IntegrationProcesses
from tensorcost.storage import integration, outbox
from tensorcost.storage.findings import list_findings
from tensorcost.storage.session import Database
from tests.providers.aws.world import EXTERNAL_ID, HOME, PAYER, ROLE_ARN, jump_role
from tests.support.clock import MovableClock
from tests.support.connections import make_connection
from tests.support.organization import REQUESTS, add_calls, connector, member, organization
from tests.support.runs import Runs
from tests.support.temporal_house import open_house

SIZE = 30
BUSY = (1, 2, 3, 4, 5, 20)
GONE, CLOSED, LOST, GAINED = member(1), member(2), member(3), member(20)
JOINED = member(SIZE + 1)
DAYS = 3


@dataclass
class Stage(Runs):
    """A connected organisation and the means to change it."""

    aws: SimControl
    state: sim.SimState
    clock: MovableClock

    def call(self, account: str, *hours_ago: float) -> None:
        now = datetime.now(UTC)
        add_calls(self.state, account, [now - timedelta(hours=back) for back in hours_ago])

    def account(self, account_id: str) -> sim.Account:
        found = self.state.account(account_id)
        assert found is not None
        return found

    async def sync_an_hour_later(self) -> SyncRun:
        """What the organisation has become is served; the next sync runs to its end."""
        self.aws.seed_state(self.state)
        self.clock.move(hours=1)
        before = await self.newest(RunKind.SYNC)
        await self.sync_now()
        return await self.ended(RunKind.SYNC, after=before)

    async def look(self, run: SyncRun) -> SyncStep:
        """The run's own look for accounts and sources: its first step, and no work of it."""
        first, *items = await self.steps(run)
        assert (first.source, run.steps_total) == ("discovery", len(items))
        return first

    async def logged(self) -> dict[str, int]:
        """Requests by account; no row stands twice."""
        async with self.db.tenant(self.connection.tenant_id) as tx:
            rows = await tx.all(
                "SELECT d.usage_account_id AS account, count(*) AS n, "
                "count(DISTINCT e.event_id) AS ids FROM ai.spend_event e "
                "JOIN ai.dimension d USING (tenant_id, dim_id) WHERE e.grain = 1 GROUP BY 1"
            )
        assert all(row.n == row.ids for row in rows)
        return {row.account: row.n for row in rows}

    async def accounts(self) -> dict[str, AccountCoverage]:
        async with self.db.tenant(self.connection.tenant_id) as tx:
            rows = await integration.list_accounts(tx, self.connection.connection_id)
        return {row.account_id: row for row in rows}

    async def findings(self) -> set[tuple[str, str]]:
        async with self.db.tenant(self.connection.tenant_id) as tx:
            return {(f.code, f.subject) for f in await list_findings(tx, limit=100)}

    async def changes(self) -> list[tuple[str, str]]:
        async with self.db.tenant(self.connection.tenant_id) as tx:
            events = await outbox.events_after(tx, 0, limit=1_000)
        told: list[dict[str, Any]] = [
            event.data for event in events if event.type == "connection.account_changed"
        ]
        return [(data["change"], data["account_id"]) for data in told]


@pytest.fixture
async def stage(
    simulator: SimControl, db: Database, tenant: TenantId, temporal_server: TemporalAddress
) -> AsyncIterator[Stage]:
    """Connected and backfilled, while one account has no role yet."""
    state = organization(SIZE, now=datetime.now(UTC), busy=BUSY, hours=(5, 30))
    gained = state.account(GAINED)
    assert gained is not None
    gained.roles = []
    simulator.seed_state(state)
    connection = await make_connection(
        db,
        tenant,
        mode=ConnectionMode.ORGANIZATION,
        account_id=PAYER,
        external_id=EXTERNAL_ID,
        role_arn=ROLE_ARN,
        settings=ConnectionSettings(
            # Three regions, none of them named by the customer.
            home_region="us-gov-west-1",
            log_group_arn=f"arn:aws:logs:{HOME}:{PAYER}:log-group:/none",
        ),
    )
    clock = MovableClock()
    async with open_house(temporal_server, db, connector(simulator, clock), clock=clock) as house:
        processes = IntegrationProcesses(
            house.processes, backfill_days=DAYS, interval=timedelta(milliseconds=300)
        )
        made = Stage(house, connection, simulator, state, clock)
        await processes.validate(connection, "user:fake")
        await made.ended(RunKind.BACKFILL)
        yield made


@pytest.mark.slow
async def test_accounts_come_and_go_between_two_syncs(stage: Stage) -> None:
    whole = 2 * REQUESTS
    assert await stage.logged() == {member(n): whole for n in BUSY if member(n) != GAINED}
    assert ("MEMBER_ROLE_MISSING", GAINED) in await stage.findings()
    before = await stage.newest(RunKind.BACKFILL)

    stage.state.accounts.append(sim.Account(id=JOINED, name="new", roles=[jump_role()]))
    organisation = stage.state.organization
    assert organisation is not None
    organisation.members.append(JOINED)
    organisation.members.remove(GONE)
    stage.call(JOINED, 0.3, 30)
    stage.account(CLOSED).state = "SUSPENDED"
    stage.account(GAINED).roles = [jump_role()]
    stage.account(LOST).roles = []
    stage.call(LOST, 0.2)
    synced = await stage.sync_an_hour_later()
    caught_up = await stage.ended(RunKind.BACKFILL, after=before)

    assert (synced.state, synced.tally.failed) == (RunState.COMPLETED, 0)
    assert caught_up.state is RunState.COMPLETED
    look = await stage.look(synced)
    assert look.state is StepState.COMPLETED
    assert f"of {SIZE + 2} accounts can be read" in look.detail
    for change in (f"joined {JOINED}", f"left {GONE}", f"role_lost {LOST}"):
        assert change in look.detail
    assert await stage.logged() == {member(n): whole for n in BUSY} | {JOINED: whole}
    assert {step.account_id for step in await stage.steps(caught_up)} == {JOINED, GAINED}
    assert sorted(await stage.changes()) == [
        ("joined", JOINED),
        ("left", GONE),
        ("role_gained", GAINED),
        ("role_lost", LOST),
        ("suspended", CLOSED),
    ]
    assert {
        ("ACCOUNT_LEFT", GONE),
        ("ACCOUNT_SUSPENDED", CLOSED),
        ("MEMBER_ROLE_MISSING", LOST),
    } <= await stage.findings()
    assert ("MEMBER_ROLE_MISSING", GAINED) not in await stage.findings()
    accounts = await stage.accounts()
    assert len(accounts) == SIZE + 2
    assert (accounts[GONE].state, accounts[GONE].coverage) == ("LEFT", Coverage.SKIPPED)
    assert (accounts[CLOSED].state, accounts[CLOSED].coverage) == ("SUSPENDED", Coverage.SKIPPED)
    assert accounts[LOST].coverage is Coverage.ROLE_MISSING

    stage.call(LOST, 0.1)
    stage.account(LOST).roles = [jump_role()]
    back = await stage.sync_an_hour_later()

    assert back.state is RunState.COMPLETED
    assert (await stage.logged())[LOST] == 2 * whole  # what was missed meanwhile too
    assert (await stage.accounts())[LOST].coverage is Coverage.COVERED
    assert ("MEMBER_ROLE_MISSING", LOST) not in await stage.findings()


@pytest.mark.slow
async def test_a_sync_looks_for_accounts_once_an_hour_and_reads_without(stage: Stage) -> None:
    listed = len(stage.aws.requests(operation="ListAccounts"))
    assert listed > 0
    stage.call(member(4), 0.1)
    stage.aws.seed_state(stage.state)
    stage.clock.move(minutes=20)
    await stage.sync_now()
    run = await stage.ended(RunKind.SYNC)
    assert stage.aws.requests(operation="ListAccounts") == []
    assert run.tally.accepted >= REQUESTS
    assert "discovery" not in {step.source for step in await stage.steps(run)}
    await stage.sync_an_hour_later()
    assert len(stage.aws.requests(operation="ListAccounts")) > 0


@pytest.mark.slow
async def test_a_role_that_may_no_longer_list_leaves_the_known_accounts_read(stage: Stage) -> None:
    payer = stage.account(PAYER)
    payer.roles[0].permissions.remove("organizations:ListAccounts")
    stage.call(member(5), 0.1)
    run = await stage.sync_an_hour_later()
    assert (run.state, run.tally.failed) == (RunState.COMPLETED, 0)
    assert (await stage.logged())[member(5)] == 3 * REQUESTS
    look = await stage.look(run)
    assert look.state is StepState.FAILED
    assert look.detail
    codes = {code for code, _ in await stage.findings()}
    assert codes & {"ORG_DENIED", "ORG_NOT_MANAGEMENT"}
    payer.roles[0].permissions.append("organizations:ListAccounts")
    await stage.sync_an_hour_later()
    codes = {code for code, _ in await stage.findings()}
    assert not codes & {"ORG_DENIED", "ORG_NOT_MANAGEMENT"}
