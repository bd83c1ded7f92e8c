"""Events pushed into a reconciled month, through the workflow to its next version."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from tensorcost.activities.ingest.pipeline import SpendIngest
from tensorcost.activities.ingest.prices import PriceBooks
from tensorcost.activities.reconciliation.ask import ReconcileProcess
from tensorcost.domain.cost.contracts import (
    ReconcileOutcome,
    ReconcileRequest,
    reconcile_workflow_id,
)
from tensorcost.domain.ids import TenantId
from tensorcost.runtime.embedded.temporal import TemporalAddress
from tensorcost.services.spend.late import LateUsage
from tensorcost.services.spend.push import PushService
from tensorcost.storage.session import Database
from tests.support.bills import OCTOBER, bill_line, load_bill
from tests.support.principals import caller
from tests.support.scripted_connector import ScriptedConnector
from tests.support.spend import MODEL
from tests.support.temporal_house import House, open_house, utc_now

LATE = {
    "timestamp": f"{OCTOBER}T12:00:00Z",
    "source": "bedrock",
    "account_id": "111122223333",
    "region": "us-east-1",
    "model_id": MODEL,
    "input_tokens": 1_000_000,
    "output_tokens": 0,
}


@pytest.fixture
async def house(db: Database, temporal_server: TemporalAddress) -> AsyncIterator[House]:
    async with open_house(temporal_server, db, ScriptedConnector()) as opened:
        yield opened


async def outcome(house: House, tenant: TenantId) -> ReconcileOutcome:
    handle = house.client.get_workflow_handle(
        reconcile_workflow_id(tenant), result_type=ReconcileOutcome
    )
    found: ReconcileOutcome = await handle.result()
    return found


async def test_pushed_events_reach_the_next_version_of_their_month_without_a_sync(
    db: Database, house: House, tenant: TenantId
) -> None:
    await load_bill(db, tenant, [bill_line(OCTOBER)])
    reconciling = ReconcileProcess(house.processes)
    await reconciling.ask(ReconcileRequest(tenant_id=tenant, requested_by="user:fake"))
    (first,) = (await outcome(house, tenant)).months
    assert (first.version, first.totals[0].attributed) == (1, "0.000000000")

    late = LateUsage(db, reconciling, utc_now, patience=timedelta(seconds=2))
    push = PushService(SpendIngest(db, PriceBooks(db)), late, utc_now)
    for native_id in ("a", "b", "c"):
        report = await push.push(caller(tenant), [{**LATE, "id": native_id}])
        assert report.accepted == 1
    (second,) = (await outcome(house, tenant)).months
    (total,) = second.totals
    assert (second.version, second.days_changed) == (2, 1)
    assert (total.attributed, total.unattributed) == ("3.000000000", {"unlogged": "2.000000000"})
    runs = house.client.list_workflows(f"WorkflowId = '{reconcile_workflow_id(tenant)}'")
    assert len([run async for run in runs]) == 2, "three requests are one run"
