import csv
import io
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tensorcost.domain.errors import ValidationFailed
from tensorcost.domain.spend.bill import BillLine, ChargeCategory, TokenKind
from tensorcost.domain.spend.facts import RoutingScope, ServiceTier
from tensorcost.domain.spend.limits import RejectReason
from tensorcost.providers.exports.bill_file import PART_LINES, BillFile, BillFiles
from tensorcost.providers.exports.focus import read_focus
from tests.providers.exports.files import SAMPLES, names, sample_and_published, text_of, told

FILES = sample_and_published("focus_1.0_rows.csv", "billing/focus_1.0_sample.csv.gz")
MINIMAL: dict[str, Any] = {
    "BilledCost": "1.5",
    "BillingCurrency": "USD",
    "BillingPeriodStart": "2026-10-01T00:00:00Z",
    "ChargeCategory": "Usage",
    "ChargePeriodStart": "2026-10-03T00:00:00Z",
    "ChargePeriodEnd": "2026-10-03T01:00:00Z",
    "ServiceName": "Amazon Bedrock",
}


def lines_of(bill: BillFile) -> list[BillLine]:
    return [line for period in bill.periods for part in period.parts() for line in part.lines]


def nano(text: str) -> int:
    return int((Decimal(text) * 10**9).quantize(Decimal(1), rounding=ROUND_HALF_EVEN))


def bill_of(path: Path) -> BillFile:
    return read_focus(BillFiles.of(path, "focus"))


def csv_of(folder: Path, *rows: dict[str, Any], name: str = "focus.csv") -> Path:
    path = folder / name
    columns = list(dict.fromkeys(column for row in rows for column in row))
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, columns, restval="NULL")
        writer.writeheader()
        writer.writerows(rows)
    return path


def one_line(folder: Path, **changes: Any) -> BillLine:
    [line] = lines_of(bill_of(csv_of(folder, {**MINIMAL, **changes})))
    return line


@pytest.mark.parametrize("path", FILES, ids=names(FILES))
def test_every_row_becomes_a_line_with_its_amount_converted_once(path: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(text_of(path))))
    bill = bill_of(path)
    lines = lines_of(bill)
    assert bill.rejects == ()
    assert bill.rows_read == len(lines) == len(rows)
    assert [line.unblended_nano for line in lines] == [nano(row["BilledCost"]) for row in rows]
    assert [line.amortized_nano for line in lines] == [nano(row["EffectiveCost"]) for row in rows]
    assert {line.currency for line in lines} == {"USD"}
    assert [line.line_no for line in lines] == list(range(2, len(rows) + 2))
    assert [(p.delivery.period, p.lines) for p in bill.periods] == [(date(2024, 9, 1), len(rows))]


@pytest.mark.parametrize("path", FILES, ids=names(FILES))
def test_the_literal_null_and_the_defects_of_the_sample_are_survived(path: Path) -> None:
    lines = lines_of(bill_of(path))
    texts = {
        value
        for line in lines
        for value in (line.region, line.resource_id, line.usage_type, line.invoice_id, line.unit)
    }
    assert "NULL" not in texts
    assert all(line.region for line in lines)
    microsoft = [line for line in lines if line.provider == "microsoft"]
    assert any(line.quantity_micro != 0 for line in microsoft)
    assert all("/" not in line.usage_account_id for line in lines)
    assert {line.charge_category for line in lines} == {
        ChargeCategory.USAGE,
        ChargeCategory.ADJUSTMENT,
    }
    tagged = {key for line in lines for key, _ in line.tags}
    assert {"application", "environment"} <= tagged


def test_a_line_keeps_time_parties_and_classification(tmp_path: Path) -> None:
    line = one_line(
        tmp_path, BillingAccountId="999988887777", SubAccountId="111122223333",
        RegionId="us-east-1", ServiceCategory="AI and Machine Learning", ProviderName="AWS",
        ChargeClass="Correction", ConsumedQuantity="5.2", ConsumedUnit="1000 Tokens",
        InvoiceId="inv-1", InvoiceIssuerName="AWS EMEA", SkuMeter="USE1-input-tokens",
        x_ModelId="anthropic.claude-sonnet-4-6", x_TokenType="cached", x_RoutingScope="global",
        x_ServiceTier="batch", Tags='{"team": "care"}', EffectiveCost="1.25", PrincipalId="role/x",
    )  # fmt: skip
    assert line == BillLine(
        line_no=2,
        usage_start=datetime(2026, 10, 3, tzinfo=UTC),
        usage_end=datetime(2026, 10, 3, 1, tzinfo=UTC),
        payer_account_id="999988887777",
        usage_account_id="111122223333",
        region="us-east-1",
        line_item_type="Correction",
        charge_category=ChargeCategory.USAGE,
        in_scope=True,
        provider="bedrock",
        product_code="Amazon Bedrock",
        usage_type="USE1-input-tokens",
        operation="",
        resource_id="",
        model_id="anthropic.claude-sonnet-4-6",
        token_kind=TokenKind.CACHED,
        routing_scope=RoutingScope.GLOBAL,
        service_tier=ServiceTier.BATCH,
        quantity_micro=5_200_000_000,
        unit="Tokens",
        unblended_nano=1_500_000_000,
        amortized_nano=1_250_000_000,
        net_nano=None,
        currency="USD",
        iam_principal="role/x",
        invoice_id="inv-1",
        billing_entity="AWS EMEA",
        tags=(("team", "care"),),
    )


@pytest.mark.parametrize(
    ("service", "in_scope"),
    [
        ("Claude Sonnet 4.6 (Amazon Bedrock Edition)", True),
        ("Azure OpenAI", True),
        ("Vertex AI", True),
        ("Amazon Elastic Compute Cloud", False),
    ],
)
def test_ai_is_told_by_the_service_where_the_category_does_not(
    tmp_path: Path, service: str, in_scope: bool
) -> None:
    line = one_line(tmp_path, ServiceName=service, ServiceCategory="Other")
    assert line.in_scope is in_scope


def test_columns_of_the_newer_versions_are_used(tmp_path: Path) -> None:
    line = one_line(tmp_path, ServiceName="EC2", ServiceProviderName="AWS", HostProviderName="AWS")
    assert line.provider == "aws"


def test_without_an_effective_cost_the_billed_one_stands(tmp_path: Path) -> None:
    assert one_line(tmp_path, EffectiveCost="NULL").amortized_nano == 1_500_000_000


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"BilledCost": "a lot"}, RejectReason.BAD_AMOUNT),
        ({"BilledCost": "NULL"}, RejectReason.MISSING_FIELD),
        ({"BilledCost": "1e25"}, RejectReason.BAD_AMOUNT),
        ({"EffectiveCost": "x"}, RejectReason.BAD_AMOUNT),
        ({"BillingCurrency": "dollar"}, RejectReason.WRONG_TYPE),
        ({"ChargeCategory": "Gift"}, RejectReason.WRONG_TYPE),
        ({"ChargeCategory": ""}, RejectReason.MISSING_FIELD),
        ({"ChargePeriodStart": "someday"}, RejectReason.BAD_TIMESTAMP),
        ({"ChargePeriodEnd": "2026-10-03T00:00:00Z"}, RejectReason.BAD_TIMESTAMP),
        ({"ConsumedQuantity": "many"}, RejectReason.BAD_AMOUNT),
    ],
)
def test_a_bad_line_is_quarantined_and_the_others_are_taken(
    tmp_path: Path, change: dict[str, str], reason: str
) -> None:
    path = csv_of(tmp_path, MINIMAL, {**MINIMAL, **change}, MINIMAL)
    bill = bill_of(path)
    assert told(bill.rejects) == [(3, reason)]
    assert [line.line_no for line in lines_of(bill)] == [2, 4]
    assert bill.rows_read == 3


def test_each_billing_period_is_a_delivery_of_its_own_and_rejects_are_told_once(
    tmp_path: Path,
) -> None:
    later = {**MINIMAL, "BillingPeriodStart": "2026-11-01T00:00:00Z"}
    bill = bill_of(csv_of(tmp_path, later, MINIMAL, {**MINIMAL, "BilledCost": "?"}, later))
    assert [(p.delivery.period, p.lines) for p in bill.periods] == [
        (date(2026, 10, 1), 1),
        (date(2026, 11, 1), 2),
    ]
    in_parts = [len(part.rejects) for period in bill.periods for part in period.parts()]
    assert in_parts == [1, 0]
    rows = [part.rows_read for period in bill.periods for part in period.parts()]
    assert sum(rows) == bill.rows_read == 4
    assert len({p.delivery.manifest_etag for p in bill.periods}) == 1


def test_a_large_period_comes_in_parts_and_can_be_read_twice(tmp_path: Path) -> None:
    bill = bill_of(csv_of(tmp_path, *[MINIMAL] * (PART_LINES + 3)))
    [period] = bill.periods
    for _ in range(2):
        assert [len(part.lines) for part in period.parts()] == [PART_LINES, 3]


def test_another_content_is_another_delivery_of_the_period(tmp_path: Path) -> None:
    first = bill_of(csv_of(tmp_path, MINIMAL, name="a.csv")).periods[0].delivery
    same = bill_of(csv_of(tmp_path, MINIMAL, name="b.csv")).periods[0].delivery
    other = bill_of(csv_of(tmp_path, MINIMAL, MINIMAL, name="c.csv")).periods[0].delivery
    assert first.manifest_etag == same.manifest_etag != other.manifest_etag


def test_parquet_says_the_same_as_csv(tmp_path: Path) -> None:
    at = datetime(2026, 10, 3, tzinfo=UTC)
    table = pa.table(
        {
            "BilledCost": pa.array([Decimal("1.50"), Decimal("0.25")], pa.decimal128(38, 18)),
            "EffectiveCost": pa.array([1.5, None], pa.float64()),
            "BillingCurrency": ["USD", "USD"],
            "BillingPeriodStart": pa.array([datetime(2026, 10, 1)] * 2, pa.timestamp("us")),
            "ChargeCategory": ["Usage", "Tax"],
            "ChargePeriodStart": pa.array([at, at], pa.timestamp("ms", tz="UTC")),
            "ServiceName": ["Amazon Bedrock", "Tax"],
            "Tags": pa.array([[("team", "care")], None], pa.map_(pa.string(), pa.string())),
        }
    )
    path = tmp_path / "focus.snappy.parquet"
    pq.write_table(table, path)
    bill = bill_of(path)
    first, second = lines_of(bill)
    assert bill.rejects == ()
    assert (first.unblended_nano, first.amortized_nano) == (1_500_000_000, 1_500_000_000)
    assert (second.unblended_nano, second.amortized_nano) == (250_000_000, 250_000_000)
    assert (first.tags, first.usage_start, first.line_no) == ((("team", "care"),), at, 1)
    assert second.charge_category is ChargeCategory.TAX


@pytest.mark.parametrize("cut", [1, 30])
def test_a_file_that_ends_within_its_last_row_is_torn(tmp_path: Path, cut: int) -> None:
    path = csv_of(tmp_path, MINIMAL, {**MINIMAL, "Tags": '{"team": "care"}'})
    path.write_bytes(path.read_bytes().rstrip(b"\r\n")[:-cut])
    bill = bill_of(path)
    assert told(bill.rejects) == [(3, RejectReason.TRUNCATED_CSV)]


def test_a_short_row_in_the_middle_is_a_bad_row(tmp_path: Path) -> None:
    path = csv_of(tmp_path, MINIMAL, MINIMAL)
    header, first, second = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([header, first, b"1.5,USD\n", second]))
    assert told(bill_of(path).rejects) == [(3, RejectReason.WRONG_TYPE)]


@pytest.mark.parametrize("values", [["1.5"], [True], [datetime(2026, 10, 3, tzinfo=UTC)]])
def test_a_parquet_cost_column_of_another_type_is_refused_as_a_file(
    tmp_path: Path, values: list[Any]
) -> None:
    path = tmp_path / "focus.parquet"
    pq.write_table(
        pa.table({name: [text] for name, text in MINIMAL.items()} | {"BilledCost": values}), path
    )
    (reject,) = bill_of(path).rejects
    assert (reject.position, reject.reason) == (0, RejectReason.WRONG_TYPE)
    assert reject.detail.startswith("BilledCost is ")


@pytest.mark.parametrize("content", [b"PAR1 half of a file", b"", b"not one"])
def test_a_half_written_parquet_is_quarantined_as_a_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "half.parquet"
    path.write_bytes(content)
    bill = bill_of(path)
    assert told(bill.rejects) == [(0, RejectReason.NOT_PARQUET)]
    assert (bill.periods, bill.rows_read) == ((), 1)


def test_a_file_that_is_no_focus_file_is_refused_with_what_it_misses() -> None:
    with pytest.raises(ValidationFailed, match="it misses BilledCost, BillingCurrency"):
        bill_of(SAMPLES / "azure_llm_trace.csv")


def test_the_lines_of_several_files_are_numbered_on_and_rejects_name_their_file(
    tmp_path: Path,
) -> None:
    bad = {**MINIMAL, "BilledCost": "?"}
    paths = (
        csv_of(tmp_path, MINIMAL, MINIMAL, name="1.csv"),
        csv_of(tmp_path, bad, MINIMAL, name="2.csv"),
    )
    files = BillFiles("focus", paths, ("a/1.csv", "a/2.csv"), "etag", "a")
    bill = read_focus(files)
    assert [line.line_no for line in lines_of(bill)] == [2, 3, 6]
    assert [(reject.file, reject.position) for reject in bill.rejects] == [("a/2.csv", 2)]
    [period] = bill.periods
    assert (period.delivery.manifest_etag, bill.rows_read) == ("etag", 4)
