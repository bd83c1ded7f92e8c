"""The starter on the real server: one open run per key, schedules that keep their pause."""

from datetime import timedelta
from uuid import uuid4

import pytest
from temporalio.client import Client, ScheduleOverlapPolicy

from tensorcost.activities.processes import Process, Processes
from tensorcost.domain.errors import NotFound, Unavailable
from tensorcost.domain.ids import ConnectionId, TenantId
from tensorcost.domain.integration.contracts import (
    CANCEL_UPDATE,
    CancelRequest,
    ConnectionKey,
    SyncInput,
    sync_workflow_id,
)
from tensorcost.domain.integration.contracts_steps import Done
from tensorcost.domain.temporal import SearchAttribute
from tensorcost.runtime.embedded.temporal import TemporalAddress
from tensorcost.workers.plugin import temporal_plugin


@pytest.fixture(scope="module")
async def client(temporal_server: TemporalAddress) -> Client:
    return await Client.connect(
        temporal_server.frontend,
        namespace=temporal_server.namespace,
        plugins=[temporal_plugin()],
    )


@pytest.fixture
def processes(client: Client) -> Processes:
    return Processes(client, queue_suffix=f"-{uuid4().hex[:8]}")


def sync() -> Process:
    key = ConnectionKey(
        tenant_id=TenantId(uuid4()), connection_id=ConnectionId(uuid4()), provider="bedrock"
    )
    return Process(
        name="Sync",
        workflow_id=sync_workflow_id(key.connection_id),
        tenant_id=key.tenant_id,
        context="integration",
        argument=SyncInput(connection=key),
        summary="Sync of a bedrock connection",
        attributes={SearchAttribute.CONNECTION_ID: str(key.connection_id)},
    )


async def test_a_second_start_of_the_same_key_is_no_start(
    client: Client, processes: Processes
) -> None:
    process = sync()
    assert await processes.start(process)
    assert not await processes.start(process)
    described = await client.get_workflow_handle(process.workflow_id).describe()
    assert described.search_attributes["TenantId"] == [str(process.tenant_id)]
    assert await described.static_summary() == "Sync of a bedrock connection"


async def test_a_schedule_is_made_once_and_keeps_its_pause(
    client: Client, processes: Processes
) -> None:
    process = sync()
    assert await processes.ensure_schedule(process, timedelta(minutes=15))
    handle = client.get_schedule_handle(process.workflow_id)
    await handle.pause(note="an operator's wish")
    assert not await processes.ensure_schedule(process, timedelta(minutes=5))
    schedule = (await handle.describe()).schedule
    assert schedule.spec.intervals[0].every == timedelta(minutes=5)
    assert schedule.policy.overlap == ScheduleOverlapPolicy.SKIP
    assert schedule.policy.catchup_window == timedelta(minutes=10)
    assert (schedule.state.paused, schedule.state.note) == (True, "an operator's wish")


async def test_steering_what_does_not_run_is_not_found(processes: Processes) -> None:
    request = CancelRequest(requested_by="user:a")
    with pytest.raises(NotFound):
        await processes.update("connection/none/sync", CANCEL_UPDATE, request, Done)
    with pytest.raises(NotFound):
        await processes.signal("connection/none/sync", "stop", request)


async def test_without_a_worker_an_update_says_that_nobody_answers(
    processes: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tensorcost.activities.processes.UPDATE_TIMEOUT", timedelta(seconds=1))
    process = sync()
    await processes.start(process)
    request = CancelRequest(requested_by="user:a")
    with pytest.raises(Unavailable):
        await processes.update(process.workflow_id, CANCEL_UPDATE, request, Done)
