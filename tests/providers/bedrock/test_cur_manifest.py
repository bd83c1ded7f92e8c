import json
from datetime import date
from typing import Any

import pytest

from tensorcost.providers.bedrock.cur_manifest import DataFile, ManifestError, parse_manifest

KEY = "cur/export1/metadata/BILLING_PERIOD=2026-11/export1-Manifest.json"
URI = "s3://bucket/cur/export1/data/BILLING_PERIOD=2026-11/export1-00001.snappy.parquet"
FILE = DataFile("bucket", URI.removeprefix("s3://bucket/"))


def manifest(body: Any, key: str = KEY) -> Any:
    return parse_manifest(json.dumps(body).encode(), key)


@pytest.mark.parametrize(
    "body",
    [
        {"dataFiles": [URI]},
        {"dataFiles": [{"uri": URI}]},
        {"bucket": "bucket", "reportKeys": ["/" + FILE.key]},
        {"files": [{"bucket": "bucket", "key": FILE.key}]},
        {"dataFiles": [], "objects": [{"s3Uri": URI}], "unknown": 1},
    ],
)
def test_data_files_are_found_under_every_likely_name(body: dict[str, Any]) -> None:
    found = manifest(body)
    assert found.files == (FILE,)
    assert found.files[0].is_parquet
    assert (found.period, found.export_name) == (date(2026, 11, 1), "export1")


@pytest.mark.parametrize(
    "period",
    [
        "2026-11",
        {"start": "2026-11-01T00:00:00Z", "end": "2026-12-01"},
        {"start": "20261101T000000.000Z", "end": "20261201T000000.000Z"},
    ],
)
def test_the_period_is_read_in_its_spellings(period: Any) -> None:
    found = manifest({"dataFiles": [URI], "billingPeriod": period}, "x/manifest.json")
    assert found.period == date(2026, 11, 1)


def test_a_legacy_manifest_names_columns_by_category() -> None:
    body = {
        "assemblyId": "asm-1",
        "reportKeys": ["p/r/20261101-20261201/asm-1/r-1.csv.gz"],
        "bucket": "b",
        "reportName": "r",
        "columns": [{"category": "lineItem", "name": "UsageType"}, "plain", {"name": "x"}],
    }
    found = manifest(body, "p/r/20261101-20261201/r-Manifest.json")
    assert (found.execution_id, found.export_name) == ("asm-1", "r")
    assert found.columns == ("lineItem/UsageType", "plain", "x")
    assert found.period == date(2026, 11, 1)
    assert not found.files[0].is_parquet


def test_an_execution_is_named_by_the_folder_of_a_create_new_manifest() -> None:
    key = "cur/e/metadata/BILLING_PERIOD=2026-11/20261104T010203Z-run-7/e-Manifest.json"
    assert manifest({"dataFiles": [URI]}, key).execution_id == "20261104T010203Z-run-7"
    delivery = manifest({"dataFiles": [URI]}, key).delivery(key, "etag")
    assert (delivery.manifest_etag, delivery.period) == ("etag", date(2026, 11, 1))


@pytest.mark.parametrize(
    ("data", "key", "said"),
    [
        (b"{", KEY, "not JSON"),
        (b"[]", KEY, "not an object"),
        (b"{}", KEY, "no data files"),
        (b'{"dataFiles": ["https://evil/x", 5, ""]}', KEY, "no data files"),
        (b'{"dataFiles": ["s3://b/k"]}', "x/manifest.json", "no billing period"),
        (b'{"dataFiles": ["s3://b/k"]}', "x/BILLING_PERIOD=2026-13/m.json", "no billing period"),
    ],
)
def test_a_manifest_that_cannot_be_understood_says_why(data: bytes, key: str, said: str) -> None:
    with pytest.raises(ManifestError, match=said):
        parse_manifest(data, key)
