"""The whole of connecting an account, on the real Temporal server and the real Postgres."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from temporalio.client import Client

from tensorcost.domain.events.catalogue import EventType
from tensorcost.domain.integration.contracts import (
    BackfillOutcome,
    OnboardingOutcome,
    RunReference,
    onboarding_workflow_id,
    sync_workflow_id,
)
from tensorcost.domain.integration.contracts_connection import Connection
from tensorcost.domain.integration.states import (
    ConnectionState,
    OnboardingPhase,
    RunKind,
    RunState,
    StepState,
)
from tensorcost.domain.tenancy.onboarding import OnboardingState
from tensorcost.runtime.embedded.temporal import TemporalAddress
from tensorcost.services.processes import IntegrationProcesses
from tensorcost.storage import integration, onboarding, outbox, sync_history
from tensorcost.storage.findings import list_findings
from tensorcost.storage.session import Database
from tests.support.connections import make_connection
from tests.support.databases import Database as TestDatabase
from tests.support.scripted_connector import HEALTHY, ScriptedConnector, denied
from tests.support.temporal_house import House, open_house
from tests.support.tenants import app_database, make_tenant


@pytest.fixture(scope="module")
async def db(database: TestDatabase) -> AsyncIterator[Database]:
    async with app_database(database) as opened:
        yield opened


async def validate(house: House, connection: Connection, **changes: Any) -> RunReference:
    processes = IntegrationProcesses(
        house.processes, interval=timedelta(milliseconds=200), **changes
    )
    return await processes.validate(connection, "user:fake")


async def finished(client: Client, workflow_id: str) -> Any:
    return await client.get_workflow_handle(workflow_id).result()


async def events(db: Database, connection: Connection) -> list[str]:
    async with db.tenant(connection.tenant_id) as tx:
        return [event.type for event in await outbox.events_after(tx, 0, limit=1000)]


async def test_an_account_is_connected_backfilled_and_scheduled(
    db: Database, database: TestDatabase, temporal_server: TemporalAddress
) -> None:
    connection = await make_connection(db, await make_tenant(database))
    connector = ScriptedConnector(verdicts=[denied(), HEALTHY])
    async with open_house(temporal_server, db, connector) as house:
        reference = await validate(house, connection, backfill_days=5)
        onboarded = OnboardingOutcome.model_validate(
            await finished(house.client, onboarding_workflow_id(connection.connection_id))
        )
        backfilled = BackfillOutcome.model_validate(
            await finished(house.client, onboarded.backfill_id)
        )
        schedule = await house.client.get_schedule_handle(
            sync_workflow_id(connection.connection_id)
        ).describe()
    assert onboarded.phase is OnboardingPhase.CONNECTED
    assert connector.probes == 2
    assert backfilled.state is RunState.COMPLETED
    assert backfilled.tally.accepted == 6 * 2 * 3 + 1
    assert schedule.schedule.spec.intervals[0].every == timedelta(minutes=15)
    async with db.tenant(connection.tenant_id) as tx:
        stored = await integration.get_connection(tx, connection.connection_id)
        runs = await sync_history.list_runs(tx, connection.connection_id, limit=10)
        steps = await sync_history.list_steps(tx, backfilled.run_id, limit=100)
        rows = await tx.scalar("SELECT count(*) FROM ai.spend_event")
        progress = await onboarding.find_onboarding(tx)
        found = await list_findings(tx, limit=10)
    assert stored.state is ConnectionState.CONNECTED
    assert [run.kind for run in runs] == [RunKind.BACKFILL, RunKind.VALIDATE]
    assert {run.state for run in runs} == {RunState.COMPLETED}
    assert runs[1].run_id == reference.run_id
    assert {step.state for step in steps} == {StepState.COMPLETED}
    assert rows == 6 * 2 * 3 + 1
    assert runs[0].tally.accepted == rows
    assert found == []
    assert progress is not None
    assert progress.state is OnboardingState.AWAITING_FIRST_RECOMMENDATION
    told = await events(db, connection)
    assert told.index(EventType.CONNECTION_VALIDATED) < told.index(EventType.BACKFILL_STARTED)
    assert told[-1] in (EventType.BACKFILL_COMPLETED, EventType.TENANT_ONBOARDING_ADVANCED)
