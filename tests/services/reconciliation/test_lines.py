"""From a gap to the bill: what its lines are called, and the lines themselves."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from tensorcost.domain.cost.reconciliation.facts import GapClass, Money
from tensorcost.domain.errors import Forbidden, NotFound, ValidationFailed
from tensorcost.domain.ids import TenantId
from tensorcost.domain.spend.bill import BillLine, ChargeCategory
from tensorcost.services.reconciliation.asking import LedgerAsk, LinesAsk, line_key
from tensorcost.services.reconciliation.service import ReconciliationService
from tensorcost.storage.reconciliation.ledger import LedgerRow
from tensorcost.storage.session import Database
from tests.services.reconciliation.conftest import FIFTH
from tests.support.bills import bill_line, load_bill
from tests.support.principals import caller
from tests.support.reconciled import known_at, reconcile_month, write_version
from tests.support.spend import dimension
from tests.support.spend_rows import Use, add_uses, at

USD = 10**9
END = date(2026, 11, 1)
SIXTH = FIFTH + timedelta(days=1)
LEDGER = LedgerAsk(period="2026-10")


def charge(category: ChargeCategory, line_item_type: str, nano: int, **changes: Any) -> BillLine:
    return bill_line(
        FIFTH,
        charge_category=category,
        line_item_type=line_item_type,
        usage_type="",
        token_kind=None,
        unblended_nano=nano,
        amortized_nano=nano,
        **changes,
    )


def october(**changes: Any) -> list[BillLine]:
    """Every class that a bill can have, usage of two types and of a model without a name."""
    return [
        bill_line(FIFTH, usage_type="USE1-cheap", unblended_nano=USD, **changes),
        bill_line(FIFTH, usage_type="USE1-dear", unblended_nano=7 * USD, **changes),
        bill_line(SIXTH, usage_type="USE1-Marvel9-input-tokens", model_id="", **changes),
        bill_line(FIFTH, currency="EUR", usage_type="EUC1-euro", **changes),
        bill_line(FIFTH, in_scope=False, product_code="AmazonS3", usage_type="Timed", **changes),
        charge(ChargeCategory.TAX, "Tax", 2 * USD, **changes),
        charge(ChargeCategory.CREDIT, "Credit", -USD, **changes),
        charge(ChargeCategory.CREDIT, "Refund", -2 * USD, **changes),
        charge(ChargeCategory.ADJUSTMENT, "EdpDiscount", -3 * USD, **changes),
        charge(ChargeCategory.PURCHASE, "SavingsPlanRecurringFee", 4 * USD, **changes),
    ]


@pytest.fixture
async def ledger(db: Database, months: ReconciliationService, tenant: TenantId) -> list[LedgerRow]:
    await load_bill(db, tenant, october(invoice_id="INV-1"))
    await reconcile_month(db, tenant, END)
    return list(await months.ledger(caller(tenant), LEDGER, limit=100))


async def test_each_class_names_its_lines_on_the_bill(ledger: list[LedgerRow]) -> None:
    told = {
        (row.total.cell.model_id == "", gap.gap_class): gap.evidence
        for row in ledger
        for gap in row.gaps
    }
    assert told[False, GapClass.UNLOGGED]["usage_types"] == "USE1-dear,USE1-cheap"
    assert told[True, GapClass.UNLOGGED]["usage_types"] == "USE1-Marvel9-input-tokens"
    assert told[False, GapClass.OTHER_CURRENCY]["usage_types"] == "EUC1-euro"
    assert told[False, GapClass.OUT_OF_SCOPE]["product_codes"] == "AmazonS3"
    named = {
        GapClass.TAX: "Tax",
        GapClass.CREDIT: "Credit",
        GapClass.REFUND: "Refund",
        GapClass.DISCOUNT: "EdpDiscount",
        GapClass.COMMITMENT: "SavingsPlanRecurringFee",
    }
    for gap_class, line_item_type in named.items():
        assert told[False, gap_class]["line_item_types"] == line_item_type
    assert {evidence["invoice_ids"] for evidence in told.values()} == {"INV-1"}


async def test_the_lines_of_a_row_and_class_add_up_to_it(
    months: ReconciliationService, tenant: TenantId, ledger: list[LedgerRow]
) -> None:
    for row in ledger:
        account, region, model = row.total.cell
        where: dict[str, Any] = {
            "period": "2026-10",
            "start": row.day.isoformat(),
            "end": (row.day + timedelta(days=1)).isoformat(),
            "account": account,
            "region": region,
            "model_id": model,
        }
        for gap in row.gaps:
            found = await months.bill_lines(
                caller(tenant), LinesAsk(**where, gap_class=gap.gap_class), limit=100
            )
            of_row = [line for line in found if line.currency == row.total.currency]
            total = Money()
            for line in of_row:
                total = total.plus(line.money)
            assert total == gap.money, gap.gap_class
            assert len(of_row) == gap.evidence["lines"]


async def test_lines_behind_a_gap_are_those_of_the_places_that_have_it(
    db: Database, months: ReconciliationService, tenant: TenantId
) -> None:
    """Not all usage of the month: what is logged in full has no unlogged line."""
    await add_uses(
        db, tenant, [Use(at(FIFTH), dimension(), 5 * USD, input_tokens=5_000_000, output_tokens=0)]
    )
    await load_bill(db, tenant, [bill_line(FIFTH), bill_line(SIXTH)])
    await reconcile_month(db, tenant, END)

    async def days(gap_class: GapClass, **changes: Any) -> list[date]:
        ask = LinesAsk("2026-10", gap_class=gap_class, **changes)
        return [one.day for one in await months.bill_lines(caller(tenant), ask, limit=100)]

    assert await days(GapClass.UNLOGGED) == [SIXTH]
    assert await days(GapClass.PRICE_DRIFT) == []
    now = datetime.now(UTC).isoformat()
    assert await days(GapClass.UNLOGGED, as_of=now) == [SIXTH]


async def test_pages_meet_without_a_seam(
    months: ReconciliationService, tenant: TenantId, ledger: list[LedgerRow]
) -> None:
    reader, ask = caller(tenant), LinesAsk("2026-10")
    whole = await months.bill_lines(reader, ask, limit=100)
    first = await months.bill_lines(reader, ask, limit=4)
    rest = await months.bill_lines(reader, ask, limit=100, after=first[-1].key)
    assert [*first, *rest] == list(whole)
    assert len(whole) == len(october())


async def test_lines_are_those_of_the_version_asked_about(
    db: Database, months: ReconciliationService, tenant: TenantId, ledger: list[LedgerRow]
) -> None:
    """A bill that is not reconciled yet is not shown; the former one can still be asked for."""
    await load_bill(db, tenant, october(invoice_id="INV-2"))

    async def invoices(**changes: Any) -> set[str]:
        ask = LinesAsk("2026-10", **changes)
        return {one.invoice_id for one in await months.bill_lines(caller(tenant), ask, limit=100)}

    assert await invoices() == {"INV-1"}
    async with db.tenant(tenant) as tx:
        delivery: UUID = await tx.scalar("SELECT current_delivery_id FROM ai.bill_period")
    second = await write_version(
        db, tenant, {}, period=FIFTH.replace(day=1), closed_until=END, deliveries=[delivery]
    )
    then = await known_at(db, tenant, second) - timedelta(microseconds=1)
    assert await invoices() == {"INV-2"}
    assert await invoices(as_of=then.isoformat()) == {"INV-1"}
    rows = await months.ledger(caller(tenant), LEDGER, limit=100)
    assert {gap.evidence["invoice_ids"] for row in rows for gap in row.gaps} == {"INV-2"}


async def test_days_that_are_not_reconciled_have_no_lines(
    db: Database, months: ReconciliationService, tenant: TenantId
) -> None:
    await load_bill(db, tenant, [bill_line(FIFTH), bill_line(SIXTH)])
    await reconcile_month(db, tenant, SIXTH)
    found = await months.bill_lines(caller(tenant), LinesAsk("2026-10"), limit=9)
    assert [line.day for line in found] == [FIFTH]


@pytest.mark.parametrize(
    ("start", "end", "types"),
    [
        ("2026-10-01", "2026-10-02", ["late", "first"]),
        ("2026-10-02", "2026-10-05", []),
        ("2026-10-05", "2026-10-06", ["fifth"]),
        ("2026-10-05", "2026-11-01", ["fifth", "last", "early"]),
        ("2026-10-31", "2026-11-01", ["last", "early"]),
    ],
)
async def test_the_first_and_the_last_day_hold_what_is_dated_outside_the_month(
    db: Database,
    months: ReconciliationService,
    tenant: TenantId,
    start: str,
    end: str,
    types: list[str],
) -> None:
    dated = {
        "late": date(2026, 8, 31),
        "first": date(2026, 10, 1),
        "fifth": FIFTH,
        "last": date(2026, 10, 31),
        "early": END,
    }
    lines = [bill_line(day, usage_type=name) for name, day in dated.items()]
    await load_bill(db, tenant, lines)
    await reconcile_month(db, tenant, END)
    found = await months.bill_lines(caller(tenant), LinesAsk("2026-10", start, end), limit=9)
    assert [line.usage_type for line in found] == types
    rows = await months.ledger(caller(tenant), LedgerAsk(start=start, end=end), limit=9)
    named = [gap.evidence["usage_types"] for row in rows for gap in row.gaps]
    assert sorted(name for names in named for name in str(names).split(",")) == sorted(types)


async def test_lines_need_the_scope_a_reconciled_month_and_a_window_within_it(
    months: ReconciliationService, tenant: TenantId
) -> None:
    with pytest.raises(NotFound):
        await months.bill_lines(caller(tenant), LinesAsk("2026-10"), limit=9)
    with pytest.raises(Forbidden):
        await months.bill_lines(caller(tenant, scopes=frozenset()), LinesAsk("2026-10"), limit=9)
    with pytest.raises(ValidationFailed):
        await months.bill_lines(caller(tenant), LinesAsk("2026-10", end="2026-11-05"), limit=9)


@pytest.mark.parametrize("parts", [(), ("x", 1), (str(UUID(int=1)), "one"), (1, 2, 3)])
def test_a_foreign_cursor_is_refused(parts: tuple[Any, ...]) -> None:
    with pytest.raises(ValidationFailed, match="not a cursor"):
        line_key(parts, field="cursor")
