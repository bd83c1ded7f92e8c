"""Asking for a reconciliation on the real server: one run a tenant, as often as one likes."""

from collections.abc import AsyncIterator

import pytest

from tensorcost.activities.reconciliation.ask import ReconcileProcess
from tensorcost.domain.cost.contracts import ReconcileOutcome, ReconcileRequest
from tensorcost.domain.temporal import SearchAttribute
from tensorcost.runtime.embedded.temporal import TemporalAddress
from tests.activities.reconciliation.conftest import Bench
from tests.support.bills import OCTOBER, bill_line, load_bill
from tests.support.scripted_connector import ScriptedConnector
from tests.support.temporal_house import House, open_house


@pytest.fixture
async def house(bench: Bench, temporal_server: TemporalAddress) -> AsyncIterator[House]:
    async with open_house(temporal_server, bench.db, ScriptedConnector()) as opened:
        yield opened


async def outcome(house: House, workflow_id: str) -> ReconcileOutcome:
    handle = house.client.get_workflow_handle(workflow_id, result_type=ReconcileOutcome)
    found: ReconcileOutcome = await handle.result()
    return found


async def test_who_asks_again_after_the_end_gets_another_run(bench: Bench, house: House) -> None:
    reconciling = ReconcileProcess(house.processes)
    due = ReconcileRequest(tenant_id=bench.tenant, requested_by="user:fake")
    await load_bill(bench.db, bench.tenant, [bill_line(OCTOBER)])
    workflow_id = await reconciling.ask(due)
    assert workflow_id == f"tenant/{bench.tenant}/reconcile"
    (first,) = (await outcome(house, workflow_id)).months
    assert (first.period, first.version) == (OCTOBER, 1)
    await load_bill(bench.db, bench.tenant, [bill_line(OCTOBER, unblended_nano=1)])
    assert await reconciling.ask(due) == workflow_id
    (second,) = (await outcome(house, workflow_id)).months
    assert second.version == 2
    described = await house.client.get_workflow_handle(workflow_id).describe()
    shown = {pair.key.name: pair.value for pair in described.typed_search_attributes}
    assert shown[SearchAttribute.TENANT_ID] == str(bench.tenant)
    assert (shown[SearchAttribute.CONTEXT], shown[SearchAttribute.STATE]) == ("cost", "completed")


async def test_a_month_without_a_bill_is_given_up_and_told(bench: Bench, house: House) -> None:
    wish = ReconcileRequest(tenant_id=bench.tenant, requested_by="user:fake", period=OCTOBER)
    workflow_id = await ReconcileProcess(house.processes).ask(wish)
    (month,) = (await outcome(house, workflow_id)).failed
    assert (month.code, month.error) == ("NoBill", "bill of 2026-10 not found")
    assert await bench.events("reconciliation.failed") == [
        {"period": "2026-10", "code": "NoBill", "requested_by": "user:fake"}
    ]
