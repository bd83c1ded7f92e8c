"""Bills by day and token kind, and which of a payer's exports counts."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta

import pytest

from tensorcost.domain.cost.query import CostQuery
from tensorcost.domain.cost.query_window import Window
from tensorcost.domain.cost.reconciliation.closing import PeriodState
from tensorcost.domain.cost.reconciliation.facts import Money
from tensorcost.domain.ids import TenantId
from tensorcost.domain.spend.bill import BillLine, ChargeCategory, TokenKind
from tensorcost.domain.spend.facts import Source
from tensorcost.storage.cost_queries.facts import read_facts
from tensorcost.storage.cost_queries.freshness import read_seen
from tensorcost.storage.session import Database
from tensorcost.storage.spend.bill_periods import BilledPeriod, list_periods
from tests.support import databases
from tests.support.bills import OCTOBER, PAYER, bill_line, load_bill, make_older
from tests.support.tenants import app_database, make_tenant

DAY = date(2026, 10, 5)
MONTH = Window.of_days(OCTOBER, date(2026, 11, 1))
NOW = datetime(2026, 10, 20, tzinfo=UTC)
USD = 1_000_000_000
LONG = timedelta(days=4)


@pytest.fixture(scope="module")
async def db(database: databases.Database) -> AsyncIterator[Database]:
    async with app_database(database) as opened:
        yield opened


@pytest.fixture
async def tenant(database: databases.Database) -> TenantId:
    return await make_tenant(database)


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
    return {period.export_name for period in await periods(db, tenant) if period.counted}


async def periods(db: Database, tenant: TenantId) -> list[BilledPeriod]:
    async with db.tenant(tenant) as tx:
        return await list_periods(tx, NOW)


async def test_a_day_is_summed_by_token_kind_unit_and_item_type(
    db: Database, tenant: TenantId
) -> None:
    lines = [
        bill_line(DAY),
        bill_line(DAY, quantity_micro=1, unblended_nano=1, amortized_nano=2, net_nano=3),
        bill_line(DAY, token_kind=TokenKind.OUTPUT),
        bill_line(DAY, token_kind=None, unit="images", quantity_micro=7),
        bill_line(DAY, line_item_type="SavingsPlanCoveredUsage"),
    ]
    await load_bill(db, tenant, lines)
    async with db.tenant(tenant) as tx:
        rows = await tx.all(
            "SELECT token_kind, unit, line_item_type, lines, quantity_micro, unblended_nano, "
            "amortized_nano, net_nano FROM ai.bill_daily ORDER BY 1, 2, 3"
        )
    whole = (5_000_000_000_000, 5 * USD, 5 * USD, 5 * USD)
    assert [tuple(row) for row in rows] == [
        ("", "images", "Usage", 1, 7, 5 * USD, 5 * USD, 5 * USD),
        ("input", "tokens", "SavingsPlanCoveredUsage", 1, *whole),
        ("input", "tokens", "Usage", 2, 5_000_000_000_001, 5 * USD + 1, 5 * USD + 2, 5 * USD + 3),
        ("output", "tokens", "Usage", 1, *whole),
    ]


@pytest.mark.parametrize(
    ("dated", "stands_on"),
    [
        (date(2026, 9, 12), OCTOBER),
        (OCTOBER, OCTOBER),
        (date(2026, 10, 31), date(2026, 10, 31)),
        (date(2026, 11, 2), date(2026, 10, 31)),
    ],
)
async def test_a_line_belongs_to_the_month_that_bills_it(
    db: Database, tenant: TenantId, dated: date, stands_on: date
) -> None:
    refund = bill_line(
        dated, line_item_type="Refund", charge_category=ChargeCategory.CREDIT, unblended_nano=-USD
    )
    await load_bill(db, tenant, [refund])
    async with db.tenant(tenant) as tx:
        assert await tx.scalar("SELECT day FROM ai.bill_daily") == stands_on


async def test_two_exports_of_one_payer_are_one_bill(db: Database, tenant: TenantId) -> None:
    await load_bill(db, tenant, of_accounts("1", "2"), export="daily")
    await load_bill(db, tenant, of_accounts("1", "2"), export="hourly", origin="connection-2")
    assert await counted(db, tenant) == {"daily"}
    assert await billed(db, tenant) == 10
    assert await billed(db, tenant, as_of=datetime.now(UTC)) == 10


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
    assert (await counted(db, tenant), await billed(db, tenant)) == ({"renamed"}, 7)
    assert await billed(db, tenant, as_of=datetime.now(UTC)) == 7


async def test_freshness_looks_at_the_bill_that_counts(db: Database, tenant: TenantId) -> None:
    await load_bill(db, tenant, [bill_line(DAY)], export="daily")
    await load_bill(db, tenant, [bill_line(DAY + timedelta(days=9))], export="hourly")
    async with db.tenant(tenant) as tx:
        seen = await read_seen(tx, OCTOBER)
    assert [(one.source, one.last_day) for one in seen] == [(Source.BEDROCK, DAY)]


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


@pytest.mark.parametrize("payers", [("", ""), (PAYER, "888800001111")])
async def test_deliveries_that_name_several_payers_or_none_count_as_they_are(
    db: Database, tenant: TenantId, payers: tuple[str, str]
) -> None:
    lines = [bill_line(DAY, payer_account_id=payer, region=f"r-{payer}") for payer in payers]
    await load_bill(db, tenant, lines, export="first")
    await load_bill(db, tenant, lines, export="second")
    assert await billed(db, tenant) == 20
    assert {period.payer_account_id for period in await periods(db, tenant)} == {""}


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


async def test_periods_are_listed_with_state_totals_and_invoice(
    db: Database, tenant: TenantId
) -> None:
    september = date(2026, 9, 1)
    await load_bill(
        db,
        tenant,
        [
            bill_line(september, invoice_id="INV-9", amortized_nano=3 * USD, net_nano=2 * USD),
            bill_line(september, charge_category=ChargeCategory.TAX, unblended_nano=USD),
            bill_line(september, currency="EUR", in_scope=False),
        ],
        period=september,
    )
    await load_bill(db, tenant, [bill_line(DAY)])
    await load_bill(db, tenant, [bill_line(DAY)], export="hourly")
    october, hourly, before = await periods(db, tenant)
    assert [(p.period, p.export_name, p.state, p.counted) for p in (october, hourly, before)] == [
        (OCTOBER, "daily", PeriodState.OPEN, True),
        (OCTOBER, "hourly", PeriodState.OPEN, False),
        (september, "daily", PeriodState.CLOSING, True),
    ]
    assert before.totals == {
        "USD": Money(6 * USD, 8 * USD, 3 * USD),
        "EUR": Money(5 * USD, 5 * USD, 5 * USD),
    }
    assert (before.invoice_id, before.lines, before.payer_account_id) == ("INV-9", 3, PAYER)
    assert before.invoice_since is not None
    assert october.invoice_since is None


async def test_a_bill_without_lines_is_listed_without_totals(
    db: Database, tenant: TenantId
) -> None:
    await load_bill(db, tenant, [])
    (empty,) = await periods(db, tenant)
    assert (empty.totals, empty.counted, empty.payer_account_id) == ({}, True, "")
