"""Bills from disk: what becomes of each month, whatever the files look like."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tensorcost.activities.ingest.bills import BillIngest
from tensorcost.activities.ingest.files import FileImport, FileImporter, OnFile
from tensorcost.activities.ingest.pipeline import SpendIngest
from tensorcost.activities.ingest.prices import PriceBooks
from tensorcost.activities.ingest.summary import import_summary
from tensorcost.domain.errors import ValidationFailed
from tensorcost.domain.ids import TenantId
from tensorcost.domain.spend.formats import FileFormat
from tensorcost.storage.session import Database
from tensorcost.storage.spend.bill_periods import list_periods
from tests.providers.bedrock.cur_files import as_csv, row

MONTH = "BILLING_PERIOD=2026-10"
NOW = datetime(2026, 11, 21, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Importing:
    """Imports of one tenant, and what its months are billed in the end."""

    db: Database
    tenant: TenantId

    async def load(
        self,
        path: Path,
        export: str = "",
        kind: FileFormat = FileFormat.AWS_CUR,
        on_file: OnFile | None = None,
        **more: Any,
    ) -> dict[str, Any]:
        """The summary; its rows add up."""
        spend = SpendIngest(self.db, PriceBooks(self.db))
        importer = FileImporter(self.db, spend, BillIngest(self.db), lambda: NOW)
        wanted = FileImport(path, kind, export_name=export, **more)
        report = await importer.load(self.tenant, wanted, on_file)
        summary = await import_summary(self.db, self.tenant, report, NOW)
        rows = dict(summary["rows"])
        assert rows.pop("read") == sum(rows.values())
        return summary

    async def billed(self, period: date = date(2026, 10, 1)) -> float:
        """Dollars of the bills that count for the month."""
        async with self.db.tenant(self.tenant) as tx:
            found = await list_periods(tx, NOW, period=period)
        return sum(one.totals["USD"].unblended for one in found if one.counted) / 10**9


@pytest.fixture
async def importing(db: Database, tenant: TenantId) -> Importing:
    return Importing(db, tenant)


def line(cost: float, day: str = "2026-10-05", **changes: Any) -> dict[str, Any]:
    return row(
        line_item_unblended_cost=f"{cost}",
        line_item_usage_start_date=f"{day}T00:00:00Z",
        line_item_usage_end_date="",
        **changes,
    )


def bill(path: Path, *costs: float) -> Path:
    """October's bill with these amounts."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(as_csv([line(cost) for cost in costs]))
    return path


def states(summary: dict[str, Any]) -> list[tuple[str, str | None, str]]:
    return [(one["export"], one["period"], one["state"]) for one in summary["bills"]]


async def test_a_bill_in_several_files_counts_as_a_whole(
    importing: Importing, tmp_path: Path
) -> None:
    folder = tmp_path / "myexport" / "data" / MONTH
    bill(folder / "myexport-00001.csv", 5, 6)
    bill(folder / "myexport-00002.csv", 100, 5)
    found = await importing.load(tmp_path / "myexport")
    assert (found["files"], found["rows"]["accepted"]) == (2, 4)
    assert states(found) == [("myexport", "2026-10", "counted")]
    assert found["totals"]["billed"] == {"USD": "116.000000000"}
    assert await importing.billed() == 116
    again = await importing.load(folder)
    assert again["rows"]["duplicate"] == 4
    bill(folder / "myexport-00002.csv", 100, 4)
    restated = await importing.load(folder)
    assert states(restated) == [("myexport", "2026-10", "counted")]
    assert await importing.billed() == 115


async def test_lines_of_another_month_stay_on_the_bill_of_their_folder(
    importing: Importing, tmp_path: Path
) -> None:
    bill(tmp_path / "acme" / "2026-09" / "acme-00001.csv", 50)
    await importing.load(tmp_path / "acme")
    refund = [line(7), line(-2, "2026-09-30", line_item_line_item_type="Refund")]
    october = tmp_path / "acme" / "2026-10" / "acme-00001.csv"
    october.parent.mkdir()
    october.write_bytes(as_csv(refund))
    await importing.load(tmp_path / "acme")
    assert await importing.billed() == 5
    assert await importing.billed(date(2026, 9, 1)) == 50


async def test_lines_of_another_month_stay_on_the_bill_that_they_name(
    importing: Importing, tmp_path: Path
) -> None:
    september = {"bill_billing_period_start_date": "2026-09-01T00:00:00Z"}
    october = {"bill_billing_period_start_date": "2026-10-01T00:00:00Z"}
    storage = october | {"line_item_product_code": "AmazonS3"}
    path = tmp_path / "bill.csv"
    path.write_bytes(as_csv([line(50, "2026-09-05", **september)]))
    await importing.load(path, "acme")
    late = [
        line(7, **october),
        line(-2, "2026-09-30", **october),
        line(-1, "2026-09-30", **storage),
    ]
    path.write_bytes(as_csv(late))
    await importing.load(path, "acme")
    assert await importing.billed() == 4
    assert await importing.billed(date(2026, 9, 1)) == 50


async def test_a_manifest_says_what_a_bill_consists_of_and_a_missing_part_refuses_it(
    importing: Importing, tmp_path: Path
) -> None:
    top = tmp_path / "acme"
    parts = [bill(top / "data" / MONTH / f"acme-0000{n}.csv", n) for n in (1, 2, 3)]
    manifest = top / "metadata" / MONTH / "acme-Manifest.json"
    manifest.parent.mkdir(parents=True)
    keys = [f"cur/acme/data/{MONTH}/{part.name}" for part in parts[:2]]
    manifest.write_text(json.dumps({"dataFiles": keys}))
    await importing.load(top)
    assert await importing.billed() == 3, "the third file is of no delivery"
    parts[1].unlink()
    bill(parts[0], 9)
    found = await importing.load(top)
    assert [one["reason"] for one in found["rejects"]] == ["broken_delivery"]
    assert states(found) == [("acme", "2026-10", "refused")]
    assert await importing.billed() == 3


@pytest.mark.parametrize("has_manifest", [True, False])
async def test_rejects_of_a_month_that_is_there_are_told_again_and_nothing_is_loaded_twice(
    importing: Importing, tmp_path: Path, *, has_manifest: bool
) -> None:
    top = tmp_path / "acme"
    parts = [bill(top / "data" / MONTH / f"acme-0000{n}.csv", n, n) for n in (1, 2)]
    bad = parts[1].read_bytes().splitlines(keepends=True)[1].replace(b",2,", b",two,")
    parts[1].write_bytes(parts[1].read_bytes() + bad)
    if has_manifest:
        path = top / "metadata" / MONTH / "acme-Manifest.json"
        path.parent.mkdir(parents=True)
        keys = [f"cur/acme/data/{MONTH}/{part.name}" for part in parts]
        path.write_text(json.dumps({"dataFiles": keys}))
    first = await importing.load(top)
    (reject,) = first["rejects"]
    file = f"data/{MONTH}/acme-00002.csv"
    assert (reject["file"], reject["line"], reject["reason"]) == (file, 3, "bad_amount")
    counted = {"read": 5, "accepted": 4, "duplicate": 0, "rejected": 1, "withheld": 0}
    assert (first["ok"], first["rows"]) == (False, counted)
    again = await importing.load(top)
    assert again["rows"] == counted | {"accepted": 0, "duplicate": 4}
    assert {k: v for k, v in again.items() if k != "rows"} == {
        k: v for k, v in first.items() if k != "rows"
    }
    assert await importing.billed() == 6


async def test_a_manifest_that_is_none_refuses_its_month_and_no_other(
    importing: Importing, tmp_path: Path
) -> None:
    top = tmp_path / "acme"
    bill(top / "data" / "BILLING_PERIOD=2026-09" / "acme-00001.csv", 2)
    bill(top / "data" / MONTH / "acme-00001.csv", 5)
    manifest = top / "metadata" / MONTH / "acme-Manifest.json"
    manifest.parent.mkdir(parents=True)
    manifest.write_text("<html>")
    found = await importing.load(top)
    assert [(one["file"], one["reason"]) for one in found["rejects"]] == [
        ("acme-Manifest.json", "bad_manifest")
    ]
    assert states(found) == [("acme", "2026-09", "counted"), ("acme", "2026-10", "refused")]


async def test_a_part_that_is_replaced_while_it_is_read_is_no_bill(
    importing: Importing, tmp_path: Path
) -> None:
    folder = tmp_path / "acme" / "data" / MONTH
    first = bill(folder / "acme-00001.csv", 1)
    bill(folder / "acme-00002.csv", 2)

    def replaced(path: Path, number: int, count: int) -> None:
        if number == 1:
            bill(first, 100)

    found = await importing.load(folder, on_file=replaced)
    assert [(one["file"], one["reason"]) for one in found["rejects"]] == [
        (f"data/{MONTH}/acme-00001.csv", "broken_delivery")
    ]
    assert states(found) == [("acme", "2026-10", "refused")]
    assert states(await importing.load(folder)) == [("acme", "2026-10", "counted")]
    assert await importing.billed() == 102


async def test_the_files_of_one_folder_are_one_bill_of_each_month_that_they_name(
    importing: Importing, tmp_path: Path
) -> None:
    top = tmp_path / "bills"
    one = bill(top / "a.csv", 5, 6)
    (top / "b.csv").write_bytes(as_csv([line(100), line(3, "2026-09-10")]))
    (top / "copy of a.csv").write_bytes(one.read_bytes())
    found = await importing.load(top)
    assert found["copies"] == ["copy of a.csv"]
    assert states(found) == [("bills", "2026-09", "counted"), ("bills", "2026-10", "counted")]
    assert await importing.billed() == 111
    assert await importing.billed(date(2026, 9, 1)) == 3


FOCUS = "BilledCost,BillingCurrency,ChargeCategory,ChargePeriodStart,ServiceName\n"
AZURE = "CostInBillingCurrency,SubscriptionId,Date,MeterCategory,MeterName,ChargeType\n"
OTHER_FORMATS = pytest.mark.parametrize(
    ("kind", "header", "end", "constants"),
    [
        (FileFormat.FOCUS, FOCUS, "USD,Usage,2026-10-05T00:00:00Z,Amazon Bedrock", {}),
        (FileFormat.AZURE_EXPORT, AZURE, "s,2026-10-05,Storage,m,Usage", {"currency": "USD"}),
    ],
)


@OTHER_FORMATS
async def test_bills_of_other_formats_in_several_files_count_as_a_whole(
    importing: Importing,
    tmp_path: Path,
    kind: FileFormat,
    header: str,
    end: str,
    constants: dict[str, str],
) -> None:
    folder = tmp_path / "acme" / "20261001-20261031"
    folder.mkdir(parents=True)
    for number, cost in enumerate((11, 105)):
        (folder / f"part_{number}_0001.csv").write_text(f"{header}{cost},{end}\n")
    found = await importing.load(folder, kind=kind, constants=constants)
    assert states(found) == [("acme", "2026-10", "counted")]
    assert await importing.billed() == 116


@OTHER_FORMATS
async def test_a_part_of_another_kind_refuses_its_bill_and_no_other(
    importing: Importing,
    tmp_path: Path,
    kind: FileFormat,
    header: str,
    end: str,
    constants: dict[str, str],
) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.csv").write_text(f"{header}5,{end}\n")
    (tmp_path / "b" / "stray.csv").write_text("when,what\n1,2\n")
    (tmp_path / "b" / "_SUCCESS").touch()
    found = await importing.load(tmp_path, kind=kind, constants=constants)
    assert [(one["file"], one["line"], one["reason"]) for one in found["rejects"]] == [
        ("stray.csv", 0, "missing_field")
    ]
    assert states(found) == [("a", "2026-10", "counted"), ("b", "2026-10", "refused")]
    assert (found["refused"], found["skipped"]) == (["b"], ["b/_SUCCESS"])
    with pytest.raises(ValidationFailed, match="it misses"):
        await importing.load(tmp_path / "b" / "stray.csv", kind=kind, constants=constants)


async def test_a_later_file_of_another_name_does_not_count_until_it_takes_the_name(
    importing: Importing, tmp_path: Path
) -> None:
    clean = bill(tmp_path / "clean_oct.csv", 5, 6)
    newer = bill(tmp_path / "clean_oct_v2.csv", 10, 11)
    await importing.load(clean)
    (told,) = (await importing.load(newer))["bills"]
    assert (told["state"], told["payer"], told["is_same"]) == ("not_counted", "999988887777", False)
    assert told["counted"] == [{"origin": "import", "export": "clean_oct.csv"}]
    assert await importing.billed() == 11
    replaced = await importing.load(newer, "clean_oct.csv")
    assert states(replaced) == [("clean_oct.csv", "2026-10", "counted")]
    assert await importing.billed() == 21
    (told,) = (await importing.load(newer))["bills"]
    assert told["is_same"], "nothing of it is missing"
    assert states(await importing.load(clean)) == [("clean_oct.csv", "2026-10", "superseded")]


def torn(whole: bytes) -> bytes:
    return whole[:-40]


def unclosed(whole: bytes) -> bytes:
    head, first, *rest = whole.splitlines(keepends=True)
    return b"".join([head, first, b'"' + first, *rest])


def mostly_bad(whole: bytes) -> bytes:
    bad = whole.splitlines(keepends=True)[1].replace(b",6,", b",six,")
    return whole + bad * 3


def without_currency(whole: bytes) -> bytes:
    return whole.replace(b"line_item_currency_code", b"line_item_something_else")


@pytest.mark.parametrize(
    ("spoil", "reason", "read"),
    [
        (torn, "truncated_csv", 2),
        (unclosed, "truncated_csv", 2),
        (mostly_bad, "bad_amount", 5),
        (without_currency, "missing_field", 1),
        (lambda whole: whole.replace(b"USD", b""), "missing_field", 2),
        (lambda whole: whole.splitlines(keepends=True)[0], "no_rows", 1),
    ],
)
async def test_a_bill_that_cannot_be_read_whole_is_refused_and_the_former_one_stays(
    importing: Importing,
    tmp_path: Path,
    spoil: Callable[[bytes], bytes],
    reason: str,
    read: int,
) -> None:
    path = bill(tmp_path / "oct.csv", 6, 5)
    await importing.load(path)
    path.write_bytes(spoil(path.read_bytes()))
    found = await importing.load(path)
    assert {one["reason"] for one in found["rejects"]} == {reason}
    assert (found["rows"]["read"], found["rows"]["accepted"]) == (read, 0)
    (told,) = found["bills"]
    assert told["state"] == "refused"
    assert [one["period"] for one in told["stays"]] == ["2026-10"]
    assert await importing.billed() == 11


async def test_a_torn_file_of_several_months_restates_none_of_them(
    importing: Importing, tmp_path: Path
) -> None:
    path = tmp_path / "year.csv"
    path.write_bytes(as_csv([line(1, "2026-09-05"), line(2), line(3)]))
    await importing.load(path)
    path.write_bytes(torn(as_csv([line(7, "2026-09-05"), line(8), line(9)])))
    found = await importing.load(path)
    assert [state for *_, state in states(found)] == ["refused", "refused"]
    assert await importing.billed(date(2026, 9, 1)) == 1
    assert await importing.billed() == 5


async def test_a_parquet_cost_column_of_another_type_is_one_clear_refusal(
    importing: Importing, tmp_path: Path
) -> None:
    path = tmp_path / "oct.parquet"
    pq.write_table(pa.Table.from_pylist([line(1)] * 960), path)
    (reject,) = (await importing.load(path))["rejects"]
    assert (reject["line"], reject["reason"]) == (0, "wrong_type")
    assert "line_item_unblended_cost is string" in reject["detail"]
