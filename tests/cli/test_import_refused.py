"""What an import says, and with which code it ends, where not everything can be taken."""

import json
from pathlib import Path

import pytest

from tests.support.command import Command, Outcome
from tests.support.databases import Database

HEADER = "timestamp,model_id,input_tokens,id"
LOG = {
    "timestamp": "2026-11-03T10:00:00Z",
    "accountId": "123456789012",
    "region": "us-east-1",
    "operation": "Converse",
    "modelId": "amazon.nova-lite-v1:0",
    "schemaType": "ModelInvocationLog",
    "schemaVersion": "1.0",
    "requestId": "r-1",
    "input": {"inputTokenCount": 5},
    "output": {"outputTokenCount": 7},
}


@pytest.fixture(scope="module")
def tensorcost(database: Database, tmp_path_factory: pytest.TempPathFactory) -> Command:
    command = Command(database, tmp_path_factory.mktemp("home"))
    made = command("tenant", "create", "--name", "Acme", "--owner-email", "ana@example.test")
    assert made.code == 0, made.talk
    return command


def imported(command: Command, path: Path, kind: str, *options: str) -> Outcome:
    return command("import", str(path), "--tenant", "acme", "--format", kind, *options)


def reasons(done: Outcome) -> list[tuple[str, int, str]]:
    return [(one["file"], one["line"], one["reason"]) for one in done.json()["rejects"]]


def test_a_day_first_file_is_refused_until_its_form_is_named(
    tensorcost: Command, tmp_path: Path
) -> None:
    path = tmp_path / "dates.csv"
    path.write_text(f"{HEADER}\n05/10/2026,gpt-4o,1,d-1\n13/10/2026,gpt-4o,1,d-2\n")
    refused = imported(tensorcost, path, "events", "--set", "source=openai_api")
    assert refused.code == 4
    assert "dates.csv:2 bad_timestamp (the time is in no form" in refused.talk
    assert "ISO 8601" in refused.talk
    options = ("--set", "source=openai_api", "--time-format", "%d/%m/%Y", "--json")
    done = imported(tensorcost, path, "events", *options)
    assert done.code == 0, done.talk
    assert [day["day"] for day in done.json()["by_day"]] == ["2026-10-05", "2026-10-13"]
    again = imported(tensorcost, path, "events", *options)
    assert (again.code, again.json()["rows"]["duplicate"]) == (0, 2)


@pytest.mark.parametrize(
    ("name", "content", "kind", "reason"),
    [
        ("empty.json.gz", b"", "bedrock-logs", "no_rows"),
        ("blank.csv", b"\n\n", "events", "no_rows"),
        ("page.json.gz", b"<html>", "bedrock-logs", "not_gzip"),
        ("cur.csv", b"identity/LineItemId,lineItem/UsageStartDate\na,b\n", "aws-cur", None),
    ],
)
def test_a_file_of_which_nothing_is_taken_is_named_and_no_success(
    tensorcost: Command, tmp_path: Path, name: str, content: bytes, kind: str, reason: str | None
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    done = imported(tensorcost, path, kind, "--json")
    assert done.code == 4, done.talk
    summary = done.json()
    assert (summary["ok"], summary["refused"]) == (False, [name])
    assert reason is None or [one[2] for one in reasons(done)] == [reason]


EVENTS = ("events", "--set", "source=openai_api")


def test_what_is_no_data_in_a_folder_is_named_and_what_is_of_another_kind_is_one_reject(
    tensorcost: Command, tmp_path: Path
) -> None:
    folder = tmp_path / "calls"
    folder.mkdir()
    (folder / "a.csv").write_text(f"{HEADER}\n2026-11-03,gpt-4o,1,folder-1\n")
    for name in ("_SUCCESS", ".DS_Store", "README.md", "a.csv.sha256"):
        (folder / name).write_text("# Calls\nof November\n")
    done = imported(tensorcost, folder, *EVENTS, "--json")
    assert done.code == 0, done.talk
    assert done.json()["skipped"] == [".DS_Store", "README.md", "_SUCCESS", "a.csv.sha256"]
    assert "skipped _SUCCESS" in done.talk

    strays = {
        "costs.csv": (b"day,amount\n2026-11-03,5\n2026-11-04,6\n", "missing_field"),
        "image.csv": (b"\x89PNG\xff\xff\n", "wrong_type"),
        "package.json": (b'{\n  "name": "calls"\n}\n', "not_json"),
        "pages.json": (b'[{"timestamp": 1}]', "not_json"),
    }
    for name, (content, _) in strays.items():
        (folder / name).write_bytes(content)
    (folder / "z.csv").write_text(f"{HEADER}\n2026-11-03,gpt-4o,1,folder-2\n")
    told = [(name, 0, reason) for name, (_, reason) in strays.items()]
    for accepted, duplicate in ((1, 1), (0, 2)):
        done = imported(tensorcost, folder, *EVENTS, "--json")
        assert done.code == 3, done.talk
        summary = done.json()
        assert (summary["ok"], summary["refused"]) == (False, list(strays))
        assert reasons(done) == told
        rows = {"read": 6, "accepted": accepted, "duplicate": duplicate, "rejected": 4}
        assert summary["rows"] == rows | {"withheld": 0}
        assert summary["totals"]["requests"] == 2

    for name in ("a.csv", "z.csv"):
        (folder / name).unlink()
    assert imported(tensorcost, folder, *EVENTS).code == 4, "nothing was taken"


def test_one_file_of_another_kind_is_one_clear_error(tensorcost: Command, tmp_path: Path) -> None:
    path = tmp_path / "costs.csv"
    path.write_text("day,amount\n2026-11-03,5\n")
    done = imported(tensorcost, path, *EVENTS, "--json")
    assert (done.code, done.out) == (1, "")
    assert "costs.csv has no column timestamp and no model_id, only day, amount" in done.talk
    missing = imported(tensorcost, tmp_path / "nothing.csv", *EVENTS)
    assert (missing.code, "does not exist" in missing.talk) == (1, True)


def test_a_conflict_names_its_line_and_what_was_rejected_is_told_again(
    tensorcost: Command, tmp_path: Path
) -> None:
    first, second = tmp_path / "logs.jsonl", tmp_path / "later.jsonl"
    first.write_text(json.dumps(LOG) + "\n")
    assert imported(tensorcost, first, "bedrock-logs").code == 0
    changed = LOG | {"input": {"inputTokenCount": 6}}
    other = LOG | {"requestId": "r-2"}
    lines = [json.dumps(other), "nonsense", "", json.dumps(changed), json.dumps(other)]
    second.write_text("\n".join(lines) + "\n")
    done = imported(tensorcost, second, "bedrock-logs", "--json")
    assert done.code == 3, done.talk
    rejected = [("later.jsonl", 2, "not_json"), ("later.jsonl", 4, "id_conflict")]
    assert sorted(reasons(done)) == rejected
    again = imported(tensorcost, second, "bedrock-logs", "--json")
    assert (again.code, again.json()["rows"]["rejected"]) == (3, 2)
    assert reasons(again) == rejected


def test_a_bill_with_a_bad_line_is_no_success_the_second_time_either(
    tensorcost: Command, tmp_path: Path
) -> None:
    path = tmp_path / "azure.csv"
    rows = ["s-1,10/03/2026,1.50,USD,Usage", "s-1,13/03/2026,1.50,USD,Usage"]
    rows.append("s-1,2026-10-05,2.50,USD,Usage")
    header = "SubscriptionId,Date,CostInBillingCurrency,BillingCurrencyCode,ChargeType"
    path.write_text("\n".join([header, *rows]) + "\n")
    for taken in ("accepted", "duplicate"):
        done = imported(tensorcost, path, "azure-export", "--json")
        assert done.code == 3, done.talk
        assert (done.json()["rows"]["read"], done.json()["rows"][taken]) == (3, 2)
        assert reasons(done) == [("azure.csv", 3, "bad_timestamp")]
        assert done.json()["totals"]["billed"] == {"USD": "4.000000000"}


def test_what_a_command_wrote_to_the_audit_trail_is_sealed_when_it_ends(
    tensorcost: Command,
) -> None:
    found = tensorcost("audit", "verify", "--tenant", "acme", "--json")
    assert (found.code, found.json()["unsealed"]) == (0, 0)
    assert found.json()["sealed"] > 0, "making the tenant is in the trail, and no worker ran"


def test_a_price_map_without_a_price_makes_no_version(tensorcost: Command, tmp_path: Path) -> None:
    path = tmp_path / "prices.json"
    options = ("prices", "import", str(path), "--effective", "2026-10-01", "--json")
    path.write_text(json.dumps({"gpt-4o": {"litellm_provider": "openai", "mode": "chat"}}))
    refused = tensorcost(*options)
    assert (refused.code, refused.out) == (1, "")
    assert "gives no price" in refused.talk
    assert tensorcost(*options).code == 1, "a version that was made would be there already"
