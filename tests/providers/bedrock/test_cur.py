import gzip
import io
from datetime import UTC, datetime
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tensorcost.domain.spend.bill import ChargeCategory, TokenKind
from tensorcost.domain.spend.facts import RoutingScope, ServiceTier
from tensorcost.domain.spend.limits import RejectReason
from tensorcost.providers.bedrock.cur import (
    BillParse,
    parse_bill_file,
    parse_parquet,
)
from tests.providers.bedrock.cur_files import LEGACY, PARSE, collect, parquet, read, row
from tests.providers.bedrock.samples import BOUNDS, DIRECTORY, PROFILE


def test_a_native_line_is_classified_and_exact() -> None:
    tags = '{"user_team": "care", "aws_created_by": "x", "user_Env": "prod"}'
    (line,), rejects, count = read(
        row(
            line_item_resource_id=PROFILE,
            resource_tags=tags,
            line_item_iam_principal="arn:aws:sts::111122223333:assumed-role/Bot/ana",
            bill_invoice_id="INV1",
        )
    )
    assert (rejects, count, line.line_no) == ([], 1, 1)
    assert (line.in_scope, line.provider, line.token_kind) == (True, "bedrock", TokenKind.INPUT)
    assert (line.model_id, line.region) == ("anthropic.claude-sonnet-4-6", "us-east-1")
    assert line.routing_scope is RoutingScope.GEO
    assert (line.quantity_micro, line.unit) == (5_200_000 * 10**6, "tokens")
    assert (line.unblended_nano, line.amortized_nano) == (17_160_000_000, 17_160_000_000)
    assert (line.net_nano, line.currency) == (None, "USD")
    assert line.usage_start == datetime(2026, 11, 1, 3, tzinfo=UTC)
    assert line.usage_end == datetime(2026, 11, 1, 4, tzinfo=UTC)
    assert line.tags == (("aws:created_by", "x"), ("env", "prod"), ("team", "care"))
    assert (line.payer_account_id, line.invoice_id) == ("999988887777", "INV1")
    assert line.iam_principal.endswith("Bot/ana")
    assert line.charge_category is ChargeCategory.USAGE


def test_a_marketplace_line_finds_its_model_in_the_product_map() -> None:
    (line,), _, _ = read(
        row(
            bill_billing_entity="AWS Marketplace",
            line_item_product_code="5w8example0code",
            line_item_usage_type="USE1-MP:USE1_OutputTokenCount_Global-Units",
            line_item_usage_amount="0.31",
            line_item_unblended_cost="4.65",
            pricing_unit="Units",
            product='{"product_name": "Claude Sonnet 4.6 (Amazon Bedrock Edition)"}',
        )
    )
    assert (line.model_id, line.token_kind) == ("anthropic.claude-sonnet-4-6", TokenKind.OUTPUT)
    assert line.routing_scope is RoutingScope.GLOBAL
    assert (line.quantity_micro, line.unblended_nano) == (310_000 * 10**6, 4_650_000_000)


def test_lines_outside_ai_spend_fold_exactly_by_day_account_product_and_type() -> None:
    s3 = {"line_item_product_code": "AmazonS3", "line_item_usage_type": "Requests-Tier1"}
    day2 = {"line_item_usage_start_date": "2026-11-02T00:00:00Z"}
    lines, _, _ = read(
        row(**s3, line_item_unblended_cost="0.0000000004"),
        row(**s3, line_item_unblended_cost="0.0000000004"),
        row(**s3, line_item_unblended_cost="0.0000000004"),
        row(**s3, **day2, line_item_unblended_cost="2"),
        row(**s3, line_item_line_item_type="Tax", line_item_unblended_cost="3"),
        row(**s3, line_item_usage_account_id="444455556666", line_item_unblended_cost="4"),
    )
    assert [line.unblended_nano for line in lines] == [3 * 10**9, 1, 4 * 10**9, 2 * 10**9]
    assert all(not line.in_scope and line.model_id == "" for line in lines)
    assert len({line.line_no for line in lines}) == 4
    assert lines[1].usage_start == datetime(2026, 11, 1, tzinfo=UTC)


SAVINGS = [
    ("SavingsPlanCoveredUsage", {"line_item_unblended_cost": "0.8048",
     "savings_plan_savings_plan_effective_cost": "0.52"}, "0.8048", "0.52"),
    ("SavingsPlanNegation", {"line_item_unblended_cost": "-0.8048"}, "-0.8048", "0"),
    ("SavingsPlanRecurringFee", {"line_item_unblended_cost": "1",
     "savings_plan_total_commitment_to_date": "1", "savings_plan_used_commitment": "0.7"},
     "1", "0.3"),
    ("SavingsPlanUpfrontFee", {"line_item_unblended_cost": "100"}, "100", "0"),
    ("DiscountedUsage", {"line_item_unblended_cost": "0", "reservation_effective_cost": "0.4"},
     "0", "0.4"),
    ("RIFee", {"line_item_unblended_cost": "5",
     "reservation_unused_amortized_upfront_fee_for_billing_period": "0.25",
     "reservation_unused_recurring_fee": "0.5"}, "5", "0.75"),
    ("Fee", {"line_item_unblended_cost": "9",
     "reservation_reservation_a_r_n": "arn:aws:ec2:::ri"}, "9", "0"),
    ("Fee", {"line_item_unblended_cost": "9"}, "9", "9"),
    ("Usage", {"line_item_unblended_cost": "1.5"}, "1.5", "1.5"),
    ("EdpDiscount", {"line_item_unblended_cost": "-2"}, "-2", "-2"),
    ("Credit", {"line_item_unblended_cost": "-3"}, "-3", "-3"),
    ("Tax", {"line_item_unblended_cost": "0.7"}, "0.7", "0.7"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "columns", "unblended", "amortized"), SAVINGS)
@pytest.mark.parametrize("product", ["AmazonBedrock", "AmazonEC2"])
def test_every_line_item_type_has_its_two_views(
    product: str, kind: str, columns: dict[str, str], unblended: str, amortized: str
) -> None:
    lines, rejects, _ = read(
        row(line_item_product_code=product, line_item_line_item_type=kind, **columns)
    )
    assert rejects == []
    assert sum(line.unblended_nano for line in lines) == Decimal(unblended) * 10**9
    assert sum(line.amortized_nano for line in lines) == Decimal(amortized) * 10**9


def test_usage_under_a_savings_plan_names_it_where_the_bill_does() -> None:
    arn = "arn:aws:savingsplans::111122223333:savingsplan/plan"
    covered = {"line_item_line_item_type": "SavingsPlanCoveredUsage"}
    lines, _, _ = read(row(**covered, savings_plan_savings_plan_a_r_n=arn), row(**covered), row())
    assert [line.savings_plan_arn for line in lines] == [arn, "", ""]
    legacy = LEGACY.replace(b"SavingsPlanEffectiveCost", b"SavingsPlanARN").replace(
        b"Units,,care", b"Units,plan,care"
    )
    (line,), _, _ = collect(parse_bill_file(io.BytesIO(legacy), PARSE))
    assert line.savings_plan_arn == "plan"


def test_the_net_view_shows_only_where_the_bill_has_one() -> None:
    lines, _, _ = read(
        row(line_item_net_unblended_cost="15"),
        row(line_item_net_unblended_cost=""),
        row(
            line_item_line_item_type="SavingsPlanCoveredUsage",
            line_item_net_unblended_cost="15",
            savings_plan_net_savings_plan_effective_cost="11",
        ),
    )
    assert [line.net_nano for line in lines] == [15 * 10**9, None, 11 * 10**9]


def test_the_start_of_usage_falls_back_to_interval_and_billing_period() -> None:
    lines, _, _ = read(
        row(line_item_usage_start_date="", identity_time_interval="2026-11-02T05:00:00Z/x"),
        row(line_item_usage_start_date="", bill_billing_period_start_date="2026-11-01"),
    )
    assert [line.usage_start.day for line in lines] == [2, 1]


def test_parquet_reads_like_csv_and_doubles_by_their_shortest_form() -> None:
    lines, rejects, count = collect(parse_parquet(io.BytesIO(parquet()), PARSE))
    assert (len(lines), rejects, count) == (5, [], 5)
    assert {line.unblended_nano for line in lines} == {300_000_000}
    assert {line.quantity_micro for line in lines} == {1_500 * 10**6}
    assert [line.usage_start.hour for line in lines] == [0, 1, 2, 3, 4]
    assert all(line.usage_start.tzinfo is UTC for line in lines)
    assert lines[0].tags == (("app", "bot"), ("team", "care"))
    assert lines[0].model_id == "amazon.nova-lite-v1:0"


def test_a_null_cost_is_no_cost_and_a_nan_is_rejected() -> None:
    data = parquet(3, line_item_unblended_cost=pa.array([None, float("nan"), 1.0]))
    lines, rejects, _ = collect(parse_parquet(io.BytesIO(data), PARSE))
    assert [line.unblended_nano for line in lines] == [0, 10**9]
    assert [(r.position, r.reason) for r in rejects] == [(2, RejectReason.BAD_AMOUNT)]


def test_parts_of_a_delivery_number_their_lines_apart() -> None:
    later = BillParse("part-2", BOUNDS, DIRECTORY, line_offset=5)
    lines, _, _ = collect(parse_parquet(io.BytesIO(parquet()), later))
    assert [line.line_no for line in lines] == [6, 7, 8, 9, 10]
    spoilt = parquet(3, line_item_unblended_cost=[1.0, float("nan"), 1.0])
    _, rejects, _ = collect(parse_parquet(io.BytesIO(spoilt), later))
    assert [(reject.file, reject.position) for reject in rejects] == [("part-2", 2)]


@pytest.mark.parametrize("data", [LEGACY, gzip.compress(LEGACY)])
def test_a_bare_legacy_file_reads_without_a_manifest(data: bytes) -> None:
    (line,), rejects, _ = collect(parse_bill_file(io.BytesIO(data), PARSE))
    assert rejects == []
    assert (line.model_id, line.region) == ("anthropic.claude-sonnet-4-6", "us-east-2")
    assert (line.unblended_nano, line.service_tier) == (6 * 10**9, ServiceTier.STANDARD)
    assert line.tags == (("team", "care"),)


def test_a_bare_parquet_file_is_recognised_by_its_first_bytes() -> None:
    assert len(collect(parse_bill_file(io.BytesIO(parquet()), PARSE))[0]) == 5


money = st.decimals("-99999", "99999", places=10)


@given(st.lists(st.tuples(money, st.booleans()), max_size=40))
@settings(max_examples=40)
def test_the_lines_add_up_to_the_file(costs: list[tuple[Decimal, bool]]) -> None:
    rows = [
        row(
            line_item_product_code="AmazonBedrock" if scoped else "AmazonS3",
            line_item_unblended_cost=str(cost),
        )
        for cost, scoped in costs
    ]
    if rows:
        lines, rejects, _ = read(*rows)
        total = sum(cost for cost, _ in costs) * 10**9
        assert rejects == []
        assert abs(sum(line.unblended_nano for line in lines) - total) <= len(lines)
