"""Cost on the command line: the same figures as over REST, in a table or as one object."""

from datetime import date, timedelta

import pytest

from tensorcost.domain.ids import TenantId
from tensorcost.domain.spend.bill import ChargeCategory
from tensorcost.domain.spend.facts import Grain
from tests.support.bills import bill_line, load_bill
from tests.support.command import Command
from tests.support.databases import Database
from tests.support.reconciled import reconcile_month
from tests.support.spend import MODEL, dimension
from tests.support.spend_rows import Use, add_uses, at
from tests.support.tenants import app_database, make_tenant

FIFTH = date(2026, 10, 5)
OCTOBER = ("--from", "2026-10-01", "--to", "2026-11-01")
USD = 1_000_000_000
LUMEN = "stellar.lumen-large-v1:0"


@pytest.fixture(scope="module")
async def tenant(database: Database) -> TenantId:
    """Four dollars by list price, billed at three and two that nobody logged, tax, and a call of
    a model that nobody prices or bills."""
    made = await make_tenant(database)
    async with app_database(database) as db:
        await add_uses(
            db,
            made,
            [
                Use(at(FIFTH), dimension(), 4 * USD, input_tokens=3_000_000, output_tokens=0),
                Use(at(FIFTH), dimension(model_id=LUMEN, team="labs"), None),
            ],
        )
        lines = [
            bill_line(FIFTH),
            bill_line(
                FIFTH, charge_category=ChargeCategory.TAX, token_kind=None, unblended_nano=USD
            ),
        ]
        await load_bill(db, made, lines)
        await reconcile_month(db, made, date(2026, 11, 1))
    return made


@pytest.fixture(scope="module")
def tensorcost(database: Database, tmp_path_factory: pytest.TempPathFactory) -> Command:
    return Command(database, tmp_path_factory.mktemp("home"))


def test_a_table_tells_the_billed_part_and_what_is_not_in_it(
    tensorcost: Command, tenant: TenantId
) -> None:
    done = tensorcost("cost", "--tenant", str(tenant), *OCTOBER, "--by", "team")
    assert done.code == 0, done.talk
    rows = [line.split() for line in done.out.splitlines()]
    assert ["care", "3.000000000", "3.000000000", "1", "3000000"] in rows
    assert ["(unattributed)", "2.000000000", "2.000000000", "0", "0"] in rows
    assert ["labs", "unpriced", "0.000000000", "1", "110"] in rows
    assert ["in", "all", "5.000000000", "5.000000000", "2", "3000110"] in rows
    assert "31 days, the last 2026-10-31, are reconciled with the bill (unblended)" in done.talk
    assert "estimated by list price" not in done.talk, "there is no rest"
    assert "not in it: 1.000000000 USD tax" in done.talk
    assert "what has neither price nor bill (requests 1, tokens 110)" in done.talk


@pytest.fixture
async def in_euros(database: Database) -> TenantId:
    """A month of which the bill is in euros."""
    made = await make_tenant(database)
    async with app_database(database) as db:
        await add_uses(db, made, [Use(at(FIFTH), dimension(), 4 * USD)])
        await load_bill(db, made, [bill_line(FIFTH, currency="EUR")])
        await reconcile_month(db, made, date(2026, 11, 1))
    return made


@pytest.mark.parametrize("charges", ["usage", "invoice"])
def test_a_bill_in_another_currency_is_said_to_be_in_no_total(
    tensorcost: Command, in_euros: TenantId, charges: str
) -> None:
    done = tensorcost("cost", "--tenant", str(in_euros), *OCTOBER, "--charges", charges)
    assert done.code == 0, done.talk
    said = " ".join(done.talk.split())
    assert "5.000000000 EUR, for which days above are billed in EUR" in said
    assert "none of it is in these USD totals" in said


def test_json_is_one_object_and_the_invoice_has_the_charges_in_it(
    tensorcost: Command, tenant: TenantId
) -> None:
    done = tensorcost(
        "cost",
        "--tenant",
        str(tenant),
        *OCTOBER,
        "--charges",
        "invoice",
        "--basis",
        "net",
        "--json",
    )
    assert done.code == 0, done.talk
    answer = done.json()
    assert (answer["basis"], answer["charges"], answer["group_by"]) == ("net", "invoice", "model")
    assert answer["totals"]["cost_usd"] == answer["billed_usd"] == "6.000000000"
    costs = {row["key"]: row["cost_usd"] for row in answer["rows"]}
    assert (costs["(tax)"], costs[LUMEN]) == ("1.000000000", None)


def test_as_of_a_day_before_the_load_nothing_was_known(
    tensorcost: Command, tenant: TenantId
) -> None:
    done = tensorcost("cost", "--tenant", str(tenant), *OCTOBER, "--as-of", "2025-01-01", "--json")
    answer = done.json()
    assert (answer["totals"]["cost_usd"], answer["rows"]) == ("0.000000000", [])
    assert answer["as_of"].startswith("2025-01-02T00:00:00")


def test_filters_keep_what_they_name_and_a_step_draws_it_over_time(
    tensorcost: Command, tenant: TenantId
) -> None:
    asked = ("cost", "--tenant", str(tenant), *OCTOBER)
    care = tensorcost(*asked, "--team", "care", "--account", "111122223333", "--step", "day")
    assert care.code == 0, care.talk
    rows = [line.split() for line in care.out.splitlines()]
    assert rows[0][:2] == ["day", "model"]
    assert rows[1:] == [
        ["2026-10-05", MODEL, "3.000000000", "3.000000000", "1", "3000000"],
        ["in", "all", "3.000000000", "3.000000000", "1", "3000000"],
    ]
    assert "are reconciled with the bill" in care.talk
    lumen = tensorcost(*asked, "--model", LUMEN, "--by", "team", "--step", "day", "--json").json()
    assert (lumen["step"], lumen["group_by"], len(lumen["buckets"])) == ("day", "team", 31)
    assert [(line["key"], line["totals"]["cost_usd"]) for line in lumen["lines"]] == [
        ("labs", None)
    ]
    hours = ("--from", "2026-10-05T10:00:00Z", "--to", "2026-10-06", "--team", "care")
    by_day = tensorcost("cost", "--tenant", str(tenant), *hours, "--step", "day")
    assert "in part alone, not to be compared with whole ones: 2026-10-05" in by_day.talk
    by_hour = tensorcost("cost", "--tenant", str(tenant), *hours, "--step", "hour")
    (row, _) = [line.split() for line in by_hour.out.splitlines()][1:]
    assert row == ["2026-10-05", "12:00", MODEL, "4.000000000", "0.000000000", "1", "3000000"]
    assert "in part alone" not in by_hour.talk
    elsewhere = tensorcost(*asked, "--region", "eu-west-1", "--json").json()
    assert elsewhere["rows"] == []


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (("--tenant", "nobody-here"), 1, "nobody-here"),
        (("--from", "yesterday"), 1, "'from' is not a date"),
        (("--basis", "estimate", "--charges", "invoice"), 1, "an estimate knows no invoice"),
        (("--by", "colour"), 2, "colour"),
    ],
)
def test_bad_input_is_named(
    tensorcost: Command, tenant: TenantId, options: tuple[str, ...], code: int, message: str
) -> None:
    done = tensorcost("cost", "--tenant", str(tenant), *options)
    assert done.code == code
    assert message in done.talk


@pytest.fixture
async def in_every_grain(database: Database) -> TenantId:
    """A reconciled fifth, and a sixth of which a call, a metric and a line tell the same; a
    machine whose hours a savings plan takes back."""
    made, sixth = await make_tenant(database), FIFTH + timedelta(days=1)
    machine = {"tags": (("team", "ml"),), "token_kind": None, "model_id": ""}
    async with app_database(database) as db:
        await add_uses(
            db,
            made,
            [
                Use(at(FIFTH), dimension(team=""), USD, input_tokens=1_000_000, output_tokens=0),
                Use(at(sixth), dimension(), 4 * USD),
                Use(at(sixth), dimension(), 2 * USD, grain=Grain.METRIC),
            ],
        )
        lines = [
            bill_line(FIFTH),
            bill_line(FIFTH, unblended_nano=7 * USD, **machine),
            bill_line(FIFTH, unblended_nano=-7 * USD, **machine),
            bill_line(sixth, unblended_nano=3 * USD),
        ]
        await load_bill(db, made, lines)
        await reconcile_month(db, made, sixth)
    return made


def test_what_is_not_in_it_is_told_in_words(tensorcost: Command, in_every_grain: TenantId) -> None:
    asked = ("cost", "--tenant", str(in_every_grain), *OCTOBER, "--by", "team")
    done = tensorcost(*asked)
    assert done.code == 0, done.talk
    assert "finer_grain" not in done.talk
    assert "not in it: 2.000000000 USD of usage that CloudWatch tells of beside" in done.talk
    assert "not in it: 3.000000000 USD of bill lines of days that are not reconciled" in done.talk
    assert "; 4.000000000 USD are estimated by list price" in done.talk
    assert {"(none)", "(unattributed)"} <= {line.split()[0] for line in done.out.splitlines()}
    assert "(none): usage that we know and that names no team; (unattributed): " in done.talk


def test_a_row_of_nothing_is_left_out_of_the_table_and_said_so(
    tensorcost: Command, in_every_grain: TenantId
) -> None:
    asked = ("cost", "--tenant", str(in_every_grain), *OCTOBER, "--by", "team")
    done = tensorcost(*asked)
    assert "ml" not in {line.split()[0] for line in done.out.splitlines()}
    assert "left out of the table: 1 without money" in done.talk
    rows = {row["key"]: row["cost_usd"] for row in tensorcost(*asked, "--json").json()["rows"]}
    assert rows["ml"] == "0.000000000"
