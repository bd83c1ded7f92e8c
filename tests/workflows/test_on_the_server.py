"""The whole of connecting an account, on the real Temporal server and the real Postgres."""

import asyncio
import secrets
import threading
from datetime import timedelta
from typing import Any

from temporalio.client import (
    Client,
    ScheduleActionExecutionStartWorkflow,
    ScheduleHandle,
)
from temporalio.common import SearchAttributeKey

from tensorcost.activities.integration.ports import ConnectorError
from tensorcost.domain.events.catalogue import EventType
from tensorcost.domain.ids import TenantId
from tensorcost.domain.integration.contracts import (
    CANCEL_UPDATE,
    BackfillOutcome,
    CancelRequest,
    OnboardingOutcome,
    RunReference,
    SyncOutcome,
    backfill_workflow_id,
    onboarding_workflow_id,
)
from tensorcost.domain.integration.contracts_connection import Connection
from tensorcost.domain.integration.contracts_steps import Done
from tensorcost.domain.integration.progress_records import SyncStep
from tensorcost.domain.integration.states import (
    ConnectionState,
    OnboardingPhase,
    RunKind,
    RunState,
    SourceKind,
    StepState,
)
from tensorcost.domain.temporal import SearchAttribute
from tensorcost.domain.tenancy.onboarding import OnboardingState
from tensorcost.runtime.embedded.temporal import TemporalAddress
from tensorcost.services.processes import IntegrationProcesses
from tensorcost.storage import integration, onboarding, outbox, sync_history
from tensorcost.storage.findings import list_findings
from tensorcost.storage.session import Database
from tests.support.connections import make_connection
from tests.support.runs import Runs
from tests.support.scripted_connector import HEALTHY, ScriptedConnector, denied
from tests.support.temporal_house import House, open_house

TENANT = SearchAttributeKey.for_keyword(SearchAttribute.TENANT_ID.value)


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
    db: Database, tenant: TenantId, temporal_server: TemporalAddress
) -> None:
    connection = await make_connection(db, tenant)
    connector = ScriptedConnector(verdicts=[denied(), HEALTHY])
    async with open_house(temporal_server, db, connector) as house:
        reference = await validate(house, connection, backfill_days=5)
        onboarded = OnboardingOutcome.model_validate(
            await finished(house.client, onboarding_workflow_id(connection.connection_id))
        )
        backfilled = BackfillOutcome.model_validate(
            await finished(house.client, onboarded.backfill_id)
        )
        schedule = await Runs(house, connection).schedule.describe()
        await reaches(db, connection, OnboardingState.AWAITING_FIRST_RECOMMENDATION)
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
        found = await list_findings(tx, limit=10)
    assert stored.state is ConnectionState.CONNECTED
    assert [run.kind for run in runs] == [RunKind.BACKFILL, RunKind.VALIDATE]
    assert {run.state for run in runs} == {RunState.COMPLETED}
    assert runs[1].run_id == reference.run_id
    assert {step.state for step in steps} == {StepState.COMPLETED}
    assert rows == 6 * 2 * 3 + 1
    assert runs[0].tally.accepted == rows
    assert found == []
    told = await events(db, connection)
    assert told.index(EventType.CONNECTION_VALIDATED) < told.index(EventType.BACKFILL_STARTED)
    assert told[-1] in (EventType.BACKFILL_COMPLETED, EventType.TENANT_ONBOARDING_ADVANCED)


async def test_a_scheduled_sync_goes_on_from_the_watermarks(
    db: Database, tenant: TenantId, temporal_server: TemporalAddress
) -> None:
    connection = await make_connection(db, tenant)
    connector = ScriptedConnector(objects_per_item=1)
    async with open_house(temporal_server, db, connector) as house:
        await validate(house, connection, backfill_days=1)
        onboarded = await finished(house.client, onboarding_workflow_id(connection.connection_id))
        await finished(house.client, onboarded["backfill_id"])
        syncs = Runs(house, connection)
        for number in (1, 2):
            await syncs.sync_now()
            started = await nth_run_of(syncs.schedule, number)
            outcome = SyncOutcome.model_validate(await finished(house.client, started))
            assert outcome.state is RunState.COMPLETED
    async with db.tenant(connection.tenant_id) as tx:
        runs = await sync_history.list_runs(
            tx, connection.connection_id, limit=5, kind=RunKind.SYNC
        )
        steps = await sync_history.list_steps(tx, runs[0].run_id, limit=10)
        stored = await integration.get_connection(tx, connection.connection_id)
    assert [run.state for run in runs] == [RunState.COMPLETED] * 2
    (logs,) = [step for step in steps if "logs" in step.source]
    assert runs[1].window_end is not None
    assert logs.window_start == runs[1].window_end - timedelta(hours=2)
    assert logs.window_end == runs[0].window_end
    assert stored.last_synced_at is not None
    told = await events(db, connection)
    assert (told.count(EventType.SYNC_STARTED), told.count(EventType.SYNC_COMPLETED)) == (2, 2)


async def test_a_backfill_can_be_cancelled_in_the_middle(
    db: Database, tenant: TenantId, temporal_server: TemporalAddress
) -> None:
    connection = await make_connection(db, tenant)
    gate = threading.Event()
    connector = ScriptedConnector(gate=gate)
    async with open_house(temporal_server, db, connector) as house:
        await validate(house, connection, backfill_days=20)
        onboarded = await finished(house.client, onboarding_workflow_id(connection.connection_id))
        async with asyncio.timeout(30):
            while True:
                if any("logs" in key for key in connector.reads):
                    break
                await asyncio.sleep(0.05)
        await house.processes.update(
            onboarded["backfill_id"], CANCEL_UPDATE, CancelRequest(requested_by="u"), Done
        )
        outcome = BackfillOutcome.model_validate(
            await finished(house.client, onboarded["backfill_id"])
        )
        gate.set()
    assert outcome.state is RunState.CANCELLED
    async with db.tenant(connection.tenant_id) as tx:
        steps = await sync_history.list_steps(tx, outcome.run_id, limit=100)
        run = await sync_history.get_run(tx, outcome.run_id)
    assert run.state is RunState.CANCELLED
    assert {step.state for step in steps} <= {StepState.COMPLETED, StepState.SKIPPED}
    assert StepState.SKIPPED in {step.state for step in steps}


async def test_workers_drain_when_told_and_lose_no_work(
    db: Database, tenant: TenantId, temporal_server: TemporalAddress
) -> None:
    connection = await make_connection(db, tenant)
    connector = ScriptedConnector(objects_per_item=6)
    suffix = f"-{secrets.token_hex(4)}"
    async with open_house(temporal_server, db, connector, suffix=suffix) as house:
        await validate(house, connection, backfill_days=15)
        onboarded = await finished(house.client, onboarding_workflow_id(connection.connection_id))
    async with open_house(temporal_server, db, connector, suffix=suffix) as house:
        outcome = BackfillOutcome.model_validate(
            await finished(house.client, onboarded["backfill_id"])
        )
    assert outcome.state is RunState.COMPLETED
    assert outcome.tally.failed == 0
    assert (await spend(db, connection))["requests"] == 16 * 6 * 3


async def test_an_item_that_is_retried_says_why_in_its_step_and_in_temporal(
    db: Database, tenant: TenantId, temporal_server: TemporalAddress
) -> None:
    connection = await make_connection(db, tenant)
    error = ConnectorError("NETWORK", "AWS could not be reached", retry_after=0.2)
    down = threading.Event()
    down.set()
    connector = ScriptedConnector(
        fail=lambda job: error if down.is_set() and "logs" in job.item.step_key else None
    )
    async with open_house(temporal_server, db, connector) as house:
        await validate(house, connection, backfill_days=1)
        onboarded = await finished(house.client, onboarding_workflow_id(connection.connection_id))
        step = await retried_step(db, connection)
        handle = house.client.get_workflow_handle(onboarded["backfill_id"])
        pending = (await handle.describe()).raw_description.pending_activities
        shown = [found.last_failure.message for found in pending if found.attempt > 1]
        down.clear()
        outcome = BackfillOutcome.model_validate(await handle.result())
    assert (step.error_code, step.error) == ("NETWORK", "AWS could not be reached")
    assert "AWS could not be reached" in shown
    assert (outcome.state, outcome.tally.failed) == (RunState.COMPLETED, 0)
    async with db.tenant(connection.tenant_id) as tx:
        steps = await sync_history.list_steps(tx, outcome.run_id, limit=100)
    retried = [step for step in steps if step.attempt > 1]
    assert retried
    assert {(step.state, step.error_code, step.error) for step in retried} == {
        (StepState.COMPLETED, "", "")
    }


async def test_a_source_that_a_sync_is_the_first_to_read_is_backfilled(
    db: Database, tenant: TenantId, temporal_server: TemporalAddress
) -> None:
    connection = await make_connection(db, tenant)
    error = ConnectorError("LOG_BUCKET_DENIED", "the bucket's policy says no", retry_after=None)
    denied_yet = threading.Event()
    denied_yet.set()
    connector = ScriptedConnector(
        objects_per_item=1,
        fail=lambda job: error if denied_yet.is_set() and "logs" in job.item.step_key else None,
    )
    async with open_house(temporal_server, db, connector) as house:
        await validate(house, connection, backfill_days=3)
        onboarded = await finished(house.client, onboarding_workflow_id(connection.connection_id))
        first = BackfillOutcome.model_validate(
            await finished(house.client, onboarded["backfill_id"])
        )
        denied_yet.clear()  # the customer adds the bucket's policy
        syncs = Runs(house, connection)
        await syncs.sync_now()
        await finished(house.client, await nth_run_of(syncs.schedule, 1))
        handle = house.client.get_workflow_handle(backfill_workflow_id(connection.connection_id, 2))
        second = BackfillOutcome.model_validate(await handle.result())
        attributes = (await handle.describe()).typed_search_attributes
        await syncs.sync_now()
        await finished(house.client, await nth_run_of(syncs.schedule, 2))
    assert (first.tally.failed, second.tally.failed) == (4, 0)
    async with db.tenant(connection.tenant_id) as tx:
        steps = await sync_history.list_steps(tx, second.run_id, limit=100)
        runs = await sync_history.list_runs(
            tx, connection.connection_id, limit=10, kind=RunKind.BACKFILL
        )
    assert len(runs) == 2  # once is enough
    assert len(steps) == 4
    assert {step.source for step in steps} == {SourceKind.LOGS_S3}
    assert (await spend(db, connection))["requests"] == (4 + 2) * 3  # with the syncs' own objects
    assert attributes[TENANT] == str(connection.tenant_id)


async def retried_step(db: Database, connection: Connection) -> SyncStep:
    """A step of the newest run whose second attempt failed too, once there is one."""
    async with asyncio.timeout(30):
        while True:
            async with db.tenant(connection.tenant_id) as tx:
                (run,) = await sync_history.list_runs(tx, connection.connection_id, limit=1)
                steps = await sync_history.list_steps(tx, run.run_id, limit=100)
            for step in steps:
                if step.state is StepState.RETRYING and step.attempt > 1:
                    return step
            await asyncio.sleep(0.05)


async def reaches(db: Database, connection: Connection, state: OnboardingState) -> None:
    """The tenant's onboarding gets there: it hears of facts a moment later than they happen."""
    async with asyncio.timeout(30):
        while True:
            async with db.tenant(connection.tenant_id) as tx:
                found = await onboarding.find_onboarding(tx)
            if found is not None and found.state is state:
                return
            await asyncio.sleep(0.05)


async def spend(db: Database, connection: Connection) -> dict[str, int]:
    async with db.tenant(connection.tenant_id) as tx:
        row = await tx.first(
            "SELECT COALESCE(sum(requests) FILTER (WHERE grain = 1), 0)::bigint AS requests, "
            "COALESCE(sum(requests) FILTER (WHERE grain = 2), 0)::bigint AS metrics "
            "FROM ai.spend_daily"
        )
    assert row is not None
    return dict(row._mapping)


async def nth_run_of(schedule: ScheduleHandle, number: int) -> str:
    """The workflow id of the schedule's run of this number, once it was started."""
    async with asyncio.timeout(30):
        while True:
            actions = (await schedule.describe()).info.recent_actions
            if len(actions) >= number:
                action = actions[number - 1].action
                assert isinstance(action, ScheduleActionExecutionStartWorkflow)
                return action.workflow_id
            await asyncio.sleep(0.05)
