"""Months, their versions and what one changed, and coverage: as REST tells them, in tables."""

from dataclasses import dataclass
from datetime import date, timedelta

import pytest

from tensorcost.domain.cost.reconciliation.closing import Cause
from tensorcost.domain.ids import TenantId
from tensorcost.domain.spend.bill import ChargeCategory
from tests.support.bills import bill_line, load_bill
from tests.support.command import Command, Outcome
from tests.support.databases import Database
from tests.support.reconciled import PLACE, USD, explained_day, known_at, write_version
from tests.support.tenants import app_database, make_tenant

FIFTH = date(2026, 10, 5)
OCTOBER = ("--from", "2026-10-01", "--to", "2026-11-01")
ACCOUNT, REGION = PLACE.account_id, PLACE.region


@dataclass(frozen=True, slots=True)
class World:
    """October, billed by two exports of which one counts: at first five dollars, of which calls
    explain three; restated with two dollars of tax, when calls explained four."""

    tenant: TenantId
    before: str
    """A moment at which the first version alone was known."""


@pytest.fixture(scope="module")
async def world(database: Database) -> World:
    made = await make_tenant(database)
    usage = bill_line(FIFTH, invoice_id="INV-1")
    tax = bill_line(
        FIFTH, invoice_id="INV-1", charge_category=ChargeCategory.TAX, unblended_nano=2 * USD
    )
    async with app_database(database) as db:
        first = await load_bill(db, made, [usage])
        await write_version(
            db, made, {FIFTH: explained_day(3, 2)}, deliveries=[first], causes=[Cause.BILL]
        )
        second = await load_bill(db, made, [usage, tax])
        latter = await write_version(
            db, made, {FIFTH: explained_day(4, 1, tax=2)}, deliveries=[second], causes=[Cause.USAGE]
        )
        await load_bill(db, made, [usage], export="hourly")
        moment = await known_at(db, made, latter) - timedelta(microseconds=1)
    return World(made, moment.isoformat())


@pytest.fixture(scope="module")
def tensorcost(database: Database, tmp_path_factory: pytest.TempPathFactory) -> Command:
    return Command(database, tmp_path_factory.mktemp("home"))


def words(done: Outcome) -> list[list[str]]:
    """The table's lines, after the command did what it was asked for."""
    assert done.code == 0, done.talk
    return [line.split() for line in done.out.splitlines()]


def test_months_are_listed_and_one_names_its_versions_and_exports(
    tensorcost: Command, world: World
) -> None:
    asked = ("--tenant", str(world.tenant))
    sums = ["7.000000000", "4.000000000", "3.000000000", "0.000000000"]
    listed = tensorcost("months", "list", *asked)
    assert ["2026-10", "closing", "2", "2026-10-06", "USD", *sums] in words(listed)

    shown = tensorcost("months", "show", *asked, "--period", "2026-10")
    lines = words(shown)
    assert ["2026-10", "closing", "2", "2026-10-06", "USD", *sums] in lines
    versions = {line[0]: line[-3:] for line in lines if line[1:3] == ["1", "1"]}
    assert versions == {
        "2": ["2026-10-06", "usage", "test"],
        "1": ["2026-10-06", "bill", "test"],
    }
    bills = {line[0]: (line[2:5], line[-3:]) for line in lines if line[0] in {"daily", "hourly"}}
    assert bills == {
        "daily": (["yes", "closing", "INV-1"], ["2", "USD", "7.000000000"]),
        "hourly": (["no", "closing", "INV-1"], ["1", "USD", "5.000000000"]),
    }

    plain = tensorcost("months", "list", *asked, "--json").json()
    assert (plain["schema"], plain["has_more"]) == ("tensorcost.months/1", False)
    (month,) = plain["months"]
    assert (month["version"], month["older_rules"], month["pending"]) == (2, False, False)
    past = ("months", "show", *asked, "--period", "2026-10", "--as-of", world.before)
    then = tensorcost(*past, "--json").json()
    assert (then["schema"], then["version"], then["bills"]) == ("tensorcost.month/1", 1, [])
    assert "ask without --as-of" in tensorcost(*past).talk


def test_a_restatement_is_told_by_account_model_and_class(
    tensorcost: Command, world: World
) -> None:
    asked = ("months", "diff", "--tenant", str(world.tenant), "--period", "2026-10")
    restated = tensorcost(*asked)
    place = [ACCOUNT, PLACE.model_id]
    assert words(restated)[1:] == [
        [*place, "tax", "USD", "2.000000000", "0.000000000", "0.000000000"],
        [*place, "usage", "USD", "0.000000000", "1.000000000", "0.000000000"],
        ["in", "all", "USD", "2.000000000", "1.000000000", "0.000000000"],
    ]
    assert "2026-10: version 2 against 1; new in it: usage" in restated.talk
    back = tensorcost(*asked, "--from", "2", "--to", "1", "--limit", "1")
    assert [*place, "tax", "USD", "-2.000000000", "0.000000000", "0.000000000"] in words(back)
    assert "and 1 more, which the sum holds too" in back.talk
    plain = tensorcost(*asked, "--from", "0", "--to", "1", "--json").json()
    assert (plain["schema"], plain["from_version"]) == ("tensorcost.difference/1", 0)
    assert [one["billed"]["unblended"] for one in plain["deltas"]] == ["5.000000000"]
    same = tensorcost(*asked, "--from", "2", "--to", "2")
    assert (words(same), "they say the same" in same.talk) == ([], True)


def test_coverage_is_told_by_place_and_day_with_the_cause_of_silence(
    tensorcost: Command, world: World
) -> None:
    asked = ("coverage", "--tenant", str(world.tenant), *OCTOBER)
    figures = ["5.000000000", "4.000000000", "0.000000000", "1.000000000", "0.800000"]
    shown = tensorcost(*asked)
    # Rows are reconciled, but none stands in the rollup: nobody knows about its logs.
    assert [ACCOUNT, REGION, *figures, "unknown"] in words(shown)
    assert ["in", "all", *figures] in words(shown)
    assert "silent places: 1" in shown.talk
    assert f"{ACCOUNT}/{REGION}: silent, unknown. " in shown.talk

    days = words(tensorcost(*asked, "--history"))
    assert ["2026-10-05", ACCOUNT, REGION, *figures] in days
    assert ["2026-10-05", "in", "all", *figures] in days

    plain = tensorcost(*asked, "--silent", "--account", ACCOUNT, "--json").json()
    assert (plain["schema"], plain["silent_places"]) == ("tensorcost.coverage/1", 1)
    (place,) = plain["places"]
    assert (place["region"], place["silence"]["cause"]) == (REGION, "unknown")
    assert [day["day"] for day in place["history"]] == ["2026-10-05"]
    elsewhere = tensorcost(*asked, "--region", "eu-west-1", "--json").json()
    assert (elsewhere["places"], elsewhere["total"]["explained"]) == ([], None)
    then = tensorcost(*asked, "--as-of", world.before)
    assert words(then)[-1][:4] == ["in", "all", "5.000000000", "3.000000000"]
    assert "ask without --as-of" in then.talk


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("months", "show", "--period", "2026-09"), 1, "2026-09 not found"),
        (("months", "show", "--period", "October"), 1, "not a month"),
        (("months", "diff", "--period", "2026-10", "--to", "9"), 1, "9 not found"),
        (("months", "diff", "--period", "2026-10", "--from", "-1"), 2, "'--from'"),
        (("coverage", "--from", "2026-10-05T12:00:00Z"), 1, "'from' cuts a UTC day"),
        (("coverage", "--basis", "gross"), 2, "gross"),
    ],
)
def test_bad_input_is_named(
    tensorcost: Command, world: World, arguments: tuple[str, ...], code: int, message: str
) -> None:
    done = tensorcost(*arguments, "--tenant", str(world.tenant))
    assert (done.code, done.out) == (code, "")
    assert message in done.talk


def test_a_tenant_without_a_bill_is_told_so(tensorcost: Command) -> None:
    tensorcost("tenant", "create", "--name", "Billless", "--owner-email", "ana@example.test")
    done = tensorcost("months", "list", "--tenant", "billless")
    assert (done.code, done.out) == (0, "")
    assert "no month has a bill" in done.talk
