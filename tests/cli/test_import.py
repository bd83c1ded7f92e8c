"""Bring your own export, end to end through the command."""

import gzip
import json
from pathlib import Path

import pytest

from tests.support.command import Command
from tests.support.databases import Database

PRICES = {
    "gpt-4o": {
        "litellm_provider": "openai",
        "mode": "chat",
        "input_cost_per_token": 2.5e-06,
        "output_cost_per_token": 1e-05,
        "cache_read_input_token_cost": 1.25e-06,
    }
}


@pytest.fixture(scope="module")
def tensorcost(database: Database, tmp_path_factory: pytest.TempPathFactory) -> Command:
    command = Command(database, tmp_path_factory.mktemp("home"))
    made = command(
        "tenant", "create", "--name", "Acme", "--owner-email", "ana@example.test", "--json"
    )
    assert made.code == 0, made.talk
    assert made.json()["one_time_password"]
    prices = tmp_path_factory.mktemp("prices") / "map.json"
    prices.write_text(json.dumps(PRICES))
    imported = command("prices", "import", str(prices), "--effective", "2026-10-01", "--json")
    assert imported.code == 0, imported.talk
    assert imported.json()["imports"][0]["prices"] == 3
    return command


@pytest.fixture
def events(tmp_path: Path) -> Path:
    lines = [
        {"at": "2026-11-03T10:00:00Z", "n": 1000, "o": 100, "m": "gpt-4o", "hit": 400, "id": "a"},
        {"at": "2026-11-04T10:00:00Z", "n": 2000, "o": 200, "m": "gpt-4o", "hit": 0, "id": "b"},
        {"at": "2026-11-04T10:00:00Z", "n": 2000, "o": 200, "m": "gpt-4o", "hit": 0, "id": "b"},
        {"at": "2026-11-04T11:00:00Z", "n": 10, "o": 1, "m": "gpt-unheard", "hit": 0, "id": "c"},
        {"at": "2026-09-30T23:59:59Z", "n": 10, "o": 1, "m": "gpt-4o", "hit": 0, "id": "d"},
        {"at": "2026-11-04T11:00:00Z", "n": -5, "o": 1, "m": "gpt-4o", "hit": 0, "id": "e"},
    ]
    path = tmp_path / "events.jsonl.gz"
    text = "\n".join(json.dumps(line) for line in lines) + "\nthis is not JSON\n"
    path.write_bytes(gzip.compress(text.encode()))
    return path


OPTIONS = (
    *("--tenant", "acme", "--format", "events", "--json", "--cached", "included"),
    *("--map", "timestamp=at", "--map", "input_tokens=n", "--map", "output_tokens=o"),
    *("--map", "model_id=m", "--map", "cached_tokens=hit", "--map", "id=id"),
    *("--set", "source=openai_api", "--set", "application=shop"),
)


def test_events_are_priced_counted_and_rejected_with_reasons(
    tensorcost: Command, events: Path
) -> None:
    done = tensorcost("import", str(events), *OPTIONS)
    assert done.code == 3, done.talk
    summary = done.json()
    counted = {"read": 7, "accepted": 4, "duplicate": 1, "rejected": 2, "withheld": 0}
    assert (summary["ok"], summary["rows"]) == (False, counted)
    assert [(r["line"], r["reason"]) for r in summary["rejects"]] == [
        (6, "negative_tokens"),
        (7, "not_json"),
    ]
    by_model = {row["model_id"]: row for row in summary["by_model"]}
    # 600 fresh, 400 cached and 100 out; 2000 and 200; one call before the price's date.
    assert by_model["gpt-4o"]["cost_usd"] == "0.010000000"
    assert by_model["gpt-4o"]["cached_tokens"] == 400
    assert by_model["gpt-4o"]["unpriced_requests"] == 1
    assert by_model["gpt-unheard"]["cost_usd"] is None, "nothing priced is not an amount of zero"
    reasons = {(m["model_id"], m["reason"]) for m in summary["unpriced"]["models"]}
    assert reasons == {("gpt-unheard", "unknown_model"), ("gpt-4o", "no_price_at_time")}
    assert [row["day"] for row in summary["by_day"]] == ["2026-09-30", "2026-11-03", "2026-11-04"]
    again = tensorcost("import", str(events), *OPTIONS).json()
    assert again["rows"] == counted | {"accepted": 0, "duplicate": 5}
    assert (again["rejects"], again["totals"]) == (summary["rejects"], summary["totals"])


def test_a_tenants_own_price_wins_from_its_date_on(tensorcost: Command, tmp_path: Path) -> None:
    own = tmp_path / "own.json"
    own.write_text(json.dumps({"gpt-4o": {**PRICES["gpt-4o"], "input_cost_per_token": 2e-06}}))
    imported = tensorcost(
        "prices", "import", str(own), "--effective", "2026-11-05", "--tenant", "acme"
    )
    assert imported.code == 0, imported.talk
    calls = tmp_path / "calls.csv"
    calls.write_text(
        "timestamp,model_id,input_tokens,id\n"
        "2026-11-04T23:59:59Z,gpt-4o,1000,x\n2026-11-05T00:00:00Z,gpt-4o,1000,y\n"
    )
    done = tensorcost(
        *("import", str(calls), "--tenant", "acme", "--format", "events", "--json"),
        *("--set", "source=openai_api"),
    )
    assert [row["cost_usd"] for row in done.json()["by_day"]] == ["0.002500000", "0.002000000"]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--tenant", "nobody", "--format", "events"), 1, "nobody not found in the database that"),
        (("--tenant", "acme", "--format", "events", "--map", "nonsense"), 2, "field=value"),
        (("--tenant", "acme", "--format", "events", "--map", "bogus=x"), 1, "unknown field bogus"),
        (("--tenant", "acme", "--format", "focus", "--set", "team=x"), 1, "belong to --format"),
        (("--tenant", "acme", "--format", "carrier-pigeon"), 2, "carrier-pigeon"),
    ],
)
def test_bad_options_are_explained_and_change_nothing(
    tensorcost: Command, events: Path, arguments: tuple[str, ...], code: int, said: str
) -> None:
    done = tensorcost("import", str(events), *arguments)
    assert done.code == code
    assert said in " ".join(done.talk.split())
    assert done.out == ""


def test_a_torn_gzip_keeps_what_came_before_the_tear(tensorcost: Command, tmp_path: Path) -> None:
    rows = "".join(f"2026-11-06T10:00:00Z,gpt-4o,{n},torn-{n}\n" for n in range(1, 5000))
    whole = gzip.compress(f"timestamp,model_id,input_tokens,id\n{rows}".encode())
    torn = tmp_path / "torn.csv.gz"
    torn.write_bytes(whole[: len(whole) // 2])
    done = tensorcost(
        *("import", str(torn), "--tenant", "acme", "--format", "events", "--json"),
        *("--set", "source=openai_api"),
    )
    summary = done.json()
    assert (done.code, summary["refused"]) == (3, []), "what came before the tear is taken"
    assert summary["rows"]["accepted"] > 1000
    assert [r["reason"] for r in summary["rejects"]] == ["truncated_gzip"]


def test_the_published_cost_and_usage_sample_adds_up(tensorcost: Command) -> None:
    sample = Path(__file__).resolve().parents[1] / "data/exports/aws_cur_sample.csv.gz"
    done = tensorcost("import", str(sample), "--tenant", "acme", "--format", "aws-cur", "--json")
    assert done.code == 0, done.talk
    summary = done.json()
    assert summary["rows"] == {
        "read": 554,
        "accepted": 554,
        "duplicate": 0,
        "rejected": 0,
        "withheld": 0,
    }
    assert summary["totals"]["billed"] == {"USD": "0.497325304"}
    assert {(row["model_id"], row["in_scope"]) for row in summary["by_model"]} == {
        ("(out of scope)", False),
        ("(tax)", False),
    }
    again = tensorcost(
        "import", str(sample), "--tenant", "acme", "--format", "aws-cur", "--json"
    ).json()
    assert again["rows"]["duplicate"] == summary["rows"]["read"]
    assert again["totals"]["billed"] == summary["totals"]["billed"]
