import gzip
import hashlib
import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from demo.aws.metrics import load_rows
from demo.world import samples
from demo.world.build import FolderNotEmpty, build_world
from demo.world.spec import NotAWorld, OldWorld, Variant, World, WorldSpec, read_world
from demo.world.story import SANDBOX
from tests.demo.world.reading import bill_rows, log_objects, read_logs

DATA = Path(samples.__file__).parent / "data"


def truth(world: World) -> Any:
    return json.loads(world.truth_file.read_bytes())


def digests(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "facts.json" and path.parent.name != "logs"
    }


def test_equal_specs_make_equal_worlds(tmp_path: Path) -> None:
    spec = WorldSpec.until(date(2026, 11, 20), days=3, requests=300, variant=Variant.SINGLE)
    first = build_world(tmp_path / "a", spec)
    second = build_world(tmp_path / "b", spec)
    assert digests(first.path) == digests(second.path)
    group = "logs/group-0.tsv.gz"
    assert gzip.decompress((first.path / group).read_bytes()) == gzip.decompress(
        (second.path / group).read_bytes()
    )


def test_another_seed_makes_another_world(tmp_path: Path) -> None:
    spec = WorldSpec.until(date(2026, 11, 20), days=2, requests=200, seed=1)
    other = WorldSpec.until(date(2026, 11, 20), days=2, requests=200, seed=2)
    a, b = build_world(tmp_path / "a", spec), build_world(tmp_path / "b", other)
    assert truth(a)["all"]["total"] != truth(b)["all"]["total"]


def test_date_ends_after_its_last_hour_and_time_at_its_last_full_hour() -> None:
    by_date = WorldSpec.until(date(2026, 11, 20), days=90)
    by_time = WorldSpec.until(datetime(2026, 11, 20, 14, 35, tzinfo=UTC), days=90)
    assert by_date.end == datetime(2026, 11, 21, tzinfo=UTC)
    assert by_time.end == datetime(2026, 11, 20, 14, tzinfo=UTC)
    with pytest.raises(ValueError, match="aware"):
        WorldSpec.until(datetime(2026, 11, 20, 14))


@pytest.mark.parametrize("name", ["organization", "single"])
def test_logs_hold_what_the_answer_key_says(name: str, request: pytest.FixtureRequest) -> None:
    world: World = request.getfixturevalue(name)
    logged = truth(world)["logged"]
    found = read_logs(world)
    total = logged["total"]
    assert found.requests == total["requests"]
    assert found.unpriced == total["unpriced_requests"] > 0
    assert {f"{kind}_tokens": n for kind, n in found.tokens.items()} == {
        name: total[name] for name in total if name.endswith("_tokens")
    }
    assert total["cache_write_1h_tokens"] > 0
    assert found.usd == Decimal(total["cost_usd"])
    assert abs(Decimal(total["cost_nano"]).scaleb(-9) - found.usd) < Decimal("0.0001")
    assert found.by_application == {
        app: sums["requests"] for app, sums in logged["by_application"].items()
    }


def test_groupings_add_up_to_the_total(organization: World) -> None:
    for part in ("logged", "all"):
        answers = truth(organization)[part]
        for name, groups in answers.items():
            if name.startswith("by_"):
                assert sum(g["requests"] for g in groups.values()) == answers["total"]["requests"]
                assert sum(g["cost_nano"] for g in groups.values()) == answers["total"]["cost_nano"]


def test_world_has_the_requested_size_and_every_application(organization: World) -> None:
    everything = truth(organization)["all"]
    assert everything["total"]["requests"] == organization.requests
    assert len([app for app in everything["by_application"] if app]) >= 6
    assert everything["by_account"].keys() == organization.accounts.keys()
    assert len(organization.accounts) == 7
    assert truth(organization)["logged"]["total"]["requests"] < organization.requests


def test_metrics_count_every_call_logged_or_not(organization: World) -> None:
    requests = tokens = 0
    for path in (organization.path / "metrics").glob("*.npz"):
        rows = load_rows(path)
        requests += len(rows.latency)
        tokens += int(rows.ints["input"].sum() + rows.ints["output"].sum())
    total = truth(organization)["all"]["total"]
    assert requests == total["requests"]
    assert tokens == total["input_tokens"] + total["output_tokens"]


def test_canaries_stand_in_the_logs_and_nowhere_in_the_answer(single: World) -> None:
    key = truth(single)
    texts = "\n".join(read_logs(single).texts)
    assert len(key["canaries"]) >= 10
    inline = [c for c in key["canaries"] if c["response"] in texts]
    assert len(inline) == len(key["canaries"])
    assert "TC-CANARY" not in json.dumps(key["logged"])


def test_dirty_world_holds_each_planted_defect(single: World) -> None:
    planted = truth(single)["planted"]
    assert planted["lines"]["not_json"] == 1
    paths = {
        reason: single.path / "s3" / uri.removeprefix("s3://")
        for reason, uri in planted["objects"].items()
    }
    with pytest.raises(EOFError):
        gzip.decompress(paths["truncated_gzip"].read_bytes())
    with pytest.raises(gzip.BadGzipFile):
        gzip.decompress(paths["not_gzip"].read_bytes())
    with pytest.raises(Exception, match=r"(?i)parquet"):
        pq.read_table(paths["truncated_parquet"])
    assert planted["secrets"][0].encode() in gzip.decompress(paths["defective_lines"].read_bytes())


def test_single_account_logs_twice_what_the_key_says(single: World) -> None:
    twice = truth(single)["logged_twice"]
    group = gzip.decompress((single.path / "logs" / "group-0.tsv.gz").read_bytes())
    assert group.count(b"\n") == twice > 0


def test_objects_lie_under_their_delivery_hour(organization: World) -> None:
    late = 0
    for path in log_objects(organization):
        year, month, day, hour = path.parts[-5:-1]
        assert path.name.startswith(f"{year}{month}{day}T{hour}")
        with gzip.open(path, "rt") as lines:
            stamps = [json.loads(line)["timestamp"] for line in lines]
        late += sum(not stamp.startswith(f"{year}-{month}-{day}T{hour}") for stamp in stamps)
    assert late > 0


def test_some_long_bodies_moved_to_data_objects(organization: World) -> None:
    folder = organization.path / "s3" / "northwind-prod-bedrock-logs-euw1"
    moved = list(folder.rglob("data/*_input.json.gz"))
    assert moved
    assert "messages" in json.loads(gzip.decompress(moved[0].read_bytes()))


def test_facts_are_read_back(organization: World) -> None:
    assert read_world(organization.path) == organization
    with pytest.raises(NotAWorld):
        read_world(organization.path / "s3")


def test_a_world_of_an_older_demo_is_not_taken_for_one_of_today(
    organization: World, tmp_path: Path
) -> None:
    facts = json.loads((organization.path / "facts.json").read_bytes())
    del facts["restated_period"]
    (tmp_path / "facts.json").write_text(json.dumps(facts))
    with pytest.raises(OldWorld, match="make clean"):
        read_world(tmp_path)


def test_progress_ends_with_the_last_calendar_day(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    spec = WorldSpec.until(datetime(2026, 11, 20, 14, tzinfo=UTC), days=2, requests=50)
    build_world(tmp_path / "w", spec, lambda done, total: told.append((done, total)))
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_a_closed_account_falls_silent_before_the_end(organization: World) -> None:
    days = [
        line["line_item_usage_start_date"]
        for line in bill_rows(organization, parquet=True)
        if line["line_item_usage_account_id"] == SANDBOX
        and line["line_item_line_item_type"] == "Usage"
    ]
    closed = organization.start + (organization.end - organization.start) * 0.6
    last = max(days).replace(tzinfo=UTC)
    assert closed - timedelta(days=2) < last < closed
    assert organization.suspended == [SANDBOX]
    assert SANDBOX not in organization.members_with_jump_role


def test_world_is_built_only_into_an_empty_folder(
    organization: World, organization_spec: WorldSpec
) -> None:
    with pytest.raises(FolderNotEmpty):
        build_world(organization.path, organization_spec)


def test_carried_samples_are_small_and_attributed() -> None:
    files = [path for path in DATA.iterdir() if path.name != "ATTRIBUTION.md"]
    assert sum(path.stat().st_size for path in files) < 400_000
    text = (DATA / "ATTRIBUTION.md").read_text()
    assert all(f"`{path.name}`" in text for path in files)
