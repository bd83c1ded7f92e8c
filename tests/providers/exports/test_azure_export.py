import csv
import io
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path

import pytest

from tensorcost.domain.errors import ValidationFailed
from tensorcost.domain.spend.bill import BillLine, ChargeCategory, TokenKind
from tensorcost.domain.spend.facts import RoutingScope, ServiceTier
from tensorcost.domain.spend.limits import RejectReason
from tensorcost.providers.exports.azure_export import COLUMNS, read_azure_export
from tensorcost.providers.exports.azure_meters import AzureMeter, parse_meter
from tensorcost.providers.exports.bill_file import BillFile, BillFiles
from tests.providers.exports.files import SAMPLES, names, sample_and_published, text_of, told

FILES = [
    SAMPLES / "azure_enterprise.csv",
    SAMPLES / "azure_payg.csv",
    SAMPLES / "azure_template.csv",
    *sample_and_published("azure_ea.csv", "billing/azure_*.csv"),
]
HEADER = "SubscriptionId,Date,CostInBillingCurrency,BillingCurrencyCode,Quantity,UnitOfMeasure,"
HEADER += "MeterCategory,MeterName,ChargeType,Tags"


def bill_of(path: Path, currency: str | None = None) -> BillFile:
    return read_azure_export(BillFiles.of(path, "azure"), currency=currency)


def lines_of(path: Path, currency: str | None = "EUR") -> list[BillLine]:
    bill = bill_of(path, currency=currency)
    assert bill.rejects == ()
    return [line for period in bill.periods for part in period.parts() for line in part.lines]


def written(folder: Path, *rows: str, header: str = HEADER) -> Path:
    path = folder / "export.csv"
    path.write_text("\r\n".join((header, *rows)) + "\r\n", newline="")
    return path


def cell(row: dict[str, str], name: str) -> str | None:
    lower = {key.lower(): value for key, value in row.items() if key}
    return next((lower[s] for s in COLUMNS[name] if lower.get(s)), None)


@pytest.mark.parametrize("path", FILES, ids=names(FILES))
def test_every_row_of_every_layout_becomes_a_line_with_its_exact_amount(path: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(text_of(path), newline="")))
    lines = lines_of(path)
    assert len(lines) == len(rows)
    for line, row in zip(lines, rows, strict=True):
        amount = Decimal(cell(row, "cost") or "0") * 10**9
        assert line.unblended_nano == int(amount.quantize(Decimal(1), ROUND_HALF_EVEN))
        assert line.currency == (cell(row, "currency") or "EUR")
        assert line.usage_account_id == cell(row, "subscription")
        assert line.resource_id == (cell(row, "resource") or "")
        assert len(line.tags) == (cell(row, "tags") or "").count('"') // 4


def test_the_dates_of_the_layouts_are_days_in_utc() -> None:
    days = {
        name: {line.usage_start for line in lines_of(SAMPLES / name)}
        for name in ("azure_ea.csv", "azure_payg.csv", "azure_enterprise.csv")
    }
    assert days == {
        "azure_ea.csv": {datetime(2023, 9, 2, tzinfo=UTC)},
        "azure_payg.csv": {datetime(2021, 2, 2, tzinfo=UTC)},
        "azure_enterprise.csv": {datetime(2021, 2, 2, tzinfo=UTC)},
    }


def test_canadian_dollars_stay_canadian() -> None:
    assert {line.currency for line in lines_of(SAMPLES / "azure_ea.csv", currency=None)} == {"CAD"}


def test_a_layout_without_currency_asks_for_one() -> None:
    with pytest.raises(ValidationFailed, match="states no currency"):
        bill_of(SAMPLES / "azure_template.csv")
    with pytest.raises(ValidationFailed, match="three-letter"):
        bill_of(SAMPLES / "azure_template.csv", currency="dollars")


def test_tags_without_braces_are_read() -> None:
    first = lines_of(SAMPLES / "azure_ea.csv")[0]
    assert first.tags == (("tagA", "valueA"), ("tagB", "valueB"), ("tagC", "valueC"))


def test_regions_have_one_spelling() -> None:
    assert {line.region for line in lines_of(SAMPLES / "azure_payg.csv")} == {"eastus"}
    assert "centralus" in {line.region for line in lines_of(SAMPLES / "azure_ea.csv")}


def test_quantities_count_units_of_measure() -> None:
    queue = lines_of(SAMPLES / "azure_ea.csv")[1]
    assert queue.usage_type == "Class 2 Operations"
    assert queue.quantity_micro == 129_000_000


def test_an_openai_meter_names_model_kind_and_scope(tmp_path: Path) -> None:
    [line] = lines_of(
        written(
            tmp_path,
            "s-1,10/03/2026,11.62,USD,81.23,1K,Cognitive Services,"
            "gpt-4o-mini-0718-Inp-glbl Tokens,Usage,",
        )
    )
    assert (line.in_scope, line.provider) == (True, "azure_openai")
    assert (line.model_id, line.token_kind) == ("gpt-4o-mini-2024-07-18", TokenKind.INPUT)
    assert line.routing_scope is RoutingScope.GLOBAL
    assert (line.quantity_micro, line.unit) == (81_230_000_000, "Tokens")


@pytest.mark.parametrize(
    ("name", "meter"),
    [
        ("gpt 4o mini 0718 cached Inp glbl",
         AzureMeter("gpt-4o-mini-2024-07-18", TokenKind.CACHED, RoutingScope.GLOBAL)),
        ("5.4 mini Opt Gl", AzureMeter("gpt-5.4-mini", TokenKind.OUTPUT, RoutingScope.GLOBAL)),
        ("5.4 cd inp Gl 1M Tokens", AzureMeter("gpt-5.4", TokenKind.CACHED, RoutingScope.GLOBAL)),
        ("gpt-4.1-Batch-Outp-DZone Tokens",
         AzureMeter("gpt-4.1", TokenKind.OUTPUT, RoutingScope.GEO, ServiceTier.BATCH)),
        ("gpt-4o-0806-Outp-regnl Tokens", AzureMeter("gpt-4o-2024-08-06", TokenKind.OUTPUT)),
        ("gpt-4o-9999-Outp-regnl Tokens", AzureMeter()),
        ("Standard S1 Text Records", AzureMeter()),
        ("Provisioned Managed Global Unit", AzureMeter(scope=RoutingScope.GLOBAL)),
        ("", AzureMeter()),
    ],
)  # fmt: skip
def test_a_meter_is_understood_whole_or_names_no_model(name: str, meter: AzureMeter) -> None:
    assert parse_meter(name) == meter


@pytest.mark.parametrize(
    ("charge", "category"),
    [
        ("Usage", ChargeCategory.USAGE),
        ("Unused Reservation", ChargeCategory.USAGE),
        ("Purchase", ChargeCategory.PURCHASE),
        ("Refund", ChargeCategory.CREDIT),
        ("Tax", ChargeCategory.TAX),
        ("RoundingAdjustment", ChargeCategory.ADJUSTMENT),
        ("", ChargeCategory.USAGE),
    ],
)
def test_charge_types_keep_usage_apart_from_the_rest(
    tmp_path: Path, charge: str, category: ChargeCategory
) -> None:
    [line] = lines_of(written(tmp_path, f"s,2026-10-03,-5,USD,1,1,Storage,m,{charge},"))
    assert line.charge_category is category
    assert line.unblended_nano == -5_000_000_000


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("s,25/12/2026,1,USD,1,1,Storage,m,Usage,", RejectReason.BAD_TIMESTAMP),
        ("s,,1,USD,1,1,Storage,m,Usage,", RejectReason.MISSING_FIELD),
        ("s,2026-10-03,much,USD,1,1,Storage,m,Usage,", RejectReason.BAD_AMOUNT),
        ("s,2026-10-03,,USD,1,1,Storage,m,Usage,", RejectReason.MISSING_FIELD),
        ("s,2026-10-03,1,,1,1,Storage,m,Usage,", RejectReason.MISSING_FIELD),
        ("s,2026-10-03,1,USD,1,1,Storage,m,Gift,", RejectReason.WRONG_TYPE),
        ("s,2026-10-03,1,USD,1,1,Storage,m,Usage,,,", RejectReason.WRONG_TYPE),
    ],
)
def test_a_bad_line_is_quarantined_and_the_others_are_taken(
    tmp_path: Path, row: str, reason: str
) -> None:
    good = "s,2026-10-03,1,USD,1,1,Storage,m,Usage,"
    bill = bill_of(written(tmp_path, good, row, good))
    assert told(bill.rejects) == [(3, reason)]
    assert [(p.delivery.period, p.lines) for p in bill.periods] == [(date(2026, 10, 1), 2)]


def test_a_file_of_another_kind_is_refused_with_what_it_misses() -> None:
    with pytest.raises(ValidationFailed, match="it misses subscriptionid, date"):
        bill_of(SAMPLES / "azure_llm_trace.csv", currency="USD")


def test_a_last_row_without_its_end_is_torn_unless_others_are_as_short(tmp_path: Path) -> None:
    short = "s,2026-10-03,1,USD,1,1,Storage"
    path = written(tmp_path, "s,2026-10-03,1,USD,1,1,Storage,m,Usage,", short)
    assert bill_of(path).rejects == (), "cells at the end may be left away"
    path.write_bytes(path.read_bytes().rstrip())
    assert told(bill_of(path).rejects) == [(3, RejectReason.TRUNCATED_CSV)]
    path = written(tmp_path, short, short)
    path.write_bytes(path.read_bytes().rstrip())
    assert bill_of(path).rejects == ()
