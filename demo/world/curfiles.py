"""CUR 2.0 files: Parquet or CSV, a manifest per billing period, in AWS's layout."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from demo.world.bill import BillLine
from demo.world.prices import plain
from demo.world.story import ACCOUNT_NAMES

PREFIX = "bills"
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


def write_period(
    folder: Path,
    bucket: str,
    export: str,
    lines: Sequence[BillLine],
    payer: str,
    now: datetime,
    parquet: bool,
) -> str:
    """Write one billing period's data files and, last, its manifest; returns the period."""
    period = lines[0].period
    begin = datetime.fromisoformat(f"{period}-01T00:00:00+00:00")
    end = (begin + timedelta(days=32)).replace(day=1)
    invoice = f"DEMO-{period}" if end <= now else ""
    rows = [_row(line, at, begin, end, invoice, payer) for at, line in enumerate(lines)]
    data = folder / PREFIX / export / "data" / f"BILLING_PERIOD={period}"
    data.mkdir(parents=True, exist_ok=True)
    names = []
    for part, at in enumerate(range(0, len(rows), _LINES_PER_FILE), start=1):
        chunk = rows[at : at + _LINES_PER_FILE]
        name = f"{export}-{part:05d}" + (".snappy.parquet" if parquet else ".csv.gz")
        (write_parquet if parquet else _write_csv)(data / name, chunk)
        names.append(f"s3://{bucket}/{PREFIX}/{export}/data/BILLING_PERIOD={period}/{name}")
    write_manifest(folder, export, period, names, begin, end)
    return period


def write_manifest(
    folder: Path, export: str, period: str, files: list[str], begin: datetime, end: datetime
) -> None:
    execution = hashlib.blake2b(f"{export}/{period}".encode(), digest_size=16).hexdigest()
    manifest = {
        "exportName": export,
        "executionId": execution,
        "billingPeriod": {"start": begin.isoformat(), "end": end.isoformat()},
        "columns": [{"name": f.name, "type": _TYPES.get(str(f.type), "string")} for f in SCHEMA],
        "dataFiles": files,
    }
    path = folder / PREFIX / export / "metadata" / f"BILLING_PERIOD={period}"
    path.mkdir(parents=True, exist_ok=True)
    (path / f"{export}-Manifest.json").write_bytes(orjson.dumps(manifest))


def _row(
    line: BillLine, at: int, begin: datetime, end: datetime, invoice: str, payer: str
) -> dict[str, Any]:
    identity = hashlib.blake2b(f"{line.period}/{at}".encode(), digest_size=20).hexdigest()
    usage = {} if line.kind in ("Tax", "Credit") else {"pricing_term": "OnDemand"}
    return usage | {
        "identity_line_item_id": identity,
        "identity_time_interval": f"{_iso(line.begin)}/{_iso(line.end)}",
        "bill_bill_type": "Anniversary",
        "bill_billing_entity": line.entity,
        "bill_billing_period_start_date": begin,
        "bill_billing_period_end_date": end,
        "bill_invoice_id": invoice,
        "bill_payer_account_id": payer,
        "bill_payer_account_name": ACCOUNT_NAMES[payer],
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
