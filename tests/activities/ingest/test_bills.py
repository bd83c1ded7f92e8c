"""Bill deliveries replace their period as a whole."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from tensorcost.activities.ingest.bills import BillIngest, line_dimension
from tensorcost.domain.ids import TenantId
from tensorcost.domain.spend.bill import (
    BillDelivery,
    BillLine,
    ChargeCategory,
    ParsedBill,
    TokenKind,
)
from tensorcost.domain.spend.facts import RoutingScope, ServiceTier
from tensorcost.domain.spend.limits import RejectReason
from tensorcost.domain.spend.parsed import Reject
from tensorcost.storage.session import Database
from tensorcost.storage.spend.batches import Origin
from tests.support.spend import MODEL

START = datetime(2026, 10, 3, tzinfo=UTC)
LINE = BillLine(
    line_no=1,
    usage_start=START,
    usage_end=START.replace(day=4),
    payer_account_id="999900001111",
    usage_account_id="111122223333",
    region="us-east-1",
    line_item_type="Usage",
    charge_category=ChargeCategory.USAGE,
    in_scope=True,
    provider="bedrock",
    product_code="AmazonBedrock",
    usage_type="USE1-Claude4.5Haiku-input-tokens",
    operation="InvokeModelInference",
    resource_id="",
    model_id=MODEL,
    token_kind=TokenKind.INPUT,
    routing_scope=RoutingScope.IN_REGION,
    service_tier=ServiceTier.STANDARD,
    quantity_micro=5_200_000 * 10**6,
    unit="tokens",
    unblended_nano=5_200_000_000,
    amortized_nano=5_200_000_000,
    net_nano=None,
    currency="USD",
    tags=(("user_team", "care"),),
)
ORIGIN = Origin("connection-1")


def delivery(etag: str) -> BillDelivery:
    return BillDelivery("daily", date(2026, 10, 1), "cur/Manifest.json", etag)


async def current_total(db: Database, tenant: TenantId) -> int:
    async with db.tenant(tenant) as tx:
        total = await tx.scalar(
            "SELECT coalesce(sum(d.unblended_nano), 0) FROM ai.bill_daily d "
            "JOIN ai.bill_period p ON p.tenant_id = d.tenant_id "
            "AND p.current_delivery_id = d.delivery_id"
        )
    return int(total)


async def test_a_later_delivery_replaces_the_former_as_a_whole(
    db: Database, tenant: TenantId
) -> None:
    bills = BillIngest(db)
    three = [LINE, replace(LINE, line_no=2), replace(LINE, line_no=3)]
    report = await bills.load_bill(
        tenant, ORIGIN, delivery("v1"), lambda: [ParsedBill(lines=three, rows_read=3)]
    )
    assert report.accepted == 3
    assert await current_total(db, tenant) == 3 * 5_200_000_000
    credited = [LINE, replace(LINE, line_no=2, unblended_nano=-1_000_000_001, invoice_id="INV-7")]
    await bills.load_bill(
        tenant, ORIGIN, delivery("v2"), lambda: [ParsedBill(lines=credited, rows_read=2)]
    )
    assert await current_total(db, tenant) == 5_200_000_000 - 1_000_000_001
    async with db.tenant(tenant) as tx:
        states = await tx.all("SELECT manifest_etag, state FROM ai.bill_delivery ORDER BY 1")
        assert [tuple(row) for row in states] == [("v1", "superseded"), ("v2", "current")]
        assert await tx.scalar("SELECT invoice_id FROM ai.bill_period") == "INV-7"


async def test_the_same_manifest_again_changes_nothing(db: Database, tenant: TenantId) -> None:
    bills = BillIngest(db)
    for _ in range(2):
        report = await bills.load_bill(
            tenant, ORIGIN, delivery("v1"), lambda: [ParsedBill(lines=[LINE], rows_read=1)]
        )
    assert report.already_loaded
    assert await current_total(db, tenant) == 5_200_000_000


async def test_a_delivery_torn_in_the_middle_leaves_the_former_in_force(
    db: Database, tenant: TenantId
) -> None:
    bills = BillIngest(db)
    await bills.load_bill(
        tenant, ORIGIN, delivery("v1"), lambda: [ParsedBill(lines=[LINE], rows_read=1)]
    )

    def torn() -> Iterator[ParsedBill]:
        yield ParsedBill(lines=[replace(LINE, unblended_nano=1)], rows_read=1)
        raise OSError("part replaced while being read")

    with pytest.raises(OSError, match="replaced"):
        await bills.load_bill(tenant, ORIGIN, delivery("v2"), torn)
    assert await current_total(db, tenant) == 5_200_000_000


async def test_a_part_that_cannot_be_read_is_quarantined_and_the_former_stays(
    db: Database, tenant: TenantId
) -> None:
    bills = BillIngest(db)
    await bills.load_bill(
        tenant, ORIGIN, delivery("v1"), lambda: [ParsedBill(lines=[LINE], rows_read=1)]
    )
    torn = Reject("cur/part-2.parquet", 0, RejectReason.NOT_PARQUET)
    parts = [
        ParsedBill(lines=[replace(LINE, unblended_nano=1)], rows_read=1),
        ParsedBill(rejects=[torn]),
    ]
    report = await bills.load_bill(tenant, ORIGIN, delivery("v2"), lambda: parts)
    assert (report.accepted, report.rejected) == (0, 1)
    assert await current_total(db, tenant) == 5_200_000_000
    async with db.tenant(tenant) as tx:
        kept = await tx.all("SELECT file, position, reason FROM app.quarantine")
    assert [tuple(row) for row in kept] == [("cur/part-2.parquet", 0, "not_parquet")]


def test_a_bill_line_shares_its_cell_with_the_requests_of_the_same_model() -> None:
    made = line_dimension(LINE)
    assert (made.team, made.model_id, made.usage_account_id) == ("care", MODEL, "111122223333")
    assert made.cell_id() == replace(made, team="").cell_id()
