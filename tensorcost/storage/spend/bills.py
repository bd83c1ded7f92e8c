"""Bill deliveries: a billing period's lines are replaced as a whole, never appended to.

A delivery becomes current in the transaction that loads it; the former one stays, superseded,
so that what was believed before can still be asked for.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from tensorcost.domain.ids import DeliveryId
from tensorcost.domain.spend.bill import BillDelivery, BillLine
from tensorcost.storage.session import TenantTx
from tensorcost.storage.spend.batches import Origin
from tensorcost.storage.spend.bill_periods import point_period

_COLUMNS: Final = (
    "delivery_id",
    "line_no",
    "usage_start",
    "usage_end",
    "payer_account_id",
    "usage_account_id",
    "dim_id",
    "line_item_type",
    "charge_category",
    "in_scope",
    "product_code",
    "usage_type",
    "operation",
    "resource_id",
    "token_kind",
    "quantity_micro",
    "unit",
    "unblended_nano",
    "amortized_nano",
    "net_nano",
    "currency",
    "iam_principal",
    "invoice_id",
    "billing_entity",
)
_LIST: Final = ", ".join(_COLUMNS)
_STAGE: Final = (
    "CREATE TEMP TABLE IF NOT EXISTS bill_stage ON COMMIT DROP AS "
    f"SELECT {_LIST} FROM ai.bill_line WITH NO DATA"
)
_DAILY: Final = """
    INSERT INTO ai.bill_daily (tenant_id, delivery_id, day, dim_id, charge_category, in_scope,
        currency, token_kind, unit, line_item_type, lines, quantity_micro, unblended_nano,
        amortized_nano, net_nano)
    SELECT tenant_id, delivery_id,
        greatest(CAST(:period AS date), least((usage_start AT TIME ZONE 'UTC')::date,
            (CAST(:period AS date) + interval '1 month')::date - 1)),
        dim_id, charge_category, in_scope, currency, coalesce(token_kind, ''), unit,
        line_item_type, count(*), sum(quantity_micro), sum(unblended_nano), sum(amortized_nano),
        sum(coalesce(net_nano, unblended_nano))
    FROM ai.bill_line WHERE tenant_id = :tenant AND delivery_id = :delivery
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10
"""
"""A line dated outside the billing month stands on the nearest day of the month that bills it."""


@dataclass(frozen=True, slots=True)
class KnownDelivery:
    delivery_id: DeliveryId
    rows_accepted: int
    """Rows of the source; lines out of scope are folded, so there are fewer lines."""


async def find_delivery(
    tx: TenantTx, origin: Origin, delivery: BillDelivery
) -> KnownDelivery | None:
    """The delivery with this manifest version, when it was loaded before."""
    row = await tx.first(
        "SELECT delivery_id, rows_read FROM ai.bill_delivery WHERE tenant_id = :tenant "
        "AND origin = :origin AND export_name = :export AND period = :period "
        "AND manifest_etag = :etag",
        tenant=tx.tenant_id,
        origin=origin.name,
        export=delivery.export_name,
        period=delivery.period,
        etag=delivery.manifest_etag,
    )
    return None if row is None else KnownDelivery(DeliveryId(row.delivery_id), row.rows_read)


async def current_manifests(tx: TenantTx, origin: str) -> frozenset[tuple[str, str]]:
    """(key, ETag) of the manifests of an origin's current deliveries."""
    rows = await tx.all(
        "SELECT manifest_key, manifest_etag FROM ai.bill_delivery "
        "WHERE tenant_id = :tenant AND origin = :origin AND state = 'current'",
        tenant=tx.tenant_id,
        origin=origin,
    )
    return frozenset((row.manifest_key, row.manifest_etag) for row in rows)


async def open_delivery(
    tx: TenantTx, origin: Origin, delivery: BillDelivery, delivery_id: UUID
) -> bool:
    """Insert the delivery as loading. False when another load of it was faster."""
    touched = await tx.run(
        "INSERT INTO ai.bill_delivery (tenant_id, delivery_id, connection_id, origin, "
        "export_name, period, manifest_key, manifest_etag, execution_id, state) VALUES "
        "(:tenant, :delivery, :connection, :origin, :export, :period, :key, :etag, :execution, "
        "'loading') ON CONFLICT DO NOTHING",
        tenant=tx.tenant_id,
        delivery=delivery_id,
        connection=origin.connection_id,
        origin=origin.name,
        export=delivery.export_name,
        period=delivery.period,
        key=delivery.manifest_key,
        etag=delivery.manifest_etag,
        execution=delivery.execution_id,
    )
    return touched == 1


async def add_lines(
    tx: TenantTx, delivery_id: UUID, lines: Sequence[BillLine], dim_ids: Sequence[int]
) -> None:
    """Append lines of the delivery being loaded; ``dim_ids`` has one dimension a line."""
    driver = await tx.driver()
    await driver.execute(_STAGE)
    await driver.execute("DELETE FROM bill_stage")
    records = [
        _record(delivery_id, line, dim_id) for line, dim_id in zip(lines, dim_ids, strict=True)
    ]
    await driver.copy_records_to_table("bill_stage", records=records, columns=_COLUMNS)
    await driver.execute(f"INSERT INTO ai.bill_line ({_LIST}) SELECT {_LIST} FROM bill_stage")


async def make_current(
    tx: TenantTx,
    origin: Origin,
    delivery: BillDelivery,
    delivery_id: UUID,
    *,
    rows: int,
    lines: int,
) -> None:
    """Sum the delivery by day and point its period at it; the former one is superseded."""
    await tx.run(_DAILY, tenant=tx.tenant_id, delivery=delivery_id, period=delivery.period)
    await tx.run(
        "UPDATE ai.bill_delivery SET state = 'superseded' WHERE tenant_id = :tenant "
        "AND origin = :origin AND export_name = :export AND period = :period "
        "AND state = 'current'",
        tenant=tx.tenant_id,
        origin=origin.name,
        export=delivery.export_name,
        period=delivery.period,
    )
    await tx.run(
        "UPDATE ai.bill_delivery SET state = 'current', known_at = clock_timestamp(), "
        "lines = :lines, rows_read = :rows "
        "WHERE tenant_id = :tenant AND delivery_id = :delivery",
        tenant=tx.tenant_id,
        delivery=delivery_id,
        lines=lines,
        rows=rows,
    )
    await point_period(tx, origin, delivery, delivery_id)


def _record(delivery_id: UUID, line: BillLine, dim_id: int) -> tuple[Any, ...]:
    return (
        delivery_id,
        line.line_no,
        line.usage_start,
        line.usage_end,
        line.payer_account_id,
        line.usage_account_id,
        dim_id,
        line.line_item_type,
        line.charge_category.value,
        line.in_scope,
        line.product_code,
        line.usage_type,
        line.operation,
        line.resource_id,
        None if line.token_kind is None else line.token_kind.value,
        line.quantity_micro,
        line.unit,
        line.unblended_nano,
        line.amortized_nano,
        line.net_nano,
        line.currency,
        line.iam_principal,
        line.invoice_id,
        line.billing_entity,
    )
