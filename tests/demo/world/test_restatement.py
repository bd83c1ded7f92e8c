"""AWS closes a month: the second delivery takes the first one's place."""

import json
import shutil
import subprocess
import sys
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from demo.aws.control import SimControl
from demo.world.restate import NothingToRestate, publish_restatement
from demo.world.spec import World, read_world
from tests.demo.clients import Clients
from tests.demo.world.reading import bill_rows

CLOSED = "2026-10"


@pytest.fixture
def copy(organization: World, tmp_path: Path) -> World:
    """A world of one's own: publishing changes its folder."""
    shutil.copytree(organization.path, tmp_path / "world")
    return read_world(tmp_path / "world")


def month(world: World, period: str = CLOSED) -> list[dict[str, Any]]:
    rows = bill_rows(world, parquet=True)
    return [r for r in rows if f"{r['bill_billing_period_start_date']:%Y-%m}" == period]


def total(rows: list[dict[str, Any]]) -> Decimal:
    return sum((Decimal(repr(row["line_item_unblended_cost"])) for row in rows), Decimal(0))


def test_the_month_gets_its_invoice_a_refund_and_the_usage_that_was_late(copy: World) -> None:
    first, open_month = month(copy), month(copy, "2026-11")
    key = json.loads(copy.truth_file.read_bytes())
    assert {row["bill_invoice_id"] for row in first} == {""}
    assert publish_restatement(copy.path) == CLOSED == copy.restated_period
    final = month(copy)
    assert {row["bill_invoice_id"] for row in final} == {f"DEMO-{CLOSED}"}
    assert total(first) == Decimal(key["bill"][CLOSED]["unblended_usd"])
    assert total(final) == Decimal(key["restated"][CLOSED]["unblended_usd"])
    assert not {r["identity_line_item_id"] for r in first} & {
        r["identity_line_item_id"] for r in final
    }
    more = Counter(map(line, final)) - Counter(map(line, first))
    assert {kind for kind, *_ in more} == {"Usage", "Tax", "Refund"}
    assert {day for kind, day, _ in more if kind == "Usage"} == {"2026-10-31"}
    assert {day[:7] for kind, day, _ in more if kind == "Refund"} == {"2026-09"}
    assert month(copy, "2026-11") == open_month


def line(row: dict[str, Any]) -> tuple[str, str, str]:
    day = f"{row['line_item_usage_start_date']:%Y-%m-%d}"
    return row["line_item_line_item_type"], day, repr(row["line_item_unblended_cost"])


def test_publishing_twice_changes_nothing_more(copy: World) -> None:
    publish_restatement(copy.path)
    once = month(copy)
    publish_restatement(copy.path)
    assert month(copy) == once


def test_a_running_cloud_serves_the_new_manifest_under_the_old_key(
    sim: SimControl, copy: World
) -> None:
    sim.seed_folder(copy.path)
    (export,) = copy.cur_exports
    key = (
        f"{export.prefix}/{export.name}/metadata/BILLING_PERIOD={CLOSED}/"
        f"{export.name}-Manifest.json"
    )
    clients = Clients(sim.endpoint_url, copy)
    s3 = clients.client("s3", clients.reader())
    before = s3.get_object(Bucket=export.bucket, Key=key)
    first = json.loads(before["Body"].read())
    publish_restatement(copy.path, sim)
    after = s3.get_object(Bucket=export.bucket, Key=key)
    second = json.loads(after["Body"].read())
    assert before["ETag"] != after["ETag"]
    assert first["executionId"] != second["executionId"]
    assert first["billingPeriod"] == second["billingPeriod"]
    for uri in second["dataFiles"]:
        bucket, _, name = uri.removeprefix("s3://").partition("/")
        found = s3.get_object(Bucket=bucket, Key=name)
        assert found["ContentLength"] == (copy.path / "s3" / bucket / name).stat().st_size


def test_a_world_without_a_closed_month_has_nothing_to_restate(
    single: World, tmp_path: Path
) -> None:
    with pytest.raises(NothingToRestate, match="before its first billing month"):
        publish_restatement(single.path)
    (tmp_path / "facts.json").write_bytes(msgspec.json.encode(single))
    command = [sys.executable, "-m", "demo.world.restate", str(tmp_path)]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert told.returncode == 2
    assert "before its first billing month" in told.stderr
