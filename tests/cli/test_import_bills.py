"""Bills from disk through the command: what does not count, or is refused, is said."""

from pathlib import Path

import pytest

from tests.activities.ingest.test_bill_files import bill, line
from tests.providers.bedrock.cur_files import as_csv
from tests.support.command import Command
from tests.support.databases import Database

CUR = ("--tenant", "acme", "--format", "aws-cur")


@pytest.fixture
def tensorcost(own_database: Database, tmp_path: Path) -> Command:
    command = Command(own_database, tmp_path / "home")
    made = command("tenant", "create", "--name", "Acme", "--owner-email", "a@example.test")
    assert made.code == 0, made.talk
    return command


def test_a_corrected_bill_under_another_name_says_that_it_does_not_count_and_how_to_make_it(
    tensorcost: Command, tmp_path: Path
) -> None:
    clean = bill(tmp_path / "clean_oct.csv", 5, 6)
    newer = bill(tmp_path / "clean_oct_v2.csv", 10, 11)
    assert "does not count" not in tensorcost("import", str(clean), *CUR).talk
    said = tensorcost("import", str(newer), *CUR).talk
    text = "2026-10: the bill of export clean_oct_v2.csv does not count for payer 999988887777"
    assert f"{text}, because export clean_oct.csv counts" in said
    (again,) = [part for part in said.splitlines() if "to replace that one: " in part]
    command = again.partition("tensorcost ")[2].split()
    assert command == ["import", str(newer), *CUR, "--export", "clean_oct.csv"]

    said = tensorcost("reconcile", "--tenant", "acme").talk
    assert text in said
    listed = tensorcost("reconcile", "--tenant", "acme", "--period", "2026-10", "--json").json()
    (uncounted,) = listed["reconciliation"]["uncounted"]
    assert (uncounted["export"], uncounted["period"]) == ("clean_oct_v2.csv", "2026-10")
    assert uncounted["counted"] == [{"origin": "import", "export": "clean_oct.csv"}]

    replaced = tensorcost(*command, "--json").json()["reconciliation"]
    assert [one["billed"] for one in replaced["periods"]] == ["21.000000000"]
    assert replaced["uncounted"] == [], "what says the same as what counts is not missing"


def test_a_larger_bill_that_takes_the_place_of_another_names_it(
    tensorcost: Command, tmp_path: Path
) -> None:
    tensorcost("import", str(bill(tmp_path / "small.csv", 1)), *CUR)
    large = tmp_path / "large.csv"
    large.write_bytes(as_csv([line(1), line(2, line_item_usage_account_id="444455556666")]))
    said = tensorcost("import", str(large), *CUR).talk
    assert "export small.csv does not count" in said
    assert "because export large.csv counts" in said
    assert "on no bill that counts" not in said, "the larger one names its account too"
    odd = tmp_path / "odd.csv"
    accounts = ("444455556666", "777788889999")
    odd.write_bytes(
        as_csv([line(n, line_item_usage_account_id=one) for n, one in enumerate(accounts)])
    )
    said = tensorcost("import", str(odd), *CUR).talk
    assert "export odd.csv does not count" in said
    assert "  on no bill that counts: account 777788889999\n" in said


def test_a_refused_bill_says_which_one_stays(tensorcost: Command, tmp_path: Path) -> None:
    path = bill(tmp_path / "oct.csv", 6, 5)
    tensorcost("import", str(path), *CUR)
    path.write_bytes(path.read_bytes()[:-40])
    said = tensorcost("import", str(path), *CUR).talk
    assert "2 rows read, 0 accepted, 0 duplicate, 1 rejected, 1 withheld" in said
    assert "2026-10: the bill of export oct.csv is refused; the bill of 2026-" in said


def test_the_help_says_how_an_export_is_named(tensorcost: Command) -> None:
    said = " ".join(tensorcost("import", "--help").out.replace("│", " ").split())
    assert "Default: the name of the file, or of the folder that holds the export" in said
