"""A worker killed while it destroys a secret: it is destroyed once, and the other one stays."""

import asyncio
import secrets
from contextlib import suppress
from pathlib import Path

import asyncpg
import pytest
from temporalio.client import Client

from tensorcost.activities.processes import Processes
from tensorcost.domain.errors import Unavailable
from tensorcost.domain.identity.principal import Principal
from tensorcost.domain.ids import TenantId
from tensorcost.domain.tenancy.secret_rotation import (
    StoredRotationState,
    StoredRotationStatus,
    stored_rotation_workflow_id,
)
from tensorcost.domain.tenancy.stored_secrets import StoredSecretKind
from tensorcost.runtime.embedded.temporal import TemporalAddress
from tensorcost.services.tenancy.secret_processes import StoredRotationProcesses
from tensorcost.services.tenancy.secret_rotation import StoredSecretService
from tensorcost.storage import outbox
from tensorcost.storage.secrets import lock_secrets, read_secret
from tensorcost.storage.session import Database
from tensorcost.workers.plugin import temporal_plugin
from tests.support.databases import Database as TestDatabase
from tests.support.estate import NOWHERE
from tests.support.principals import caller
from tests.support.temporal_house import utc_now
from tests.support.worker_process import WorkerConfig, worker_process

KIND = StoredSecretKind.CONTENT_HASH
_WAITING = """
    SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database
    WHERE d.datname = current_database() AND l.locktype = 'advisory' AND NOT l.granted
"""


async def somebody_waits(database: TestDatabase) -> None:
    """Return once a transaction waits for the lock of the secrets."""
    connection = await asyncpg.connect(database.superuser_url)
    try:
        while True:
            if await connection.fetchval(_WAITING):
                return
            await asyncio.sleep(0.02)
    finally:
        await connection.close()


async def begin(service: StoredSecretService, me: Principal) -> None:
    """Begin, however long the worker takes to come up."""
    while True:
        with suppress(Unavailable):
            await service.begin(me, KIND)
            return


@pytest.mark.chaos
async def test_a_worker_killed_in_the_middle_of_a_rollback_destroys_one_secret_once(
    database: TestDatabase,
    db: Database,
    tenant: TenantId,
    temporal_server: TemporalAddress,
    tmp_path: Path,
) -> None:
    suffix = f"-{secrets.token_hex(4)}"
    config = WorkerConfig(temporal_server, database.urls.app, suffix, NOWHERE)
    client = await Client.connect(
        temporal_server.frontend, namespace=temporal_server.namespace, plugins=[temporal_plugin()]
    )
    processes = StoredRotationProcesses(Processes(client, queue_suffix=suffix))
    service, me = StoredSecretService(db, processes, utc_now), caller(tenant)
    async with db.tenant(tenant) as tx:
        old = await read_secret(tx, KIND)
    with worker_process(config, tmp_path) as first:
        await asyncio.wait_for(begin(service, me), 90)
        async with db.tenant(tenant) as tx:
            await lock_secrets(tx, KIND)
            asked = asyncio.create_task(service.roll_back(me, KIND, "while it dies"))
            await asyncio.wait_for(somebody_waits(database), 60)
            first.kill()
            first.wait()
    with worker_process(config, tmp_path):
        handle = client.get_workflow_handle(
            stored_rotation_workflow_id(tenant, KIND), result_type=StoredRotationStatus
        )
        status: StoredRotationStatus = await asyncio.wait_for(handle.result(), 90)
        await asyncio.gather(asked, return_exceptions=True)
    assert status.state is StoredRotationState.ROLLED_BACK
    async with db.tenant(tenant) as tx:
        assert await read_secret(tx, KIND) == old
        assert await tx.scalar("SELECT count(*) FROM app.tenant_secret") == 1
        events = [event.type for event in await outbox.events_after(tx, 0, limit=10)]
    assert events == ["tenant.secret_rotation_started", "tenant.secret_rolled_back"]
