"""Cost on the command line: the same figures as over REST, in a table or as one object."""

from datetime import date

import pytest

from tensorcost.domain.ids import TenantId
from tensorcost.domain.spend.bill import ChargeCategory
from tests.support.bills import bill_line, load_bill
from tests.support.command import Command
from tests.support.databases import Database
from tests.support.reconciled import reconcile_month
from tests.support.spend import dimension
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
    assert "31 days, the last 2026-10-31, are reconciled" in done.talk
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
