"""Bill lines for tests, loaded as a connection's export brings them."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from tensorcost.activities.ingest.bills import BillIngest
from tensorcost.domain.ids import TenantId
from tensorcost.domain.spend.bill import (
    BillDelivery,
    BillLine,
    ChargeCategory,
    ParsedBill,
    TokenKind,
)
from tensorcost.domain.spend.facts import RoutingScope, ServiceTier
from tensorcost.storage.session import Database
from tensorcost.storage.spend.batches import Origin
from tests.support.spend import MODEL

PAYER = "999900001111"
OCTOBER = date(2026, 10, 1)


def bill_line(day: date, **changes: Any) -> BillLine:
    """Five dollars of input tokens of ``MODEL`` on ``day``; ``changes`` override fields."""
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    values: dict[str, Any] = {
        "line_no": 1,
        "usage_start": start,
        "usage_end": start + timedelta(days=1),
        "payer_account_id": PAYER,
        "usage_account_id": "111122223333",
        "region": "us-east-1",
        "line_item_type": "Usage",
        "charge_category": ChargeCategory.USAGE,
        "in_scope": True,
        "provider": "bedrock",
        "product_code": "AmazonBedrock",
        "usage_type": "USE1-Claude4.5Haiku-input-tokens",
        "operation": "InvokeModelInference",
        "resource_id": "",
        "model_id": MODEL,
        "token_kind": TokenKind.INPUT,
        "routing_scope": RoutingScope.IN_REGION,
        "service_tier": ServiceTier.STANDARD,
        "quantity_micro": 5_000_000 * 10**6,
        "unit": "tokens",
        "unblended_nano": 5_000_000_000,
        "amortized_nano": 5_000_000_000,
        "net_nano": None,
        "currency": "USD",
        **changes,
    }
    return BillLine(**values)


def lines_of(parts: Iterable[ParsedBill]) -> list[BillLine]:
    """Every line, whether it came in columns or not."""
    return [
        line
        for part in parts
        for line in (*(part.columns.lines() if part.columns else ()), *part.lines)
    ]


async def load_bill(
    db: Database,
    tenant: TenantId,
    lines: Sequence[BillLine],
    *,
    export: str = "daily",
    period: date = OCTOBER,
    origin: str = "connection-1",
    connection_id: UUID | None = None,
) -> UUID:
    """Load ``lines``, numbered anew, as the next delivery of the export. Returns its id."""
    etag = str(uuid4())
    numbered = [replace(line, line_no=n) for n, line in enumerate(lines, 1)]
    await BillIngest(db).load_bill(
        tenant,
        Origin(origin) if connection_id is None else Origin(str(connection_id), connection_id),
        BillDelivery(export, period, "cur/Manifest.json", etag),
        lambda: [ParsedBill(lines=numbered, rows_read=len(numbered))],
    )
    async with db.tenant(tenant) as tx:
        found: UUID = await tx.scalar(
            "SELECT delivery_id FROM ai.bill_delivery WHERE manifest_etag = :etag", etag=etag
        )
    return found


async def make_older(db: Database, tenant: TenantId, delivery: UUID, by: timedelta) -> None:
    """As if the delivery had been known that much earlier."""
    async with db.tenant(tenant) as tx:
        await tx.run(
            "UPDATE ai.bill_delivery SET known_at = known_at - CAST(:by AS interval) "
            "WHERE delivery_id = :id",
            by=by,
            id=delivery,
        )
