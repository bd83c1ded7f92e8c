"""An emulated organisation's bill against its logs, to the cent of the world's answer key."""

import asyncio
import json
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from temporalio.client import Client

from demo.aws.control import SimControl
from demo.world.restate import publish_restatement
from demo.world.spec import World
from tensorcost.activities.integration.bedrock.connector import BedrockConnector
from tensorcost.domain.cost.contracts import (
    MonthTotals,
    ReconcileOutcome,
    ReconciliationReport,
    reconcile_workflow_id,
)
from tensorcost.domain.cost.reconciliation.closing import PeriodState
from tensorcost.domain.ids import TenantId
from tensorcost.runtime.embedded.temporal import TemporalAddress
from tensorcost.services.processes import IntegrationProcesses
from tensorcost.storage.session import Database
from tests.support.databases import Database as TestDatabase
from tests.support.estate import Estate, connect_world, recent_world
from tests.support.prices import store_builtin_lists
from tests.support.runs import Runs
from tests.support.temporal_house import finish, open_house, utc_now
from tests.support.truths import read_truths

DAYS = 40
CENT = Decimal("0.01")
EXPLAINED = ("attributed", "metered")
"""The key's names of what rows of either grain explain."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return recent_world(tmp_path_factory, days=DAYS, requests=3_000)


@pytest.fixture
def aws(simulator: SimControl, world: World) -> SimControl:
    simulator.seed_folder(world.path)
    return simulator


@pytest.fixture(scope="module")
async def db(database: TestDatabase, db: Database) -> Database:
    """With the prices by which the world's answer key estimates."""
    await store_builtin_lists(database.urls.platform)
    return db


def key_of(world: World, part: str) -> dict[str, Any]:
    """The answer key's months: ``bill`` as first delivered, or ``restated``."""
    found: dict[str, Any] = json.loads(world.truth_file.read_bytes())[part]
    return found


def closed_shares(month: dict[str, Any], closed_until: date) -> dict[str, Decimal]:
    """The key's shares of the days before one; the days after it are not reconciled yet."""
    sums: dict[str, Decimal] = {}
    for day, shares in month["shares_by_day"].items():
        if date.fromisoformat(day) < closed_until:
            for share, usd in shares.items():
                name = "attributed" if share in EXPLAINED else share
                sums[name] = sums.get(name, Decimal(0)) + Decimal(usd)
    return sums


def told_shares(total: MonthTotals) -> dict[str, Decimal]:
    return {
        "attributed": Decimal(total.attributed),
        **{share: Decimal(usd) for share, usd in total.unattributed.items()},
    }


def check(report: ReconciliationReport, month: dict[str, Any]) -> None:
    (total,) = report.totals
    expected, told = closed_shares(month, report.closed_until), told_shares(total)
    assert Decimal(total.difference) == 0
    assert abs(sum(told.values(), Decimal(0)) - sum(expected.values(), Decimal(0))) < CENT
    # What the bill names in words that nobody knows is explained by no row.
    expected["unlogged"] = expected.get("unlogged", Decimal(0)) + expected.pop(
        "unnamed", Decimal(0)
    )
    assert set(told) == {share for share, usd in expected.items() if usd}
    for share, usd in expected.items():
        assert abs(told.get(share, Decimal(0)) - usd) < CENT, share
    # Bills do not mark geographic profiles: none of their money may look like another scope's.
    assert "region_or_profile_scope" not in total.gaps
    if report.state is not PeriodState.OPEN:
        drift = Decimal(total.gaps.get("price_drift", "0"))
        assert abs(drift - Decimal(month["price_drift_usd"])) < CENT


async def reconciled(client: Client, tenant: TenantId) -> dict[str, ReconciliationReport]:
    """What the tenant's newest reconciliation found, by month, once it has ended."""
    handle = client.get_workflow_handle(reconcile_workflow_id(tenant), result_type=ReconcileOutcome)
    outcome: ReconcileOutcome = await handle.result()
    assert outcome.failed == ()
    return {f"{report.period:%Y-%m}": report for report in outcome.months}


@pytest.mark.slow
async def test_what_a_backfill_read_is_reconciled_and_a_restatement_changes_it(
    db: Database,
    tenant: TenantId,
    temporal_server: TemporalAddress,
    aws: SimControl,
    world: World,
) -> None:
    connection = await connect_world(db, tenant, world)
    connector = BedrockConnector(Estate.of(aws.endpoint_url, world).sessions(), utc_now)
    bills = key_of(world, "bill")
    async with open_house(temporal_server, db, connector) as house:
        processes = IntegrationProcesses(
            house.processes, backfill_days=DAYS + 1, interval=timedelta(milliseconds=300)
        )
        await processes.validate(connection, "user:fake")
        await finish(house.client, connection)
        first = await reconciled(house.client, tenant)
        assert set(first) == set(bills)
        for month, report in first.items():
            check(report, bills[month])
        restated = publish_restatement(world.path, aws)
        await Runs(house, connection).sync_now()
        told = await first_event(db, tenant, "cost.restated")
        second = await reconciled(house.client, tenant)
        truths = await read_truths(db, house.client, tenant)
    truths.assert_consistent()
    report = second[restated]
    check(report, key_of(world, "restated")[restated])
    assert (report.former, report.version) == (1, 2)
    moved = Decimal(report.totals[0].billed) - Decimal(first[restated].totals[0].billed)
    assert Decimal(told["billed"]["USD"]["unblended"]) == moved != 0
    assert len(await events(db, tenant, "reconciliation.completed")) >= len(first) + 1


async def first_event(db: Database, tenant: TenantId, kind: str) -> dict[str, Any]:
    async with asyncio.timeout(120):
        while True:
            if found := await events(db, tenant, kind):
                return found[0]
            await asyncio.sleep(0.1)


async def events(db: Database, tenant: TenantId, kind: str) -> list[dict[str, Any]]:
    async with db.tenant(tenant) as tx:
        rows = await tx.all(
            "SELECT data FROM app.event_outbox WHERE type = :kind ORDER BY cursor", kind=kind
        )
    return [row.data for row in rows]
