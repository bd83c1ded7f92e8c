import gzip
import json
from datetime import date
from typing import Any

import pytest

from demo.aws import state as sim
from demo.aws.control import SimControl
from tensorcost.domain.integration.probe_facts import ErrorKind
from tensorcost.domain.spend.limits import RejectReason
from tensorcost.providers.aws.errors import ProviderError
from tensorcost.providers.bedrock.source_cur import (
    BillExport,
    discover_exports,
    list_manifests,
    open_delivery,
    read_delivery,
)
from tests.providers.aws.world import (
    CUR_BUCKET,
    HOME,
    PAYER,
    bill_export,
    payer,
    stored,
    world,
)
from tests.providers.bedrock.cur_files import as_csv, collect, parquet, row
from tests.providers.bedrock.samples import BOUNDS

EXPORT = BillExport("bills", CUR_BUCKET, "cur", HOME)
PREFIX = "cur/bills"
MANIFEST = f"{PREFIX}/metadata/BILLING_PERIOD=2026-11/bills-Manifest.json"
FIRST, LAST = date(2026, 10, 5), date(2026, 11, 4)


def data_key(number: int, form: str, month: str = "2026-11") -> str:
    return f"{PREFIX}/data/BILLING_PERIOD={month}/bills-{number:05d}.{form}"


def seed(key: str, content: bytes) -> sim.ObjectSeed:
    return stored(key, content, CUR_BUCKET)


def manifest(*keys: str, **more: Any) -> bytes:
    return json.dumps({"dataFiles": [f"s3://{CUR_BUCKET}/{key}" for key in keys]} | more).encode()


CSV, PARQUET = data_key(1, "csv.gz"), data_key(2, "snappy.parquet")


@pytest.fixture
def bills(simulator: SimControl) -> SimControl:
    objects = [
        seed(CSV, gzip.compress(as_csv([row(), row()]))),
        seed(PARQUET, parquet()),
        seed(MANIFEST, manifest(CSV, PARQUET)),
        seed(
            f"{PREFIX}/metadata/BILLING_PERIOD=2026-11/run-2/bills-Manifest.json",
            manifest(CSV, PARQUET),
        ),
        seed(
            f"{PREFIX}/metadata/BILLING_PERIOD=2026-10/bills-Manifest.json",
            manifest(data_key(1, "csv.gz", "2026-10")),
        ),
        seed(f"{PREFIX}/metadata/BILLING_PERIOD=2026-08/bills-Manifest.json", manifest("x")),
        seed(f"{PREFIX}/metadata/BILLING_PERIOD=2026-11/bills-Redshift.sql", b""),
    ]
    report = sim.LegacyReport(
        account=PAYER, name="old", bucket=CUR_BUCKET, prefix="legacy", bucket_region=HOME
    )
    simulator.seed_state(
        world(objects=objects, exports=[bill_export(execution_id="run-2")], reports=[report])
    )
    return simulator


def test_new_exports_and_legacy_reports_are_discovered(bills: SimControl) -> None:
    found = discover_exports(payer(bills.endpoint_url))
    assert found[0] == EXPORT
    assert (found[1].name, found[1].is_legacy) == ("old", True)


def test_each_month_has_its_own_manifest(bills: SimControl) -> None:
    found = list_manifests(payer(bills.endpoint_url), EXPORT, FIRST, LAST)
    assert [ref.period for ref in found] == [date(2026, 10, 1), date(2026, 11, 1)]
    assert found[1].key == MANIFEST


def test_of_refreshes_without_a_month_s_own_manifest_the_newest_is_read(
    simulator: SimControl,
) -> None:
    folder = f"{PREFIX}/metadata/BILLING_PERIOD=2026-11"
    keys = [f"{folder}/2026110{day}T000000Z/bills-Manifest.json" for day in (1, 3, 2)]
    simulator.seed_state(world(objects=[seed(key, manifest(CSV)) for key in keys]))
    (found,) = list_manifests(payer(simulator.endpoint_url), EXPORT, FIRST, LAST)
    assert found.key == keys[1]


def test_a_delivery_is_read_whole_by_its_manifest(bills: SimControl) -> None:
    session = payer(bills.endpoint_url)
    delivery = open_delivery(session, list_manifests(session, EXPORT, FIRST, LAST)[1])
    lines, rejects, read = collect(read_delivery(session, delivery, BOUNDS))
    assert (len(lines), rejects, read) == (7, [], 7)
    assert [line.line_no for line in lines] == [1, 2, 3, 4, 5, 6, 7]
    identity = delivery.identity
    assert (identity.export_name, identity.period) == ("bills", date(2026, 11, 1))
    assert (identity.manifest_key, len(identity.manifest_etag)) == (MANIFEST, 32)


def test_a_manifest_replaced_while_its_files_were_read_spoils_the_read(bills: SimControl) -> None:
    session = payer(bills.endpoint_url)
    ref = list_manifests(session, EXPORT, FIRST, LAST)[1]
    bills.preset("object_replaced", resource="*Manifest.json")
    delivery = open_delivery(session, ref)
    with pytest.raises(ProviderError) as caught:
        list(read_delivery(session, delivery, BOUNDS))
    assert (caught.value.kind, caught.value.is_transient) == (ErrorKind.CHANGED, True)


def test_a_file_that_vanished_means_begin_again(bills: SimControl) -> None:
    session = payer(bills.endpoint_url)
    delivery = open_delivery(session, list_manifests(session, EXPORT, FIRST, LAST)[1])
    bills.preset("object_vanished", resource="*.parquet")
    with pytest.raises(ProviderError) as caught:
        list(read_delivery(session, delivery, BOUNDS))
    assert caught.value.kind is ErrorKind.CHANGED


@pytest.mark.parametrize(
    ("preset", "reason"),
    [
        ("truncated_parquet", RejectReason.NOT_PARQUET),
        ("truncated_gzip", RejectReason.TRUNCATED_GZIP),
    ],
)
def test_a_torn_part_is_a_reject_of_that_file(bills: SimControl, preset: str, reason: str) -> None:
    session = payer(bills.endpoint_url)
    delivery = open_delivery(session, list_manifests(session, EXPORT, FIRST, LAST)[1])
    bills.preset(preset)
    _, rejects, _ = collect(read_delivery(session, delivery, BOUNDS))
    assert [reject.reason for reject in rejects] == [reason]
    assert rejects[0].file in (CSV, PARQUET)


def test_a_manifest_that_points_elsewhere_is_not_followed(simulator: SimControl) -> None:
    body = json.dumps({"dataFiles": ["s3://another-bucket/x.csv.gz"]}).encode()
    simulator.seed_state(world(objects=[seed(MANIFEST, body)]))
    session = payer(simulator.endpoint_url)
    delivery = open_delivery(session, list_manifests(session, EXPORT, FIRST, LAST)[0])
    with pytest.raises(ProviderError) as caught:
        list(read_delivery(session, delivery, BOUNDS))
    assert caught.value.failure.code == "ForeignBucket"


def test_an_odd_manifest_is_invalid_and_says_why(simulator: SimControl) -> None:
    simulator.seed_state(world(objects=[seed(MANIFEST, b"{}")]))
    session = payer(simulator.endpoint_url)
    ref = list_manifests(session, EXPORT, FIRST, LAST)[0]
    with pytest.raises(ProviderError) as caught:
        open_delivery(session, ref)
    assert caught.value.kind is ErrorKind.INVALID
    assert "no data files" in caught.value.failure.message


def test_a_part_replaced_after_the_read_began_is_not_mixed_with_the_others(
    bills: SimControl,
) -> None:
    session = payer(bills.endpoint_url)
    delivery = open_delivery(session, list_manifests(session, EXPORT, FIRST, LAST)[1])
    bills.preset("object_replaced", resource="*.parquet")
    with pytest.raises(ProviderError) as caught:
        list(read_delivery(session, delivery, BOUNDS))
    assert (caught.value.kind, caught.value.is_transient) == (ErrorKind.CHANGED, True)


def test_a_part_that_lacks_a_column_of_its_manifest_is_a_reject(simulator: SimControl) -> None:
    lacking = {name: v for name, v in row().items() if name != "line_item_usage_amount"}
    listed = manifest(CSV, columns=[{"name": name} for name in row()])
    files = [seed(CSV, as_csv([lacking])), seed(MANIFEST, listed)]
    simulator.seed_state(world(objects=files))
    session = payer(simulator.endpoint_url)
    delivery = open_delivery(session, list_manifests(session, EXPORT, FIRST, LAST)[0])
    lines, (reject,), _ = collect(read_delivery(session, delivery, BOUNDS))
    assert lines == []
    assert (reject.reason, reject.position) == (RejectReason.MISSING_FIELD, 0)
    assert reject.detail == "line_item_usage_amount"
