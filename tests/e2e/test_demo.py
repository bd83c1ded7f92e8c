"""``make demo``: connected, backfilled, reconciled, answered to the cent, found again, unharmed
by a kill."""

import json
import re
import signal
import subprocess
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx2
import pytest

from demo.world.spec import read_world
from tests.e2e.remains import count_events, files_with, kept_files, tables_with
from tests.e2e.told import Told, keeping_world, killing, processes_of, tell
from tests.support.folders import server_folder

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

KEYS = {
    *("schema", "ok", "stages", "connections", "rows", "total_usd"),
    *("by_model", "unpriced", "invoice", "findings"),
}
STAGES = [
    *("servers", "world", "cloud", "prices", "tenant", "processes", "sign-in"),
    *("connect", "validate", "backfill", "bill"),
    *("reconcile", "restatement", "answers", "findings"),
]


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    with server_folder() as folder:
        yield folder


@pytest.fixture(scope="module")
def other() -> Iterator[Path]:
    """Another home, with the world of the first as it was built."""
    with server_folder() as folder:
        yield folder


@pytest.fixture(scope="module")
def first(home: Path, other: Path) -> Told:
    """The first run, from nothing."""
    return tell(home, "--once", heard=keeping_world(home, other))


@pytest.fixture(scope="module")
async def loaded(home: Path, first: Told) -> dict[str, tuple[int, int, int]]:
    """Rows by grain after the first run and before the next."""
    assert first.code == 0, first.talk
    return await count_events(home)


@pytest.fixture(scope="module")
def second(home: Path, loaded: dict[str, tuple[int, int, int]]) -> Told:
    """Another run on the same home."""
    assert loaded
    return tell(home, "--once")


@pytest.fixture(scope="module")
def truth(home: Path, first: Told) -> dict[str, Any]:
    assert first.out
    key: dict[str, Any] = json.loads(read_world(home / "world").truth_file.read_text())
    return key


def test_every_stage_holds_and_the_last_line_is_the_published_object(first: Told) -> None:
    assert first.code == 0, first.talk
    value = first.value
    assert value.keys() == KEYS
    assert (value["schema"], value["ok"]) == ("tensorcost.demo/1", True)
    assert [stage["name"] for stage in value["stages"]] == STAGES
    assert all(stage["ok"] and stage["detail"] for stage in value["stages"])
    (connection,) = value["connections"]
    assert (connection["state"], connection["mode"]) == ("connected", "Organization")
    coverage = {one["name"]: one["coverage"] for one in connection["accounts"]}
    assert coverage.pop("storefront-acquired") == "role_missing"
    assert coverage.pop("northwind-sandbox") == "skipped"
    assert set(coverage.values()) == {"covered"}
    assert len(coverage) == 5


def test_the_answer_is_the_answer_key_to_the_cent(first: Told, truth: dict[str, Any]) -> None:
    logged = truth["logged"]
    models = {row["model"]: row["by_grain"].get("request") for row in first.value["by_model"]}
    for name, sums in logged["by_foundation_model"].items():
        part = models[name]
        assert part["requests"] == sums["requests"], name
        assert Decimal(part["cost_usd"] or 0) == Decimal(sums["cost_nano"]) / 10**9, name
    assert first.value["unpriced"]["requests"] >= logged["total"]["unpriced_requests"] > 0
    assert Decimal(first.value["total_usd"]) > Decimal(logged["total"]["cost_nano"]) / 10**9


def test_every_billed_dollar_has_a_place_and_the_restated_month_counts(
    home: Path, first: Told, truth: dict[str, Any]
) -> None:
    invoice = first.value["invoice"]
    parts = sum(Decimal(usd) for usd in invoice["unattributed"].values())
    assert Decimal(invoice["billed"]) == Decimal(invoice["attributed"]) + parts
    assert Decimal(invoice["difference"]) == 0
    assert {"unlogged", "tax", "credit", "refund", "commitment"} <= invoice["unattributed"].keys()
    period = read_world(home / "world").restated_period
    month = next(one for one in invoice["months"] if one["period"] == period)
    after = Decimal(truth["restated"][period]["unblended_usd"])
    restated = invoice["restated"]
    assert restated["period"] == period
    assert restated["after"] == month["billed"]
    assert abs(Decimal(month["billed"]) - after) < Decimal("0.01")
    assert Decimal(restated["delta"]) == Decimal(restated["after"]) - Decimal(restated["before"])
    assert Decimal(restated["delta"]) != 0
    assert "version 1 → 2" in first.stage("restatement")["detail"]


async def test_every_logged_call_is_one_row_and_none_is_there_twice(
    loaded: dict[str, tuple[int, int, int]], first: Told, truth: dict[str, Any]
) -> None:
    rows, ids, nano = loaded["request"]
    assert rows == ids == truth["logged"]["total"]["requests"] == first.value["rows"]["request"]
    assert nano == truth["logged"]["total"]["cost_nano"]
    metric_rows, metric_ids, _ = loaded["metric"]
    assert metric_rows == metric_ids > 0


async def test_a_second_run_finds_its_data_again(
    home: Path, loaded: dict[str, tuple[int, int, int]], first: Told, second: Told
) -> None:
    assert second.code == 0, second.talk
    said = {name: second.stage(name)["detail"] for name in ("world", "prices", "tenant")}
    assert "again" in said["world"]
    assert "already" in said["prices"]
    assert "already" in said["tenant"]
    for name in ("connect", "validate", "backfill", "restatement"):
        assert "already" in second.stage(name)["detail"]
    for name in ("rows", "total_usd", "by_model", "unpriced", "invoice"):
        assert second.value[name] == first.value[name]
    assert await count_events(home) == loaded


async def test_no_prompt_and_no_secret_stays_anywhere(home: Path, second: Told) -> None:
    assert second.code == 0
    world = read_world(home / "world")
    key = json.loads(world.truth_file.read_text())
    prompts = [canary[part] for canary in key["canaries"] for part in ("prompt", "response")]
    assert len(prompts) >= 10
    secrets = [
        world.backend_secret_key,
        json.loads((home / "tenant.json").read_text())["password"],
        *json.loads((home / "secrets.json").read_text()).values(),
    ]
    calls = [canary["request_id"] for canary in key["canaries"]]
    assert await tables_with(home, calls)  # the calls themselves are there
    assert await tables_with(home, [*prompts, *secrets]) == []
    assert files_with(kept_files(home), [*prompts, *secrets]) == []


def test_it_serves_until_interrupted_and_leaves_nothing_running(home: Path, second: Told) -> None:
    assert second.code == 0
    seen: dict[str, int] = {}
    addresses: dict[str, str] = {}

    def look_around(line: str, process: subprocess.Popen[str]) -> None:
        name, _, rest = line.partition("  ")
        addresses[name.strip()] = rest.strip()
        if not line.startswith("another token"):
            return
        token = re.search(r"Bearer (\S+)", addresses["token"])
        assert token is not None
        with httpx2.Client(trust_env=False, timeout=60) as http:
            for page in ("GraphQL explorer", "REST docs", "Temporal UI"):
                seen[page] = http.get(addresses[page], follow_redirects=True).status_code
            answer = http.post(
                addresses["GraphQL explorer"],
                headers={"authorization": f"Bearer {token[1]}"},
                json={"query": "{ costSummary { totals { requests } } }"},
            )
            seen["token"] = answer.status_code
            assert not answer.json().get("errors")
        process.send_signal(signal.SIGINT)

    told = tell(home, heard=look_around)
    assert told.code == 0, told.talk
    assert seen == dict.fromkeys(("GraphQL explorer", "REST docs", "Temporal UI", "token"), 200)
    assert told.out == ""
    assert processes_of(home) == []


def test_a_stage_that_fails_is_named_with_its_logs_and_nothing_keeps_running(
    home: Path, second: Told
) -> None:
    assert second.code == 0
    told = tell(home, "--once", size=("--requests", "3001", "--days", "8"))
    assert told.code == 1
    assert told.value["ok"] is False
    assert [stage["ok"] for stage in told.value["stages"]] == [True, False]
    assert "holds 3,000 calls" in told.stage("world")["detail"]
    assert f"logs: {home / 'logs'}" in told.talk
    assert processes_of(home) == []


@pytest.mark.chaos
async def test_a_worker_killed_in_the_middle_of_the_backfill_changes_no_total(
    other: Path, first: Told, loaded: dict[str, tuple[int, int, int]]
) -> None:
    told = tell(other, "--once", heard=killing(other, "worker cloud"))
    assert "  worker cloud died; starting it again" in told.talk
    assert told.code == 0, told.talk
    for name in ("total_usd", "by_model", "unpriced", "invoice"):
        assert told.value[name] == first.value[name]
    assert await count_events(other) == loaded
    assert processes_of(other) == []
