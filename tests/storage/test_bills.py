"""Bills by day and token kind, their months and their totals."""

from datetime import UTC, date, datetime, timedelta

import pytest

from tensorcost.domain.cost.reconciliation.closing import PeriodState
from tensorcost.domain.cost.reconciliation.facts import Money
from tensorcost.domain.ids import TenantId
from tensorcost.domain.spend.bill import ChargeCategory, TokenKind
from tensorcost.domain.spend.facts import Source
from tensorcost.storage.cost_queries.freshness import read_seen
from tensorcost.storage.session import Database
from tensorcost.storage.spend.bill_periods import BilledPeriod, list_periods
from tests.support.bills import OCTOBER, PAYER, bill_line, load_bill

DAY = date(2026, 10, 5)
NOW = datetime(2026, 10, 20, tzinfo=UTC)
USD = 1_000_000_000


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


async def test_freshness_looks_at_the_bill_that_counts(db: Database, tenant: TenantId) -> None:
    await load_bill(db, tenant, [bill_line(DAY)], export="daily")
    await load_bill(db, tenant, [bill_line(DAY + timedelta(days=9))], export="hourly")
    async with db.tenant(tenant) as tx:
        seen = await read_seen(tx, OCTOBER)
    assert [(one.source, one.last_day) for one in seen] == [(Source.BEDROCK, DAY)]


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
