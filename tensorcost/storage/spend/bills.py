"""Bill deliveries: a billing period's lines are replaced as a whole, never appended to.

A delivery becomes current in the transaction that loads it; the former one stays, superseded,
so that what was believed before can still be asked for.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import pyarrow as pa

from tensorcost.domain.ids import DeliveryId
from tensorcost.domain.spend.bill import BillDelivery, BillLine
from tensorcost.domain.spend.bill_columns import BillColumns
from tensorcost.storage.binary_copy import encoded
from tensorcost.storage.session import TenantTx
from tensorcost.storage.spend.batches import Origin
from tensorcost.storage.spend.bill_days import sum_by_day
from tensorcost.storage.spend.bill_extents import keep_extents
from tensorcost.storage.spend.bill_periods import point_period
from tensorcost.storage.spend.rival_bills import lock_bills

_PATTERN: Final = {
    "payer_account_id": "text",
    "usage_account_id": "text",
    "dim_id": "bigint",
    "line_item_type": "text",
    "charge_category": "text",
    "in_scope": "boolean",
    "product_code": "text",
    "usage_type": "text",
    "operation": "text",
    "resource_id": "text",
    "token_kind": "text",
    "unit": "text",
    "currency": "text",
    "iam_principal": "text",
    "invoice_id": "text",
    "billing_entity": "text",
    "savings_plan_arn": "text",
}
"""What lines of one pattern share, and its type."""
_TIME: Final = pa.timestamp("us", tz="UTC")
_LINE: Final = pa.schema(
    [
        ("line_no", pa.int64()),
        ("usage_start", _TIME),
        ("usage_end", _TIME),
        ("quantity_micro", pa.int64()),
        ("unblended_nano", pa.int64()),
        ("amortized_nano", pa.int64()),
        ("net_nano", pa.int64()),
    ]
)
_STAGED: Final = pa.schema([("pattern", pa.int64()), *_LINE])
_STAGES: Final = (
    "CREATE TEMP TABLE IF NOT EXISTS bill_pattern (pattern bigint, "
    f"{', '.join(f'{name} {kind}' for name, kind in _PATTERN.items())}) ON COMMIT DROP; "
    "CREATE TEMP TABLE IF NOT EXISTS bill_stage (pattern bigint, line_no bigint, "
    "usage_start timestamptz, usage_end timestamptz, quantity_micro bigint, "
    "unblended_nano bigint, amortized_nano bigint, net_nano bigint) ON COMMIT DROP; "
    "TRUNCATE bill_pattern, bill_stage"
)
_ADD: Final = (
    f"INSERT INTO ai.bill_line (delivery_id, {', '.join((*_LINE.names, *_PATTERN))}) "
    f"SELECT $1, {', '.join((*_LINE.names, *_PATTERN))} "
    "FROM bill_stage JOIN bill_pattern USING (pattern)"
)


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


async def foreign_totals(tx: TenantTx, origin: Origin, delivery: BillDelivery) -> dict[str, int]:
    """What a loaded delivery charges in other currencies than dollars, unblended nano-units."""
    rows = await tx.all(
        "SELECT b.currency, sum(b.unblended_nano)::bigint AS nano "
        "FROM ai.bill_delivery v JOIN ai.bill_daily b USING (tenant_id, delivery_id) "
        "WHERE v.tenant_id = :tenant AND v.origin = :origin AND v.export_name = :export "
        "AND v.period = :period AND v.manifest_etag = :etag AND b.currency <> 'USD' "
        "GROUP BY 1 ORDER BY 1",
        tenant=tx.tenant_id,
        origin=origin.name,
        export=delivery.export_name,
        period=delivery.period,
        etag=delivery.manifest_etag,
    )
    return {row.currency: row.nano for row in rows}


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
    tx: TenantTx, delivery_id: UUID, lines: BillColumns, dim_ids: Sequence[int]
) -> None:
    """Append lines of the delivery being loaded; ``dim_ids`` has one dimension a pattern."""
    driver = await tx.driver()
    await driver.execute(_STAGES)
    patterns = enumerate(zip(lines.patterns, dim_ids, strict=True))
    await driver.copy_records_to_table(
        "bill_pattern",
        records=[(number, *_shared(line, dim_id)) for number, (line, dim_id) in patterns],
        columns=["pattern", *_PATTERN],
    )
    await driver.copy_to_table(
        "bill_stage",
        source=encoded([_batch(lines)], _STAGED.names, _STAGED),
        columns=_STAGED.names,
        format="binary",
    )
    await driver.execute(_ADD, delivery_id)
    if lines.has_net.any():
        await tx.run(
            "UPDATE ai.bill_delivery SET has_net = true "
            "WHERE tenant_id = :tenant AND delivery_id = :delivery AND NOT has_net",
            tenant=tx.tenant_id,
            delivery=delivery_id,
        )


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
    await sum_by_day(tx, delivery_id, delivery.period)
    await keep_extents(tx, delivery_id, delivery.period)
    await lock_bills(tx, delivery.period)
    await tx.run(
        "UPDATE ai.bill_delivery SET state = 'superseded' WHERE tenant_id = :tenant "
        "AND origin = :origin AND export_name = :export AND period = :period "
        "AND state = 'current'",
        tenant=tx.tenant_id,
        origin=origin.name,
        export=delivery.export_name,
        period=delivery.period,
    )
    since = await tx.scalar(
        "UPDATE ai.bill_delivery SET state = 'current', known_at = clock_timestamp(), "
        "lines = :lines, rows_read = :rows "
        "WHERE tenant_id = :tenant AND delivery_id = :delivery RETURNING known_at",
        tenant=tx.tenant_id,
        delivery=delivery_id,
        lines=lines,
        rows=rows,
    )
    await point_period(tx, origin, delivery, delivery_id, since)


def _batch(lines: BillColumns) -> pa.RecordBatch:
    columns = (
        pa.array(lines.pattern),
        pa.array(lines.line_no),
        pa.array(lines.start_us).cast(_TIME),
        pa.array(lines.end_us).cast(_TIME),
        pa.array(lines.quantity_micro),
        pa.array(lines.unblended_nano),
        pa.array(lines.amortized_nano),
        pa.array(lines.net_nano, mask=~lines.has_net),
    )
    return pa.RecordBatch.from_arrays(list(columns), schema=_STAGED)


def _shared(line: BillLine, dim_id: int) -> tuple[Any, ...]:
    """In the order of ``_PATTERN``."""
    return (
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
        line.unit,
        line.currency,
        line.iam_principal,
        line.invoice_id,
        line.billing_entity,
        line.savings_plan_arn,
    )
