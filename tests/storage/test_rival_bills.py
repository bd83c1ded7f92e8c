"""Which of a payer's exports counts, by what each of them says now; and what was believed then."""

import asyncio
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from random import Random

import pytest

from tensorcost.domain.cost.query import CostQuery
from tensorcost.domain.cost.query_window import Window
from tensorcost.domain.cost.reconciliation.closing import PeriodState
from tensorcost.domain.ids import TenantId
from tensorcost.domain.spend.bill import BillLine
from tensorcost.storage.cost_queries.facts import read_facts
from tensorcost.storage.session import Database
from tensorcost.storage.spend.bill_periods import list_periods, month_states
from tensorcost.storage.spend.uncounted_bills import read_uncounted
from tests.support.bills import OCTOBER, bill_line, load_bill, make_older

DAY = date(2026, 10, 5)
MONTH = Window.of_days(OCTOBER, date(2026, 11, 1))
NOW = datetime(2026, 10, 20, tzinfo=UTC)
USD = 1_000_000_000
LONG = timedelta(days=4)


def of_accounts(*accounts: str, usd: int = 5) -> list[BillLine]:
    return [
        bill_line(DAY, usage_account_id=account, unblended_nano=usd * USD) for account in accounts
    ]


async def billed(db: Database, tenant: TenantId, as_of: datetime | None = None) -> int:
    """Dollars of the month's bill as the cost queries see it."""
    async with db.tenant(tenant) as tx:
        facts = await read_facts(tx, CostQuery(MONTH, as_of=as_of))
    return sum(fact.measures.cost_nano for fact in facts) // USD


async def counted(db: Database, tenant: TenantId) -> set[str]:
    async with db.tenant(tenant) as tx:
        periods = await list_periods(tx, NOW)
    return {period.export_name for period in periods if period.counted}


async def left_out(db: Database, tenant: TenantId) -> dict[str, tuple[str, ...]]:
    """By export that does not count, the accounts that are in no figure."""
    async with db.tenant(tenant) as tx:
        return {one.export.name: one.left_out for one in await read_uncounted(tx)}


async def test_two_exports_of_one_payer_are_one_bill(db: Database, tenant: TenantId) -> None:
    await load_bill(db, tenant, of_accounts("1", "2"), export="daily")
    await load_bill(db, tenant, of_accounts("1", "2"), export="hourly", origin="connection-2")
    assert await counted(db, tenant) == {"daily"}
    assert await billed(db, tenant) == 10
    assert await billed(db, tenant, as_of=datetime.now(UTC)) == 10


async def test_a_bill_of_several_payers_under_another_name_is_one_bill(
    db: Database, tenant: TenantId
) -> None:
    """As FOCUS files and exports of several billing accounts are: a copy is not added."""
    lines = [
        bill_line(DAY, payer_account_id=payer, usage_account_id=account)
        for payer, account in (("", "1"), ("p", "2"), ("q", "3"))
    ]
    await load_bill(db, tenant, lines, export="focus.csv")
    await load_bill(db, tenant, [*lines, replace(lines[0], unblended_nano=0)], export="copy.csv")
    assert await counted(db, tenant) == {"focus.csv"}
    assert await billed(db, tenant) == 15
    assert await left_out(db, tenant) == {"copy.csv": ()}


async def test_bills_that_name_no_account_all_count(db: Database, tenant: TenantId) -> None:
    for export in ("a.csv", "b.csv"):
        nameless = bill_line(DAY, payer_account_id="", usage_account_id="")
        await load_bill(db, tenant, [nameless], export=export)
    assert await counted(db, tenant) == {"a.csv", "b.csv"}


async def test_the_first_of_two_exports_stays_the_bill_over_restatements(
    db: Database, tenant: TenantId
) -> None:
    for usd in (1, 2, 3):
        await load_bill(db, tenant, of_accounts("1", usd=usd), export="daily")
        await load_bill(db, tenant, of_accounts("1", usd=10 + usd), export="hourly")
    assert await counted(db, tenant) == {"daily"}
    assert await billed(db, tenant) == 3


async def test_exports_of_two_loads_at_once_are_one_bill(db: Database, tenant: TenantId) -> None:
    names = ["daily", "hourly", "copy"]
    await asyncio.gather(
        *(load_bill(db, tenant, of_accounts("1", "2"), export=name) for name in names)
    )
    assert len(await counted(db, tenant)) == 1


async def test_an_export_that_fell_silent_gives_way_to_one_that_speaks(
    db: Database, tenant: TenantId
) -> None:
    old = await load_bill(db, tenant, of_accounts("1", usd=5), export="old")
    await load_bill(db, tenant, of_accounts("1", usd=6), export="renamed")
    assert (await counted(db, tenant), await billed(db, tenant)) == ({"old"}, 5)
    await make_older(db, tenant, old, LONG)
    assert await counted(db, tenant) == {"old"}, "silence alone moves nothing"
    before = datetime.now(UTC)
    await load_bill(db, tenant, of_accounts("1", usd=7), export="renamed")
    assert (await counted(db, tenant), await billed(db, tenant)) == ({"renamed"}, 7)
    assert await billed(db, tenant, as_of=before) == 5, "what was believed then"
    assert await billed(db, tenant, as_of=datetime.now(UTC)) == 7
    await load_bill(db, tenant, of_accounts("1", usd=8), export="old")
    assert (await counted(db, tenant), await billed(db, tenant)) == ({"old"}, 8), "it speaks again"
    assert await billed(db, tenant, as_of=datetime.now(UTC)) == 8


async def test_exports_of_member_accounts_that_share_a_payer_all_count(
    db: Database, tenant: TenantId
) -> None:
    await load_bill(db, tenant, of_accounts("1"), origin="connection-1")
    await load_bill(db, tenant, of_accounts("2"), origin="connection-2")
    assert await billed(db, tenant) == 10


async def test_the_export_of_more_accounts_is_the_bill(db: Database, tenant: TenantId) -> None:
    await load_bill(db, tenant, of_accounts("1"), export="member-1")
    await load_bill(db, tenant, of_accounts("2"), export="member-2")
    organisation = await load_bill(db, tenant, of_accounts("1", "2", "3"), export="organisation")
    assert (await counted(db, tenant), await billed(db, tenant)) == ({"organisation"}, 15)
    await make_older(db, tenant, organisation, LONG)
    await load_bill(db, tenant, of_accounts("1"), export="member-1")
    assert await counted(db, tenant) == {"organisation"}, "a part never replaces the whole"


async def test_other_payers_and_other_months_are_bills_of_their_own(
    db: Database, tenant: TenantId
) -> None:
    await load_bill(db, tenant, of_accounts("1"))
    await load_bill(
        db, tenant, [bill_line(DAY, payer_account_id="888800001111")], export="other payer"
    )
    await load_bill(
        db, tenant, [bill_line(date(2026, 9, 5))], export="other month", period=date(2026, 9, 1)
    )
    assert await counted(db, tenant) == {"daily", "other payer", "other month"}


async def test_a_bill_counts_again_when_the_larger_one_shrinks_and_each_time_stays_known(
    db: Database, tenant: TenantId
) -> None:
    """Account 2 is on no other bill than the part's once the whole leaves it out."""
    believed: list[tuple[datetime, int]] = []

    async def deliver(export: str, *accounts: str, usd: int) -> set[str]:
        await load_bill(db, tenant, of_accounts(*accounts, usd=usd), export=export)
        believed.append((datetime.now(UTC), await billed(db, tenant)))
        return await counted(db, tenant)

    assert await deliver("part", "1", "2", usd=1) == {"part"}
    assert await deliver("whole", "1", "2", "3", usd=10) == {"whole"}
    assert await deliver("whole", "1", "3", usd=20) == {"part"}
    assert await left_out(db, tenant) == {"whole": ("3",)}
    assert await deliver("whole", "1", "2", "3", usd=30) == {"whole"}
    assert await deliver("whole", "3", usd=40) == {"part", "whole"}
    assert [dollars for _, dollars in believed] == [2, 30, 2, 90, 42]
    for moment, dollars in believed:
        assert await billed(db, tenant, as_of=moment) == dollars


async def test_a_bill_that_shrinks_without_a_rival_for_the_rest_still_counts(
    db: Database, tenant: TenantId
) -> None:
    await load_bill(db, tenant, of_accounts("1"), export="part")
    await load_bill(db, tenant, of_accounts("1", "2"), export="whole")
    await load_bill(db, tenant, of_accounts("2"), export="whole")
    assert await counted(db, tenant) == {"part", "whole"}


async def test_of_a_chain_the_ends_count_when_the_middle_does_not(
    db: Database, tenant: TenantId
) -> None:
    await load_bill(db, tenant, of_accounts("1", "2"), export="first")
    await load_bill(db, tenant, of_accounts("2", "3"), export="middle")
    assert await left_out(db, tenant) == {"middle": ("3",)}
    await load_bill(db, tenant, of_accounts("3", "4"), export="last")
    assert await counted(db, tenant) == {"first", "last"}
    assert await left_out(db, tenant) == {"middle": ()}
    await load_bill(db, tenant, of_accounts("2", "3", "5"), export="middle")
    assert await counted(db, tenant) == {"middle"}
    assert await left_out(db, tenant) == {"first": ("1",), "last": ("4",)}


async def test_a_bill_that_names_another_payer_frees_its_former_rivals(
    db: Database, tenant: TenantId
) -> None:
    other = bill_line(DAY, payer_account_id="888800001111", usage_account_id="1")
    await load_bill(db, tenant, of_accounts("1"), export="part")
    await load_bill(db, tenant, [*of_accounts("1", "2"), other], export="whole")
    assert await counted(db, tenant) == {"whole"}
    before = datetime.now(UTC)
    await load_bill(db, tenant, [other], export="whole")
    assert await counted(db, tenant) == {"part", "whole"}
    assert await billed(db, tenant, as_of=before) == 15
    assert await billed(db, tenant, as_of=datetime.now(UTC)) == 10


async def test_a_month_stays_watched_as_long_as_the_bill_in_its_place_may_change(
    db: Database, tenant: TenantId
) -> None:
    """The origin's own bill has no invoice, and has none to wait for while it does not count."""
    counts = [replace(line, invoice_id="INV-1") for line in of_accounts("1", "2")]
    await load_bill(db, tenant, counts, origin="one")
    await load_bill(db, tenant, of_accounts("2"), origin="two", export="part")
    await load_bill(db, tenant, of_accounts("3"), origin="three", export="member")
    soon, settled = (datetime.now(UTC) + timedelta(days=days) for days in (13, 15))
    for origin, then in (
        ("one", PeriodState.FINAL),
        ("two", PeriodState.FINAL),
        ("three", PeriodState.CLOSING),
    ):
        async with db.tenant(tenant) as tx:
            assert await month_states(tx, origin, soon) == {OCTOBER: PeriodState.CLOSING}
            assert await month_states(tx, origin, settled) == {OCTOBER: then}


FINAL = {"one": "1", "two": "23", "three": "345", "four": "4567", "other": "8"}
"""Each names another number of accounts, so that time decides nothing."""


@pytest.mark.parametrize("seed", range(5))
async def test_whatever_was_delivered_before_the_last_deliveries_decide(
    db: Database, tenant: TenantId, seed: int
) -> None:
    chance = Random(seed)
    before = [(name, chance.sample("12345678", chance.randint(1, 8))) for name in FINAL]
    last = list(FINAL.items())
    chance.shuffle(last)
    for export, accounts in [*before, *last]:
        await load_bill(db, tenant, of_accounts(*accounts), export=export)
    assert await counted(db, tenant) == {"four", "two", "one", "other"}
    assert await left_out(db, tenant) == {"three": ()}
    assert await billed(db, tenant) == await billed(db, tenant, as_of=datetime.now(UTC)) == 40
