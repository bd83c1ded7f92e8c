"""Whatever a bill holds, its columns give what reading it one row at a time gives."""

import csv
import gzip
import io
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given, settings
from hypothesis import strategies as st

from tensorcost.domain.spend.bill import BillLine, ParsedBill
from tensorcost.domain.spend.limits import TimeBounds
from tensorcost.domain.spend.parsed import Reject
from tensorcost.providers.bedrock.cur import BillParse, parse_csv, parse_parquet
from tensorcost.providers.bedrock.cur_columns import AMOUNT_COLUMNS
from tests.providers.bedrock.cur_files import as_csv
from tests.providers.bedrock.line_by_line import read_rows
from tests.providers.bedrock.samples import BOUNDS, DIRECTORY, PROFILE
from tests.support.bills import lines_of

PARSE = BillParse("part-1", BOUNDS, DIRECTORY, line_offset=7)
SAMPLE = Path(__file__).parents[2] / "data/exports/aws_cur_sample.csv.gz"


def one_of(*texts: str) -> st.SearchStrategy[str]:
    """Texts apart by bars, some of them perhaps empty."""
    return st.sampled_from("|".join(texts).split("|"))


AMOUNT = st.one_of(
    st.decimals("-99999", "99999", places=12).map(str),
    st.floats().map(repr),
    st.floats(-1e4, 1e4).map(repr),
    one_of(
        "|0|-0|1_000| 7 |.5|5.|+3|1e5|1E-12|seven|0x10|\u0661|NaN|inf|-1.5e35|1e40|1e400|-1e-400",
        f"0.0000000005|0.0000000015|0.0000000005{'0' * 35}1|0.{'3' * 50}|{'1' * 39}|1e-50|9e9",
        "9223372036.854775807|9223372036.8547758071|-9223372036.8547758065|9.3e9|12345678901",
        "-9223372036.854775808|1e11|2e28|1e30",
    ),
)
TIME = one_of(
    "2026-11-01T03:00:00.000Z|2026-11-01T04:00:00Z|2026-11-02|2026-11-02T00:00:00+02:00",
    "2026-11-01 05:30:00.123456||soon|1999-01-01T00:00:00Z|2031-01-01T00:00:00Z",
)
NAME = "Claude Sonnet 4.6 (Amazon Bedrock Edition)"
EVERY_ROW = {
    "line_item_line_item_type": one_of(
        "Usage|Usage|Usage|DiscountedUsage|SavingsPlanCoveredUsage|SavingsPlanNegation|Fee|RIFee",
        "SavingsPlanRecurringFee|SavingsPlanUpfrontFee|Tax|Credit|Refund|EdpDiscount|Odd|",
    ),
    "bill_payer_account_id": one_of("999988887777|"),
    "line_item_usage_account_id": one_of("111122223333|444455556666|12345678901234|"),
    "line_item_usage_start_date": TIME,
    "line_item_usage_end_date": TIME,
    "line_item_product_code": one_of(
        "AmazonBedrock|AmazonBedrockService|AmazonEC2|AmazonS3|5wopaque|awskms|"
    ),
    "line_item_usage_type": one_of(
        "USE1-Claude4.6Sonnet-input-tokens|EU-NovaLite-output-tokens-batch|Requests-Tier1|",
        "USE1-MP:USE1_OutputTokenCount_Global-Units|USE1-BoxUsage:p5.48xlarge",
    ),
    "line_item_usage_amount": AMOUNT,
    "line_item_unblended_cost": AMOUNT,
    "line_item_currency_code": one_of("USD|USD|EUR|"),
    "pricing_unit": one_of(f"1K tokens|Units|1M tokens|3 tokens|7k tokens|Hrs||1{'0' * 20} tokens"),
}
SOME_ROWS = {
    "line_item_net_unblended_cost": AMOUNT,
    "reservation_effective_cost": AMOUNT,
    "reservation_net_effective_cost": AMOUNT,
    "reservation_unused_recurring_fee": AMOUNT,
    "reservation_unused_amortized_upfront_fee_for_billing_period": AMOUNT,
    "reservation_net_unused_recurring_fee": AMOUNT,
    "savings_plan_used_commitment": AMOUNT,
    "savings_plan_savings_plan_effective_cost": AMOUNT,
    "savings_plan_total_commitment_to_date": AMOUNT,
    "savings_plan_net_savings_plan_effective_cost": AMOUNT,
    "reservation_reservation_a_r_n": one_of("|arn:x"),
    "line_item_resource_id": one_of(f"|{PROFILE}|i-123"),
    "line_item_operation": one_of("|Invoke"),
    "line_item_iam_principal": one_of("|arn:aws:sts::1:x"),
    "product_product_name": one_of(f"|{NAME}|Other"),
    "product": one_of(f'|{{"product_name": "{NAME}"}}|[]|{{bad|{{"a":1}}'),
    "product_region_code": one_of("|us-east-2"),
    "product_region": one_of("|eu-west-1"),
    "resource_tags": one_of('|{"user_team": "care", "aws_created_by": "x"}'),
    "tags": one_of('|{"iamPrincipal/user:team": "o", "resourceTags/user:app": "b"}'),
    "resourceTags/user:owner": one_of("|ana"),
    "identity_time_interval": one_of("|2026-11-03T00:00:00Z/2026-11-04|x/y"),
    "bill_billing_period_start_date": TIME,
    "bill_invoice_id": one_of("|INV"),
}
ROW = st.fixed_dictionaries(EVERY_ROW, optional=SOME_ROWS)
Found = tuple[list[BillLine], list[Reject]]


def found(parts: Iterable[ParsedBill], rows: int) -> Found:
    bills = list(parts)
    assert sum(bill.rows_read for bill in bills) == rows
    return lines_of(bills), [reject for bill in bills for reject in bill.rejects]


@given(st.lists(ROW, min_size=1, max_size=25))
@settings(max_examples=80, deadline=None)
def test_a_csv_file(rows: list[dict[str, str]]) -> None:
    data = as_csv(rows)
    plain = csv.DictReader(io.StringIO(data.decode()))
    assert found(parse_csv([data], PARSE), len(rows)) == read_rows(plain, PARSE)


FLOAT = st.one_of(st.none(), st.floats(), st.floats(-1e6, 1e6))
MONEY = st.one_of(st.none(), st.decimals("-9999999999", "9999999999", places=11))
MOMENT = st.one_of(st.none(), st.datetimes(datetime(2026, 10, 1), datetime(2026, 12, 1)))
PAIRS = st.one_of(
    st.none(),
    st.lists(
        st.tuples(
            st.sampled_from(["product_name", "user_team", "aws_x"]),
            st.sampled_from([None, NAME, "v"]),
        ),
        max_size=3,
        unique_by=lambda pair: pair[0],
    ),
)
TYPED = st.fixed_dictionaries(
    {
        **dict.fromkeys(AMOUNT_COLUMNS, FLOAT),
        "line_item_net_unblended_cost": MONEY,
        "savings_plan_used_commitment": st.one_of(st.none(), st.integers(-(2**62), 2**62)),
        "line_item_usage_start_date": MOMENT,
        "resource_tags": PAIRS,
        "product": PAIRS,
    }
)
TYPES = {
    **dict.fromkeys(AMOUNT_COLUMNS, pa.float64()),
    "line_item_usage_amount": pa.float32(),
    "line_item_net_unblended_cost": pa.decimal128(30, 11),
    "savings_plan_used_commitment": pa.int64(),
    "line_item_usage_start_date": pa.timestamp("us", tz="UTC"),
    "line_item_product_code": pa.dictionary(pa.int32(), pa.string()),
    "line_item_usage_type": pa.large_string(),
    "resource_tags": pa.map_(pa.string(), pa.string()),
    "product": pa.map_(pa.string(), pa.string()),
}


@given(st.lists(st.tuples(ROW, TYPED), min_size=1, max_size=25))
@settings(max_examples=80, deadline=None)
def test_a_parquet_file(rows: Sequence[tuple[dict[str, Any], dict[str, Any]]]) -> None:
    cells = [text | typed for text, typed in rows]
    names = list(dict.fromkeys(name for row in cells for name in row))
    table = pa.table(
        {n: pa.array([row.get(n) for row in cells], TYPES.get(n, pa.string())) for n in names}
    )
    file = io.BytesIO()
    pq.write_table(table, file, row_group_size=7)
    plain = pq.read_table(file).to_pylist()
    assert found(parse_parquet(file, PARSE), len(rows)) == read_rows(plain, PARSE)


def test_a_bill_as_aws_published_it() -> None:
    data = SAMPLE.read_bytes()
    parse = BillParse(SAMPLE.name, TimeBounds.at(datetime(2026, 11, 1, tzinfo=UTC)))
    plain = list(csv.DictReader(io.StringIO(gzip.decompress(data).decode())))
    lines, rejects = found(parse_csv([data], parse), len(plain))
    assert (lines, rejects) == read_rows(plain, parse)
    assert len(plain) > 500
    assert lines
