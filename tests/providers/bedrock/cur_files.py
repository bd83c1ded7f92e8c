"""Files of a Cost and Usage Report as tests write and read them."""

import csv
import gzip
import io
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tensorcost.domain.spend.bill import BillLine, ParsedBill
from tensorcost.domain.spend.parsed import Reject
from tensorcost.providers.bedrock.cur import (
    BillParse,
    parse_csv,
)
from tests.providers.bedrock.samples import BOUNDS, DIRECTORY, chunked
from tests.support.bills import lines_of

LEGACY = (
    b"identity/LineItemId,bill/PayerAccountId,lineItem/UsageAccountId,lineItem/LineItemType,"
    b"lineItem/UsageStartDate,lineItem/ProductCode,lineItem/UsageType,lineItem/UsageAmount,"
    b"lineItem/UnblendedCost,lineItem/CurrencyCode,product/ProductName,product/region,"
    b"pricing/unit,savingsPlan/SavingsPlanEffectiveCost,resourceTags/user:team\n"
    b"a,999988887777,111122223333,Usage,2026-11-01T00:00:00Z,opaque,"
    b"USE1-MP:USE1_InputTokenCount-Units,2,6,USD,"
    b"Claude Sonnet 4.6 (Amazon Bedrock Edition),us-east-2,Units,,care\n"
)


PARSE = BillParse("part-1", BOUNDS, DIRECTORY)
BASE: dict[str, Any] = {
    "line_item_line_item_type": "Usage",
    "bill_billing_entity": "AWS",
    "bill_payer_account_id": "999988887777",
    "line_item_usage_account_id": "111122223333",
    "line_item_usage_start_date": "2026-11-01T03:00:00.000Z",
    "line_item_usage_end_date": "2026-11-01T04:00:00.000Z",
    "line_item_product_code": "AmazonBedrock",
    "line_item_usage_type": "USE1-Claude4.6Sonnet-input-tokens",
    "line_item_usage_amount": "5200",
    "line_item_unblended_cost": "17.16",
    "line_item_currency_code": "USD",
    "pricing_unit": "1K tokens",
}


def row(**changes: Any) -> dict[str, Any]:
    return BASE | changes


def as_csv(rows: Iterable[dict[str, Any]]) -> bytes:
    rows = list(rows)
    names = list(dict.fromkeys(name for one in rows for name in one))
    out = io.StringIO()
    writer = csv.DictWriter(out, names, restval="")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode()


def collect(bills: Iterable[ParsedBill]) -> tuple[list[BillLine], list[Reject], int]:
    parts = list(bills)
    rejects = [reject for part in parts for reject in part.rejects]
    return lines_of(parts), rejects, sum(part.rows_read for part in parts)


def read(*rows: dict[str, Any]) -> tuple[list[BillLine], list[Reject], int]:
    return collect(parse_csv(chunked(gzip.compress(as_csv(rows))), PARSE))


def parquet(rows: int = 5, **columns: Any) -> bytes:
    pairs = pa.map_(pa.string(), pa.string())
    start = datetime(2026, 11, 1, tzinfo=UTC)
    table = {
        "line_item_line_item_type": pa.array(["Usage"] * rows).dictionary_encode(),
        "line_item_usage_account_id": ["111122223333"] * rows,
        "line_item_product_code": ["AmazonBedrock"] * rows,
        "line_item_usage_type": ["USE1-NovaLite-input-tokens"] * rows,
        "line_item_usage_amount": [1.5] * rows,
        "line_item_unblended_cost": [0.1 + 0.2] * rows,
        "line_item_currency_code": ["USD"] * rows,
        "line_item_usage_start_date": pa.array(
            [start + timedelta(hours=n % 24) for n in range(rows)], pa.timestamp("ms", tz="UTC")
        ),
        "resource_tags": pa.array([[("user_team", "care")]] * rows, pairs),
        "tags": pa.array([[("iamPrincipal/user:team", "other"), ("resourceTags/user:app", "bot")]]
                         * rows, pairs),
        "ignored": [[1, 2, 3]] * rows,
    }  # fmt: skip
    out = io.BytesIO()
    pq.write_table(pa.table(table | columns), out, row_group_size=3)
    return out.getvalue()
