"""Which files of a folder are one bill together."""

import json
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import pytest

from tensorcost.activities.ingest.bill_folders import BillParts, find_bills
from tensorcost.domain.errors import ValidationFailed

OCTOBER, SEPTEMBER = date(2026, 10, 1), date(2026, 9, 1)
DATA = "acme/data/BILLING_PERIOD=2026-10"
METADATA = "acme/metadata/BILLING_PERIOD=2026-10"


def laid_out(top: Path, *files: str) -> Path:
    for file in files:
        (top / file).parent.mkdir(parents=True, exist_ok=True)
        (top / file).write_text("x")
    return top


def manifest(path: Path, keys: Sequence[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"dataFiles": [f"s3://bucket/cur/{key}" for key in keys]}))


def told(bills: list[BillParts], top: Path) -> list[tuple[str, date | None, list[str]]]:
    return [
        (one.export_name, one.period, [path.relative_to(top).as_posix() for path in one.paths])
        for one in bills
    ]


def test_a_file_is_a_bill_of_its_own_name(tmp_path: Path) -> None:
    file = laid_out(tmp_path, "oct.csv") / "oct.csv"
    assert told(find_bills(file), tmp_path) == [("oct.csv", None, ["oct.csv"])]
    assert find_bills(file, "acme")[0].export_name == "acme"


@pytest.mark.parametrize("given", ["", "acme", "acme/data", DATA])
def test_the_parts_of_a_month_are_one_bill_from_wherever_the_folder_is_given(
    tmp_path: Path, given: str
) -> None:
    parts = [f"{DATA}/acme-0000{number}.csv.gz" for number in (1, 2, 3)]
    laid_out(tmp_path, *parts, f"{DATA}/.hidden.csv", f"{DATA}/_SUCCESS", "acme/create.sql")
    assert told(find_bills(tmp_path / given), tmp_path) == [("acme", OCTOBER, parts)]


@pytest.mark.parametrize(
    "folders",
    [
        ("bill/BILLING_PERIOD=2026-09", "bill/BILLING_PERIOD=2026-10"),
        ("bill/billing_period=2026-09", "bill/billing_period=2026-10-01"),
        ("bill/20260901-20261001", "bill/20261001-20261101"),
        ("bill/20260901-20260930/run-1", "bill/20261001-20261031/run-2"),
        ("bill/year=2026/month=9", "bill/year=2026/month=10"),
        ("bill/2026-09", "bill/2026-10"),
    ],
)
def test_folders_of_months_are_a_bill_each(tmp_path: Path, folders: tuple[str, str]) -> None:
    laid_out(tmp_path, *(f"{folder}/{name}.csv" for folder in folders for name in "ab"))
    found = told(find_bills(tmp_path), tmp_path)
    assert found == [
        ("bill", period, [f"{folder}/a.csv", f"{folder}/b.csv"])
        for folder, period in zip(folders, (SEPTEMBER, OCTOBER), strict=True)
    ]


def test_files_of_no_month_are_one_bill_by_folder(tmp_path: Path) -> None:
    laid_out(tmp_path, "a/1.csv", "a/2.csv", "b/1.csv", "b/notes.md", "b/x-schema.json")
    assert told(find_bills(tmp_path), tmp_path) == [
        ("a", None, ["a/1.csv", "a/2.csv"]),
        ("b", None, ["b/1.csv"]),
    ]


@pytest.mark.parametrize("given", ["", "acme", "acme/data", DATA])
def test_a_manifest_names_the_parts_and_other_files_are_left(tmp_path: Path, given: str) -> None:
    run = f"{DATA}/20261102T000000Z-run2"
    named = [f"{run}/acme-00001.csv", f"{run}/acme-00002.csv"]
    laid_out(tmp_path, *named, f"{DATA}/20261101T000000Z-run1/acme-00001.csv", f"{run}/old.csv")
    manifest(tmp_path / METADATA / "acme-Manifest.json", named)
    manifest(tmp_path / METADATA / "run1" / "acme-Manifest.json", ["elsewhere.csv"])
    [bill] = find_bills(tmp_path / given)
    assert told([bill], tmp_path) == [("acme", OCTOBER, named)]
    assert bill.manifest is not None
    assert (bill.name, bill.manifest.rejects) == ("acme-Manifest.json", ())


def test_a_part_that_the_manifest_names_and_is_not_there_is_told(tmp_path: Path) -> None:
    laid_out(tmp_path, f"{DATA}/acme-00001.csv")
    keys = [f"{DATA}/acme-00001.csv", f"{DATA}/acme-00002.csv", "../../../etc/hosts"]
    manifest(tmp_path / METADATA / "acme-Manifest.json", keys)
    [bill] = find_bills(tmp_path)
    assert bill.manifest is not None
    assert [(one.reason, one.detail) for one in bill.manifest.rejects] == [
        ("broken_delivery", f"cur/{key} is not there") for key in keys[1:]
    ]


def test_without_a_manifest_the_newest_run_is_the_bill(tmp_path: Path) -> None:
    runs = [f"{DATA}/2026110{day}T000000Z-x/acme-00001.csv" for day in (1, 2)]
    laid_out(tmp_path, *runs)
    assert told(find_bills(tmp_path), tmp_path) == [("acme", OCTOBER, [runs[1]])]


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (("notes.md", ".hidden.csv"), "holds no file to import"),
        ((f"{DATA}/9c/a.csv", f"{DATA}/1b/a.csv"), "several runs of one month"),
        (("x/daily-00001.csv", "x/hourly-00001.csv"), r"several exports \(daily, hourly\)"),
        (("x/extra.csv", "x/2026-10/a.csv"), "extra.csv lies beside folders of billing months"),
        (("a/cur/1.csv", "b/cur/1.csv"), "would both be the export cur"),
    ],
)
def test_what_could_be_added_up_wrongly_is_asked_about(
    tmp_path: Path, files: tuple[str, ...], said: str
) -> None:
    with pytest.raises(ValidationFailed, match=said):
        find_bills(laid_out(tmp_path, *files))


def test_one_name_is_not_given_to_two_exports(tmp_path: Path) -> None:
    with pytest.raises(ValidationFailed, match="would both be the export cur"):
        find_bills(laid_out(tmp_path, "a/1.csv", "b/1.csv"), "cur")


def manifest_rejects(top: Path) -> list[tuple[str, str]]:
    [bill] = find_bills(top)
    assert bill.period == OCTOBER
    assert bill.manifest is not None
    return [(one.reason, one.detail) for one in bill.manifest.rejects]


def test_a_manifest_that_is_none_refuses_its_month(tmp_path: Path) -> None:
    laid_out(tmp_path, f"{DATA}/acme-00001.csv", f"{METADATA}/acme-Manifest.json")
    assert manifest_rejects(tmp_path) == [("bad_manifest", "the manifest is not JSON")]
    assert find_bills(tmp_path, has_manifests=False)[0].period == OCTOBER


def test_of_two_manifests_that_say_different_things_none_is_believed(tmp_path: Path) -> None:
    parts = [f"{DATA}/{name}-00001.csv" for name in ("a", "b")]
    laid_out(tmp_path, *parts)
    for part, name in zip(parts, "ab", strict=True):
        manifest(tmp_path / METADATA / f"{name}-Manifest.json", [part])
    [(reason, told_of)] = manifest_rejects(tmp_path / "acme")
    where = "metadata/BILLING_PERIOD=2026-10"
    assert (reason, told_of.partition(": ")[2]) == (
        "bad_manifest",
        f"{where}/a-Manifest.json, {where}/b-Manifest.json",
    )
    manifest(tmp_path / METADATA / "b-Manifest.json", parts[:1])
    assert manifest_rejects(tmp_path) == [], "a copy says the same"


def test_where_each_run_has_its_manifest_alone_the_newest_ones_is_read(tmp_path: Path) -> None:
    runs = [f"2026110{day}T000000Z-x" for day in (1, 2)]
    parts = [f"{DATA}/{run}/acme-00001.csv" for run in runs]
    laid_out(tmp_path, *parts)
    for run, part in zip(runs, parts, strict=True):
        manifest(tmp_path / METADATA / run / "acme-Manifest.json", [part])
    assert told(find_bills(tmp_path), tmp_path) == [("acme", OCTOBER, parts[1:])]
