"""A bill that is broken in the bucket never changes a figure: it is refused, shown and told."""

import json
import secrets
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from demo.aws import state as sim
from demo.aws.control import SimControl
from tensorcost.activities.ingest.bills import BillIngest
from tensorcost.activities.ingest.pipeline import SpendIngest
from tensorcost.activities.ingest.prices import PriceBooks
from tensorcost.activities.integration.bedrock.connector import BedrockConnector
from tensorcost.activities.integration.bill_items import RESTARTS
from tensorcost.activities.integration.items import ItemActivities
from tensorcost.activities.integration.ports import Loaders
from tensorcost.domain.ids import TenantId
from tensorcost.domain.integration.contracts import ConnectionKey, Tally
from tensorcost.domain.integration.contracts_connection import Connection
from tensorcost.domain.integration.contracts_steps import ItemOrder
from tensorcost.domain.integration.plan import Site, WorkItem
from tensorcost.domain.integration.states import RunKind, SourceKind
from tensorcost.storage import sync_steps
from tensorcost.storage.findings import list_findings
from tensorcost.storage.session import Database
from tests.providers.aws.world import (
    CUR_BUCKET,
    EXTERNAL_ID,
    HOME,
    NOW,
    PAYER,
    ROLE_ARN,
    sessions,
    stored,
    world,
)
from tests.providers.bedrock.cur_files import as_csv, row
from tests.support.connections import make_connection, make_run

PLACE = {"place": "bills", "export": "bills", "bucket": CUR_BUCKET, "prefix": "cur"}
SITE = Site(SourceKind.BILL, PAYER, "", PLACE | {"bucket_region": HOME, "legacy": "no"})
OCTOBER, NOVEMBER = "2026-10", "2026-11"
TEN, TWENTY = (row(line_item_unblended_cost=amount) for amount in ("10", "20"))


def part(month: str, number: int = 1) -> str:
    return f"cur/bills/data/BILLING_PERIOD={month}/bills-{number:05d}.csv"


def delivery(
    month: str, *parts: Sequence[dict[str, Any]], missing: int = 0
) -> list[sim.ObjectSeed]:
    """A manifest and its parts; it names ``missing`` more of them that are not there."""
    keys = [part(month, number) for number in range(1, len(parts) + missing + 1)]
    body = {
        "dataFiles": [f"s3://{CUR_BUCKET}/{key}" for key in keys],
        "executionId": secrets.token_hex(4),
    }
    name = f"cur/bills/metadata/BILLING_PERIOD={month}/bills-Manifest.json"
    files = [(key, as_csv(rows)) for key, rows in zip(keys, parts, strict=False)]
    files.append((name, json.dumps(body).encode()))
    return [stored(key, content, CUR_BUCKET) for key, content in files]


@dataclass
class Bench:
    """A connection with one bill in the emulator, and the activity that reads it."""

    db: Database
    connection: Connection
    aws: SimControl
    acts: ItemActivities
    run_id: UUID | None = None

    async def read(self, *objects: sim.ObjectSeed, attempt: int = 1) -> Tally:
        """Put these objects into the bucket and let one item read them."""
        if objects:
            self.aws.seed_state(world(objects=list(objects)))
        run = await make_run(self.db, self.connection, kind=RunKind.SYNC)
        self.run_id = run.run_id
        start = datetime(2026, 10, 1, tzinfo=UTC)
        item = WorkItem(f"{SITE.key}/1", 1, SITE, start, NOW)
        async with self.db.tenant(self.connection.tenant_id) as tx:
            await sync_steps.plan_steps(tx, run.run_id, [item], NOW)
        env = ActivityEnvironment()
        env.info = replace(env.info, attempt=attempt)
        order = ItemOrder(
            connection=ConnectionKey.of(self.connection),
            run_id=run.run_id,
            step_key=item.step_key,
        )
        return (await env.run(self.acts.ingest_item, order)).tally

    async def bills(self) -> dict[str, int]:
        """Dollars of the current bill by month."""
        async with self.db.tenant(self.connection.tenant_id) as tx:
            rows = await tx.all(
                "SELECT p.period, sum(b.unblended_nano) / 1000000000 AS usd FROM ai.bill_daily b "
                "JOIN ai.bill_period p ON p.current_delivery_id = b.delivery_id GROUP BY 1"
            )
        return {f"{found.period:%Y-%m}": int(found.usd) for found in rows}

    async def quarantined(self) -> list[tuple[str, int, str]]:
        async with self.db.tenant(self.connection.tenant_id) as tx:
            rows = await tx.all("SELECT file, position, reason FROM app.quarantine ORDER BY 1, 2")
        return [tuple(found) for found in rows]

    async def findings(self) -> dict[str, str]:
        """Open findings: the code by what it is about."""
        async with self.db.tenant(self.connection.tenant_id) as tx:
            found = await list_findings(tx, limit=20)
        return {finding.subject: finding.code for finding in found}

    async def step(self) -> tuple[str, str, str]:
        """State, code and detail of the step that was read last."""
        async with self.db.tenant(self.connection.tenant_id) as tx:
            (found,) = await tx.all(
                "SELECT state, error_code, detail FROM app.sync_step WHERE run_id = :run",
                run=self.run_id,
            )
        return found.state, found.error_code, found.detail


@pytest.fixture
async def bench(
    db: Database, tenant: TenantId, simulator: SimControl, threads: ThreadPoolExecutor
) -> Bench:
    connection = await make_connection(db, tenant, external_id=EXTERNAL_ID, role_arn=ROLE_ARN)
    connector = BedrockConnector(sessions(simulator.endpoint_url), lambda: NOW)
    loaders = Loaders(SpendIngest(db, PriceBooks(db)), BillIngest(db))
    acts = ItemActivities(db, {"bedrock": connector}, loaders, threads, lambda: NOW)
    return Bench(db, connection, simulator, acts)


async def test_a_manifest_that_names_a_missing_file_is_begun_again_and_then_refused(
    bench: Bench,
) -> None:
    october = delivery(OCTOBER, [TEN])
    await bench.read(*october, *delivery(NOVEMBER, [TEN]))
    broken = [*delivery(OCTOBER, [TWENTY], missing=1), *delivery(NOVEMBER, [TWENTY])]
    for attempt in range(1, RESTARTS + 1):
        with pytest.raises(ApplicationError) as caught:
            await bench.read(*broken, attempt=attempt)
        assert (caught.value.non_retryable, caught.value.details[0]) == (
            False,
            "CHANGED_WHILE_READ",
        )
    tally = await bench.read(*broken, attempt=RESTARTS + 1)
    assert (tally.rejected, tally.accepted) == (1, 1)
    assert await bench.bills() == {OCTOBER: 10, NOVEMBER: 20}
    manifest = october[-1].key
    assert await bench.quarantined() == [(manifest, 0, "broken_delivery")]
    assert await bench.findings() == {f"bills/{OCTOBER}": "BILL_REFUSED"}
    await bench.read(*delivery(OCTOBER, [TWENTY], [TWENTY]), *delivery(NOVEMBER, [TWENTY]))
    assert await bench.bills() == {OCTOBER: 40, NOVEMBER: 20}
    assert await bench.findings() == {}


async def test_a_part_replaced_while_it_is_read_is_read_again_from_the_manifest(
    bench: Bench,
) -> None:
    await bench.read(*delivery(OCTOBER, [TEN]))
    bench.aws.seed_state(world(objects=delivery(OCTOBER, [TWENTY], [TWENTY])))
    bench.aws.preset("object_replaced", resource=f"*{part(OCTOBER, 2)}")
    with pytest.raises(ApplicationError) as caught:
        await bench.read()
    assert caught.value.details[0] == "CHANGED_WHILE_READ"
    assert await bench.bills() == {OCTOBER: 10}
    bench.aws.heal()
    await bench.read(attempt=2)
    assert await bench.bills() == {OCTOBER: 40}
    assert await bench.findings() == {}


async def test_a_part_without_a_column_is_refused_and_other_months_are_read(
    bench: Bench,
) -> None:
    await bench.read(*delivery(OCTOBER, [TEN]))
    costless = {name: cell for name, cell in TWENTY.items() if "unblended" not in name}
    broken = delivery(OCTOBER, [TWENTY], [costless])
    tally = await bench.read(*broken, *delivery(NOVEMBER, [TEN]))
    assert (tally.accepted, tally.rejected) == (1, 1)
    assert await bench.bills() == {OCTOBER: 10, NOVEMBER: 10}
    assert await bench.quarantined() == [(part(OCTOBER, 2), 0, "missing_field")]
    assert await bench.findings() == {f"bills/{OCTOBER}": "BILL_REFUSED"}
    state, code, detail = await bench.step()
    assert (state, code) == ("completed", "BILL_REFUSED")
    assert f"{part(OCTOBER, 2)} at 0, missing_field" in detail


async def test_a_bill_in_another_currency_is_told_until_it_is_in_dollars(bench: Bench) -> None:
    euros = row(line_item_unblended_cost="20", line_item_currency_code="EUR")
    await bench.read(*delivery(OCTOBER, [euros, TEN]))
    assert await bench.findings() == {f"bills/{OCTOBER}": "BILL_OTHER_CURRENCY"}
    state, code, detail = await bench.step()
    assert (state, code) == ("completed", "BILL_OTHER_CURRENCY")
    assert "20.000000000 EUR" in detail
    await bench.read(*delivery(OCTOBER, [TEN]))
    assert await bench.findings() == {}
    assert await bench.step() == ("completed", "", "")


@pytest.mark.parametrize("body", [b"{}", b'{"dataFiles": ["s3://elsewhere/x.csv"]}'])
async def test_an_odd_manifest_is_refused_and_other_months_are_read(
    bench: Bench, body: bytes
) -> None:
    first = delivery(OCTOBER, [TEN])
    await bench.read(*first)
    odd = stored(first[-1].key, body, CUR_BUCKET)
    await bench.read(odd, *delivery(NOVEMBER, [TEN]))
    assert await bench.bills() == {OCTOBER: 10, NOVEMBER: 10}
    assert await bench.quarantined() == [(odd.key, 0, "bad_manifest")]
    assert await bench.findings() == {f"bills/{OCTOBER}": "BILL_REFUSED"}


async def test_rows_that_cannot_be_read_are_told_and_the_rest_is_the_bill(bench: Bench) -> None:
    await bench.read(*delivery(OCTOBER, [TEN, row(line_item_unblended_cost="ten"), TWENTY]))
    assert await bench.bills() == {OCTOBER: 30}
    assert await bench.quarantined() == [(part(OCTOBER), 2, "bad_amount")]
    assert (await bench.step())[1] == "BILL_ROWS_REJECTED"
    assert await bench.findings() == {f"bills/{OCTOBER}": "BILL_ROWS_REJECTED"}


async def test_a_bill_of_which_most_rows_cannot_be_read_is_no_bill(bench: Bench) -> None:
    await bench.read(*delivery(OCTOBER, [TEN]))
    unreadable = row(line_item_unblended_cost="ten")
    await bench.read(*delivery(OCTOBER, [unreadable, TWENTY, unreadable]))
    assert await bench.bills() == {OCTOBER: 10}
    assert await bench.findings() == {f"bills/{OCTOBER}": "BILL_REFUSED"}


async def test_two_manifests_of_one_month_are_one_bill(bench: Bench) -> None:
    first = delivery(OCTOBER, [TEN])
    folder, name = first[-1].key.rsplit("/", 1)
    copy = msgspec.structs.replace(first[-1], key=f"{folder}/run-2/{name}")
    tally = await bench.read(*first, copy)
    assert tally.accepted == 1
    assert await bench.bills() == {OCTOBER: 10}


async def test_a_bill_that_holds_already_costs_one_listing(bench: Bench) -> None:
    both = [*delivery(OCTOBER, [TEN]), *delivery(NOVEMBER, [TEN])]
    await bench.read(*both)
    before = len(bench.aws.requests(service="s3"))
    tally = await bench.read()
    asked = [entry.operation for entry in bench.aws.requests(service="s3")][before:]
    assert asked == ["ListObjectsV2"]
    assert (tally.accepted, tally.duplicate) == (0, 0)
    assert await bench.bills() == {OCTOBER: 10, NOVEMBER: 10}
