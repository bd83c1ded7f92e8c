"""The comparison of two tenants' states: equal for equal roads, and blind to nothing."""

from datetime import timedelta
from uuid import NAMESPACE_OID, uuid4, uuid5

import pytest
from temporalio.client import Client

from tensorcost.activities.processes import Process, Processes
from tensorcost.domain.cost.contracts import (
    CONTEXT,
    RECONCILE,
    ReconcileInput,
    reconcile_workflow_id,
)
from tensorcost.domain.ids import TenantId
from tensorcost.runtime.embedded.temporal import TemporalAddress
from tensorcost.storage.session import Database
from tensorcost.storage.sync_steps import plan_steps
from tensorcost.workers.plugin import temporal_plugin
from tests.support.bills import OCTOBER, bill_line, load_bill
from tests.support.connections import NOW, log_item, make_connection, make_run
from tests.support.databases import Database as TestDatabase
from tests.support.reconciled import reconcile_month
from tests.support.spend import dimension
from tests.support.spend_rows import Use, add_uses, at
from tests.support.tenants import make_tenant
from tests.support.truths import Truths, read_truths

DAYS = [OCTOBER + timedelta(days=n) for n in range(5)]
DAMAGES = {
    "hourly": "UPDATE ai.spend_hourly SET cost_nano = cost_nano + 1",
    "daily": "UPDATE ai.spend_daily SET input_tokens = input_tokens - 1",
    "delta": (
        "INSERT INTO ai.spend_delta (tenant_id, batch_id, day, dim_id, actor_id, grain, requests) "
        "SELECT tenant_id, batch_id, day + 100, dim_id, actor_id, grain, 1 FROM ai.spend_delta"
    ),
    "twice": (
        "INSERT INTO ai.spend_event (tenant_id, ts, event_id, dim_id, batch_id, grain) "
        "SELECT tenant_id, ts + interval '1 second', event_id, dim_id, batch_id, grain "
        "FROM ai.spend_event LIMIT 1"
    ),
    "money": (
        "INSERT INTO ai.reconciled_daily (tenant_id, day, reconciliation_id, dim_id, actor_id, "
        "grain, share, currency, unblended_nano, amortized_nano, net_nano) "
        "SELECT tenant_id, day, reconciliation_id, 1, 0, 3, 'unlogged', 'USD', 0, 0, 1 "
        "FROM ai.reconciled_day LIMIT 1"
    ),
}


@pytest.fixture(scope="module")
async def client(temporal_server: TemporalAddress) -> Client:
    return await Client.connect(
        temporal_server.frontend, namespace=temporal_server.namespace, plugins=[temporal_plugin()]
    )


@pytest.fixture
async def tenant(db: Database, database: TestDatabase) -> TenantId:
    return await reconciled_tenant(db, database)


async def reconciled_tenant(db: Database, database: TestDatabase) -> TenantId:
    """Days of use and a bill of them, reconciled."""
    tenant = await make_tenant(database)
    uses = [
        Use(at(day), dimension(), event_id=uuid5(NAMESPACE_OID, f"{day}"), cost_nano=None)
        for day in DAYS
    ]
    await add_uses(db, tenant, uses)
    await load_bill(db, tenant, [bill_line(day) for day in DAYS])
    await reconcile_month(db, tenant, DAYS[-1])
    return tenant


async def look(db: Database, client: Client, tenant: TenantId) -> Truths:
    return await read_truths(db, client, tenant, timedelta(0))


async def test_equal_roads_give_equal_truths(
    db: Database, database: TestDatabase, client: Client, tenant: TenantId
) -> None:
    truths = await look(db, client, tenant)
    truths.assert_consistent()
    assert truths.reconciled
    assert truths == await look(db, client, await reconciled_tenant(db, database))
    await add_uses(db, tenant, [Use(at(DAYS[-1]), dimension())])
    assert await look(db, client, tenant) != truths


@pytest.mark.parametrize("damage", DAMAGES)
async def test_a_sum_that_is_not_its_parts_is_seen(
    db: Database, client: Client, tenant: TenantId, damage: str
) -> None:
    async with db.tenant(tenant) as tx:
        assert await tx.run(DAMAGES[damage]) > 0
    with pytest.raises(AssertionError):
        (await look(db, client, tenant)).assert_consistent()


async def test_a_step_left_open_is_seen(db: Database, client: Client, tenant: TenantId) -> None:
    run = await make_run(db, await make_connection(db, tenant))
    async with db.tenant(tenant) as tx:
        await plan_steps(tx, run.run_id, [log_item(1)], NOW)
    truths = await look(db, client, tenant)
    assert truths.open_steps == 1
    with pytest.raises(AssertionError):
        truths.assert_consistent()


async def test_a_workflow_that_nobody_works_on_is_seen(
    db: Database, client: Client, tenant: TenantId
) -> None:
    processes = Processes(client, queue_suffix=f"-{uuid4().hex}")
    workflow_id = reconcile_workflow_id(tenant)
    await processes.start(
        Process(
            name=RECONCILE,
            workflow_id=workflow_id,
            tenant_id=tenant,
            context=CONTEXT,
            argument=ReconcileInput(tenant_id=tenant),
            summary="Nobody's",
        )
    )
    truths = await look(db, client, tenant)
    await client.get_workflow_handle(workflow_id).terminate()
    assert truths.open_workflows == (RECONCILE,)
    with pytest.raises(AssertionError):
        truths.assert_consistent()
