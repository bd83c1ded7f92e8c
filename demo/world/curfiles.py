"""CUR 2.0 files: Parquet or CSV, a manifest per billing period, in AWS's layout.

A refresh overwrites: the same keys, another execution, line ids of its own.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from demo.world.billline import BillLine, month_of
from demo.world.prices import plain
from demo.world.story import ACCOUNT_NAMES

PREFIX = "bills"
MANIFEST = "-Manifest.json"
_LINES_PER_FILE = 1500
_MAP = pa.map_(pa.string(), pa.string())
_TIME = pa.timestamp("ms")
SCHEMA = pa.schema(
    [
        ("identity_line_item_id", pa.string()),
        ("identity_time_interval", pa.string()),
        ("bill_bill_type", pa.string()),
        ("bill_billing_entity", pa.string()),
        ("bill_billing_period_start_date", _TIME),
        ("bill_billing_period_end_date", _TIME),
        ("bill_invoice_id", pa.string()),
        ("bill_payer_account_id", pa.string()),
        ("bill_payer_account_name", pa.string()),
        ("line_item_line_item_type", pa.string()),
        ("line_item_usage_account_id", pa.string()),
        ("line_item_usage_account_name", pa.string()),
        ("line_item_usage_start_date", _TIME),
        ("line_item_usage_end_date", _TIME),
        ("line_item_product_code", pa.string()),
        ("line_item_usage_type", pa.string()),
        ("line_item_operation", pa.string()),
        ("line_item_resource_id", pa.string()),
        ("line_item_usage_amount", pa.float64()),
        ("line_item_unblended_rate", pa.string()),
        ("line_item_unblended_cost", pa.float64()),
        ("line_item_blended_cost", pa.float64()),
        ("line_item_currency_code", pa.string()),
        ("line_item_line_item_description", pa.string()),
        ("line_item_legal_entity", pa.string()),
        ("line_item_tax_type", pa.string()),
        ("product", _MAP),
        ("product_servicecode", pa.string()),
        ("product_region_code", pa.string()),
        ("pricing_unit", pa.string()),
        ("pricing_term", pa.string()),
        ("pricing_public_on_demand_cost", pa.float64()),
        ("savings_plan_savings_plan_a_r_n", pa.string()),
        ("savings_plan_savings_plan_effective_cost", pa.float64()),
        ("savings_plan_total_commitment_to_date", pa.float64()),
        ("savings_plan_used_commitment", pa.float64()),
        ("resource_tags", _MAP),
    ]
)
COLUMNS = tuple(SCHEMA.names)
_TYPES = {"double": "double", "timestamp[ms]": "timestamp", "map<string, string>": "map"}


@dataclass(frozen=True, slots=True)
class Delivery:
    """One refresh of one billing month by one export. ``number`` counts its refreshes."""

    export: str
    period: str
    payer: str
    invoice: str
    parquet: bool
    number: int = 1


def write_delivery(
    folder: Path, bucket: str, delivery: Delivery, lines: Sequence[BillLine]
) -> None:
    """Write a billing month's data files into the bucket's folder and, last, its manifest."""
    export, period, parquet = delivery.export, delivery.period, delivery.parquet
    rows = [_row(line, at, delivery) for at, line in enumerate(lines)]
    data = folder / PREFIX / export / "data" / f"BILLING_PERIOD={period}"
    data.mkdir(parents=True, exist_ok=True)
    names = []
    for part, at in enumerate(range(0, len(rows), _LINES_PER_FILE), start=1):
        chunk = rows[at : at + _LINES_PER_FILE]
        name = f"{export}-{part:05d}" + (".snappy.parquet" if parquet else ".csv.gz")
        (write_parquet if parquet else _write_csv)(data / name, chunk)
        names.append(f"s3://{bucket}/{PREFIX}/{export}/data/BILLING_PERIOD={period}/{name}")
    write_manifest(folder, export, period, names, delivery.number)


def write_manifest(
    folder: Path, export: str, period: str, files: list[str], number: int = 1
) -> None:
    run = f"{export}/{period}/{number}".encode()
    begin, end = month_of(period)
    manifest = {
        "exportName": export,
        "executionId": hashlib.blake2b(run, digest_size=16).hexdigest(),
        "billingPeriod": {"start": begin.isoformat(), "end": end.isoformat()},
        "columns": [{"name": f.name, "type": _TYPES.get(str(f.type), "string")} for f in SCHEMA],
        "dataFiles": files,
    }
    path = folder / PREFIX / export / "metadata" / f"BILLING_PERIOD={period}"
    path.mkdir(parents=True, exist_ok=True)
    (path / f"{export}{MANIFEST}").write_bytes(orjson.dumps(manifest))


def _row(line: BillLine, at: int, delivery: Delivery) -> dict[str, Any]:
    seed = f"{line.period}/{delivery.number}/{at}".encode()
    identity = hashlib.blake2b(seed, digest_size=20).hexdigest()
    begin, end = month_of(delivery.period)
    usage = {"pricing_term": "OnDemand"} if line.amount else {}
    return usage | {
        "identity_line_item_id": identity,
        "identity_time_interval": f"{_iso(line.begin)}/{_iso(line.end)}",
        "bill_bill_type": "Refund" if line.kind == "Refund" else "Anniversary",
        "bill_billing_entity": line.entity,
        "bill_billing_period_start_date": begin,
        "bill_billing_period_end_date": end,
        "bill_invoice_id": delivery.invoice,
        "bill_payer_account_id": delivery.payer,
        "bill_payer_account_name": ACCOUNT_NAMES[delivery.payer],
        "line_item_line_item_type": line.kind,
        "line_item_usage_account_id": line.account,
        "line_item_usage_account_name": ACCOUNT_NAMES[line.account],
        "line_item_usage_start_date": line.begin,
        "line_item_usage_end_date": line.end,
        "line_item_product_code": line.product_code,
        "line_item_usage_type": line.usage_type,
        "line_item_operation": line.operation,
        "line_item_resource_id": line.resource,
        "line_item_usage_amount": line.amount,
        "line_item_unblended_rate": line.rate,
        "line_item_unblended_cost": line.cost,
        "line_item_blended_cost": line.cost,
        "line_item_currency_code": "USD",
        "line_item_line_item_description": line.description,
        "line_item_legal_entity": "Amazon Web Services, Inc.",
        "line_item_tax_type": "USSalesTax" if line.kind == "Tax" else "",
        "product": {"product_name": line.product_name, "region": line.region},
        "product_servicecode": line.product_code,
        "product_region_code": line.region,
        "pricing_unit": line.unit,
        "pricing_public_on_demand_cost": line.cost if line.amount else None,
        "savings_plan_savings_plan_a_r_n": line.savings_plan,
        "savings_plan_savings_plan_effective_cost": line.savings_effective,
        "savings_plan_total_commitment_to_date": line.savings_total,
        "savings_plan_used_commitment": line.savings_used,
        "resource_tags": line.tags,
    }


def write_parquet(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    columns = {name: [_parquet_value(row.get(name)) for row in rows] for name in COLUMNS}
    pq.write_table(pa.table(columns, schema=SCHEMA), path, compression="snappy")


def _parquet_value(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None)
    return list(value.items()) if isinstance(value, dict) else value


def _write_csv(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([_csv_value(row.get(name)) for name in COLUMNS] for row in rows)
    path.write_bytes(gzip.compress(buffer.getvalue().encode(), 6, mtime=0))


def _csv_value(value: Any) -> str:
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, datetime):
        return _iso(value)
    if isinstance(value, dict):
        return orjson.dumps(value).decode()
    return "" if value is None else str(value)


def _iso(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%S.000Z}"
