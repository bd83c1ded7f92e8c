"""Which billing months are due, and what the closing rules learn of their bills."""

from datetime import UTC, date, datetime, timedelta

import asyncpg
import pytest

from tensorcost.domain.cost.reconciliation.closing import Cause
from tensorcost.domain.ids import TenantId
from tensorcost.domain.spend.bill import ChargeCategory
from tensorcost.storage.reconciliation import due as due_periods
from tensorcost.storage.reconciliation.due import (
    PeriodDue,
    read_delivery_facts,
    read_periods_due,
)
from tensorcost.storage.reconciliation.results import close_version, open_version
from tensorcost.storage.session import Database
from tensorcost.storage.spend.batches import Origin, open_batch
from tests.support import databases
from tests.support.bills import OCTOBER, bill_line, load_bill, make_older
from tests.support.reconciled import explained_day, write_version
from tests.support.spend import dimension
from tests.support.spend_rows import Use, add_uses, at

FIFTH = date(2026, 10, 5)
SEPTEMBER = date(2026, 9, 1)
CLOSED = date(2026, 10, 6)
NOW = datetime(2026, 10, 20, tzinfo=UTC)


async def due(db: Database, tenant: TenantId, now: datetime = NOW) -> list[PeriodDue]:
    async with db.tenant(tenant) as tx:
        return await read_periods_due(tx, now)


async def test_a_bill_without_a_reconciliation_is_due(db: Database, tenant: TenantId) -> None:
    october = await load_bill(db, tenant, [bill_line(FIFTH)])
    september = await load_bill(db, tenant, [bill_line(SEPTEMBER)], period=SEPTEMBER)
    assert await due(db, tenant) == [
        PeriodDue(SEPTEMBER, (september,), True, False, False, 0, None),
        PeriodDue(OCTOBER, (october,), True, False, False, 0, None),
    ]


async def test_usage_without_a_bill_is_not_due(db: Database, tenant: TenantId) -> None:
    await add_uses(db, tenant, [Use(at(FIFTH), dimension())])
    assert await due(db, tenant) == []


async def test_a_month_is_due_again_when_its_bill_is_restated(
    db: Database, tenant: TenantId
) -> None:
    first = await load_bill(db, tenant, [bill_line(FIFTH)])
    await write_version(db, tenant, {FIFTH: explained_day()}, deliveries=[first])
    assert await due(db, tenant) == []
    second = await load_bill(db, tenant, [bill_line(FIFTH, unblended_nano=7)])
    assert await due(db, tenant) == [PeriodDue(OCTOBER, (second,), True, False, False, 1, CLOSED)]


async def test_an_export_that_does_not_count_makes_nothing_due(
    db: Database, tenant: TenantId
) -> None:
    first = await load_bill(db, tenant, [bill_line(FIFTH)])
    await write_version(db, tenant, {FIFTH: explained_day()}, deliveries=[first])
    await load_bill(db, tenant, [bill_line(FIFTH)], export="hourly")
    assert await due(db, tenant) == []
    await make_older(db, tenant, first, timedelta(days=4))
    hourly = await load_bill(db, tenant, [bill_line(FIFTH)], export="hourly")
    (only,) = await due(db, tenant)
    assert only.deliveries == (hourly,)


@pytest.mark.parametrize(("day", "is_due"), [(FIFTH, True), (CLOSED, False), (SEPTEMBER, False)])
async def test_later_usage_of_a_reconciled_day_makes_its_month_due(
    db: Database, tenant: TenantId, day: date, is_due: bool
) -> None:
    bill = await load_bill(db, tenant, [bill_line(FIFTH)])
    await add_uses(db, tenant, [Use(at(FIFTH), dimension())])
    await write_version(db, tenant, {FIFTH: explained_day()}, deliveries=[bill])
    assert await due(db, tenant) == []
    await add_uses(db, tenant, [Use(at(day), dimension())])
    wanted = [PeriodDue(OCTOBER, (bill,), False, True, False, 1, CLOSED)]
    assert await due(db, tenant) == (wanted if is_due else [])
    if is_due:
        await write_version(db, tenant, {FIFTH: explained_day()}, deliveries=[bill])
        assert await due(db, tenant) == []


async def test_usage_that_was_committed_while_its_month_was_reconciled_is_not_lost(
    db: Database, tenant: TenantId
) -> None:
    """Its batch is known before the reconciliation is, which yet cannot have seen it."""
    bill = await load_bill(db, tenant, [bill_line(FIFTH)])
    await add_uses(db, tenant, [Use(at(FIFTH), dimension())])
    async with db.tenant(tenant) as loading:
        batch = await open_batch(loading, Origin("test"))
        await loading.run(
            "INSERT INTO ai.spend_delta (tenant_id, batch_id, day, dim_id, actor_id, grain) "
            "VALUES (:tenant, :batch, :day, 1, 0, 1)",
            tenant=tenant,
            batch=batch,
            day=FIFTH,
        )
        await write_version(db, tenant, {FIFTH: explained_day()}, deliveries=[bill])
        assert await due(db, tenant) == []
    assert [one.late_usage for one in await due(db, tenant)] == [True]


async def test_usage_that_comes_between_opening_and_closing_makes_the_month_due(
    db: Database, tenant: TenantId
) -> None:
    bill = await load_bill(db, tenant, [bill_line(FIFTH)])
    async with db.tenant(tenant) as tx:
        version = await open_version(tx, OCTOBER, CLOSED, [bill], "test")
        await add_uses(db, tenant, [Use(at(FIFTH), dimension())])
        await close_version(tx, version, days=5)
    assert [one.late_usage for one in await due(db, tenant)] == [True]


async def test_old_batches_do_not_make_a_month_due(db: Database, tenant: TenantId) -> None:
    bill = await load_bill(db, tenant, [bill_line(FIFTH)])
    await write_version(db, tenant, {FIFTH: explained_day()}, deliveries=[bill])
    long_ago = datetime.now(UTC) - timedelta(hours=2)
    await add_uses(db, tenant, [Use(at(FIFTH), dimension())], known_at=long_ago)
    assert await due(db, tenant) == []


@pytest.mark.parametrize(("invoices", "is_due"), [((), True), (("1",), False), (("1", ""), True)])
async def test_other_rules_make_a_month_due_unless_it_is_final(
    db: Database,
    tenant: TenantId,
    monkeypatch: pytest.MonkeyPatch,
    invoices: tuple[str, ...],
    is_due: bool,
) -> None:
    """It is final once the bills of all payers have their invoice long enough."""
    bills = [
        await load_bill(
            db,
            tenant,
            [bill_line(FIFTH, invoice_id=invoice, payer_account_id=str(n))],
            export=f"export-{n}",
        )
        for n, invoice in enumerate(invoices or [""])
    ]
    await write_version(db, tenant, {FIFTH: explained_day()}, deliveries=bills)
    late = datetime.now(UTC) + timedelta(days=60)
    assert await due(db, tenant, late) == []
    monkeypatch.setattr(due_periods, "RULES", "others")
    wanted = [PeriodDue(OCTOBER, tuple(sorted(bills)), False, False, True, 1, CLOSED)]
    assert await due(db, tenant, late) == (wanted if is_due else [])
    assert await due(db, tenant) == wanted, "it was open then"
    await load_bill(
        db, tenant, [bill_line(FIFTH, invoice_id="1", payer_account_id="0")], export="export-0"
    )
    (restated,) = await due(db, tenant, late)
    assert restated.causes == (Cause.BILL, Cause.RULES)


async def test_a_version_of_before_rules_were_kept_is_of_older_ones(
    db: Database, tenant: TenantId, database: databases.Database
) -> None:
    bill = await load_bill(db, tenant, [bill_line(FIFTH)])
    await write_version(db, tenant, {FIFTH: explained_day()}, deliveries=[bill])
    assert await due(db, tenant) == []
    superuser = await asyncpg.connect(database.superuser_url)
    await superuser.execute("UPDATE ai.reconciliation SET rules = '' WHERE tenant_id = $1", tenant)
    await superuser.close()
    assert [one.causes for one in await due(db, tenant)] == [(Cause.RULES,)]


async def test_the_closing_rules_learn_about_every_counted_export(
    db: Database, tenant: TenantId
) -> None:
    lines = [
        bill_line(FIFTH, invoice_id="INV-1"),
        bill_line(date(2026, 10, 9), in_scope=False),
        bill_line(date(2026, 10, 31), charge_category=ChargeCategory.TAX),
    ]
    invoiced = await load_bill(db, tenant, lines)
    await load_bill(db, tenant, lines, export="hourly")
    other = await load_bill(
        db,
        tenant,
        [bill_line(FIFTH, payer_account_id="2", charge_category=ChargeCategory.TAX)],
        export="other payer",
    )
    async with db.tenant(tenant) as tx:
        facts = {one.delivery_id: one for one in await read_delivery_facts(tx, OCTOBER)}
        assert await read_delivery_facts(tx, SEPTEMBER) == []
    assert set(facts) == {invoiced, other}
    assert facts[invoiced].invoice_id == "INV-1"
    assert facts[invoiced].invoice_since is not None
    assert facts[invoiced].last_usage_day == date(2026, 10, 9)
    assert (facts[other].export_name, facts[other].invoice_id) == ("other payer", "")
    assert facts[other].last_usage_day is None
