"""The bill against the rows, with Postgres alone: after an import and by itself."""

import asyncio
import json
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from tests.providers.bedrock.cur_files import as_csv, row
from tests.support.command import Command
from tests.support.databases import Database

MODEL = "anthropic.claude-sonnet-4-6"
PRICES = {
    MODEL: {
        "litellm_provider": "bedrock_converse",
        "mode": "chat",
        "input_cost_per_token": 3.3e-06,
        "output_cost_per_token": 1.65e-05,
    }
}
TAX = row(
    line_item_line_item_type="Tax",
    line_item_usage_amount="",
    line_item_unblended_cost="1.2",
    line_item_usage_start_date="2026-10-31T00:00:00Z",
)
USAGE = row(line_item_usage_start_date="2026-10-05T00:00:00Z", bill_invoice_id="INV-1")


@pytest.fixture(scope="module")
def tensorcost(database: Database, tmp_path_factory: pytest.TempPathFactory) -> Command:
    command = Command(database, tmp_path_factory.mktemp("home"))
    for name in ("Acme", "Empty"):
        command("tenant", "create", "--name", name, "--owner-email", "ana@example.test")
    prices = tmp_path_factory.mktemp("prices") / "map.json"
    prices.write_text(json.dumps(PRICES))
    command("prices", "import", str(prices), "--effective", "2026-01-01")
    return command


def load(command: Command, path: Path, *options: str) -> list[dict[str, Any]]:
    """Import a file; what its months were reconciled to."""
    done = command("import", str(path), "--tenant", "acme", "--json", *options)
    assert done.code == 0, done.talk
    found: list[dict[str, Any]] = done.json()["reconciliation"]["periods"]
    return found


def test_a_month_is_reconciled_as_its_bill_and_its_rows_come_in(
    tensorcost: Command, tmp_path: Path
) -> None:
    bill, calls = tmp_path / "bill.csv", tmp_path / "calls.csv"
    bill.write_bytes(as_csv([USAGE, TAX]))
    calls.write_text(
        "timestamp,model_id,input_tokens,id,team\n"
        f"2026-10-05T10:00:00Z,{MODEL},1300000,a,care\n"
        f"2026-10-05T11:00:00Z,{MODEL},2600000,b,find\n"
    )
    where = ("source=bedrock", "account_id=111122223333", "region=us-east-1")
    events = ("--format", "events", *(part for one in where for part in ("--set", one)))
    assert load(tensorcost, calls, *events) == [], "no bill yet"

    (month,) = load(tensorcost, bill, "--format", "aws-cur")
    # 5.2 million tokens for 17.16 dollars are the list price; 3.9 million were logged.
    assert (month["period"], month["version"], month["currency"]) == ("2026-10", 1, "USD")
    assert (month["billed"], month["attributed"]) == ("18.360000000", "12.870000000")
    assert month["unattributed"] == {"tax": "1.200000000", "unlogged": "4.290000000"}
    assert (month["difference"], month["estimate"]) == ("0.000000000", "12.870000000")

    calls.write_text(
        f"timestamp,model_id,input_tokens,id\n2026-10-05T12:00:00Z,{MODEL},1300000,c\n"
    )
    (late,) = load(tensorcost, calls, *events)
    assert (late["version"], late["attributed"]) == (2, "17.160000000")
    assert late["unattributed"] == {"tax": "1.200000000"}
    (part,) = late["restated"]
    assert (part["line_class"], part["billed"], part["attributed"]) == (
        "usage",
        "0.000000000",
        "4.290000000",
    )

    again = tensorcost("reconcile", "--tenant", "acme", "--json").json()
    assert again == {
        "schema": "tensorcost.reconcile/1",
        "reconciliation": {"periods": [], "uncounted": [], "older_rules": []},
    }
    done = tensorcost("reconcile", "--tenant", "acme", "--period", "2026-10", "--json")
    (asked,) = done.json()["reconciliation"]["periods"]
    assert (asked["version"], asked["changed"]) == (2, False)
    shown = tensorcost("reconcile", "--tenant", "acme", "--period", "2026-10")
    assert ["tax", "1.200000000"] in [line.split() for line in shown.out.splitlines()]
    assert_its_lines_are_shown(tensorcost)


def assert_its_lines_are_shown(tensorcost: Command) -> None:
    bill = ("bill", "--tenant", "acme", "--period", "2026-10")
    taxes = tensorcost(*bill, "--class", "tax", "--json").json()
    assert (taxes["schema"], taxes["has_more"]) == ("tensorcost.bill/1", False)
    (tax,) = taxes["lines"]
    assert (tax["line_item_type"], tax["amount"]["unblended"]) == ("Tax", "1.200000000")
    shown = tensorcost(*bill, "--day", "2026-10-05", "--limit", "1")
    (row,) = [line.split() for line in shown.out.splitlines() if "2026-10-05" in line]
    assert row[:4] == ["2026-10-05", "111122223333", "us-east-1", MODEL]
    assert row[-3:] == ["INV-1", "17.160000000", "USD"]
    days = ("--from", "2026-10-05", "--to", "2026-10-06")
    here = tensorcost(*bill, *days, "--region", "us-east-1", "--json").json()["lines"]
    assert [line["region"] for line in here] == ["us-east-1"]
    assert tensorcost(*bill, "--region", "eu-west-1", "--json").json()["lines"] == []
    for asked, said in (
        (("--period", "2026-09"), "2026-09 not found"),
        (("--period", "2026-10", "--as-of", "2026-10-06"), "2026-10 not found"),
    ):
        unknown = tensorcost("bill", "--tenant", "acme", *asked)
        assert (unknown.code, unknown.out) == (1, "")
        assert said in unknown.talk
    twice = tensorcost(*bill, "--day", "2026-10-05", "--from", "2026-10-05")
    assert (twice.code, twice.out) == (2, "")
    assert_its_ledger_is_shown(tensorcost)


def assert_its_ledger_is_shown(tensorcost: Command) -> None:
    ledger = ("ledger", "--tenant", "acme", "--period", "2026-10")
    found = tensorcost(*ledger, "--order", "amount", "--limit", "1", "--json").json()
    assert (found["schema"], found["has_more"]) == ("tensorcost.ledger/1", True)
    (row,) = found["rows"]
    assert (row["day"], row["billed"]["unblended"]) == ("2026-10-31", "1.200000000")
    assert [gap["class"] for gap in row["gaps"]] == ["tax"]
    shown = tensorcost(*ledger, "--region", "us-east-1", "--model", MODEL)
    (usage,) = [line.split() for line in shown.out.splitlines() if "2026-10-05" in line]
    assert usage[1:4] == ["111122223333", "us-east-1", MODEL]
    assert usage[4:8] == ["USD", "17.160000000", "17.160000000", "17.160000000"]
    some = tensorcost(*ledger, "--class", "tax", "--min-gap", "1.21", "--json")
    assert some.json()["rows"] == []
    bad = tensorcost(*ledger, "--min-gap", "a cent")
    assert (bad.code, "takes an amount such as 0.01" in bad.talk) == (2, True)


def test_the_published_sample_is_reconciled_to_the_last_nano(tensorcost: Command) -> None:
    sample = Path(__file__).resolve().parents[1] / "data/exports/aws_cur_sample.csv.gz"
    months = load(tensorcost, sample, "--format", "aws-cur")
    assert {month["difference"] for month in months} == {"0.000000000"}
    assert sum(float(month["billed"]) for month in months) == pytest.approx(0.497325304)
    assert {share for month in months for share in month["unattributed"]} <= {
        "out_of_scope",
        "tax",
    }


async def _older_rules(database: Database) -> None:
    """All months final, and what made them of another time."""
    superuser = await asyncpg.connect(database.superuser_url)
    await superuser.execute("UPDATE ai.reconciliation SET rules = ''")
    await superuser.execute(
        "UPDATE ai.bill_period SET invoice_id = 'INV', invoice_since = now() - interval '99 days'"
    )
    await superuser.close()


def test_final_months_of_older_rules_are_named_until_they_are_asked_for(
    tensorcost: Command, tmp_path: Path, database: Database
) -> None:
    bill = tmp_path / "bill.csv"
    bill.write_bytes(as_csv([USAGE]))
    load(tensorcost, bill, "--format", "aws-cur")
    asyncio.run(_older_rules(database))
    done = tensorcost("reconcile", "--tenant", "acme", "--json").json()["reconciliation"]
    assert done["periods"] == []
    assert "2026-10" in done["older_rules"]
    told = tensorcost("reconcile", "--tenant", "acme").talk
    assert "by older rules: 2026-10" in told
    asked = tensorcost("reconcile", "--tenant", "acme", "--period", "2026-10").talk
    assert "2026-10: reconciled anew by newer rules" in asked
    after = tensorcost("reconcile", "--tenant", "acme", "--json").json()["reconciliation"]
    assert "2026-10" not in after["older_rules"]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--tenant", "nobody"), 1, "tenant nobody not found"),
        (("--tenant", "empty", "--period", "2026-10"), 1, "2026-10 not found"),
        (("--tenant", "empty", "--period", "October"), 2, "not a month"),
    ],
)
def test_what_cannot_be_reconciled_is_explained(
    tensorcost: Command, arguments: tuple[str, ...], code: int, said: str
) -> None:
    done = tensorcost("reconcile", *arguments)
    assert (done.code, done.out) == (code, "")
    assert said in " ".join(done.talk.split())


def test_nothing_due_is_said(tensorcost: Command) -> None:
    done = tensorcost("reconcile", "--tenant", "empty")
    assert (done.code, done.out) == (0, "")
    assert "no month is due" in done.talk
