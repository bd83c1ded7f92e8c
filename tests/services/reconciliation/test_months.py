"""Months: what was billed, what became of it, and what one version changed."""

from datetime import UTC, date, datetime, timedelta

import asyncpg
import pytest

from tensorcost.domain.cost.contracts import ReconcileRequest
from tensorcost.domain.cost.query_window import midnight
from tensorcost.domain.cost.reconciliation.closing import Cause, PeriodState, period_end
from tensorcost.domain.cost.reconciliation.facts import GapClass, Money, Share
from tensorcost.domain.cost.reconciliation.months import month_name
from tensorcost.domain.errors import Forbidden, NotFound, ValidationFailed
from tensorcost.domain.identity.scopes import Scope
from tensorcost.domain.ids import TenantId
from tensorcost.services.reconciliation.asking import LedgerAsk
from tensorcost.services.reconciliation.service import ReconciliationService
from tensorcost.storage.session import Database
from tests.services.reconciliation.conftest import FIFTH, billed, october
from tests.support import databases
from tests.support.asked import Asked
from tests.support.bills import load_bill, make_older
from tests.support.clock import MovableClock
from tests.support.principals import caller
from tests.support.reconciled import PLACE, explained_day, known_at, money, write_version
from tests.support.tenants import make_tenant

SIXTH = FIFTH + timedelta(days=1)
OCTOBER, SEPTEMBER = date(2026, 10, 1), date(2026, 9, 1)
NOVA = PLACE._replace(model_id="amazon.nova-lite-v1:0")


async def test_every_use_case_asks_for_its_scope(
    months: ReconciliationService, tenant: TenantId
) -> None:
    reader = caller(tenant, [scope for scope in Scope if scope is not Scope.COST_READ])
    for call in (
        months.periods(reader, limit=1),
        months.period(reader, "2026-10"),
        months.difference(reader, "2026-10"),
        months.ledger(reader, LedgerAsk(), limit=1),
    ):
        with pytest.raises(Forbidden, match="cost:read"):
            await call
    writer = caller(tenant, [scope for scope in Scope if scope is not Scope.COST_WRITE])
    with pytest.raises(Forbidden, match="cost:write"):
        await months.reconcile(writer)


async def test_a_month_says_where_every_billed_dollar_went(
    db: Database, months: ReconciliationService, tenant: TenantId
) -> None:
    await october(db, tenant)
    (month,) = await months.periods(caller(tenant), limit=10)
    assert (month.period, month.state, month.is_pending) == (
        OCTOBER,
        PeriodState.CLOSING,
        False,
    )
    assert month.version is not None
    assert month.version.version == 1
    (total,) = month.totals
    assert total.billed == Money(7_000_000_000, 3_500_000_000, 1_750_000_000)
    assert total.attributed == money(4)
    assert total.unattributed == {Share.UNLOGGED: money(1), Share.TAX: money(2)}
    assert total.difference == Money()
    assert total.estimate_nano == 3_000_000_000
    assert list(total.gaps) == [GapClass.UNLOGGED, GapClass.PRICE_DRIFT, GapClass.TAX]
    gap = Money()
    for part in total.gaps.values():
        gap = gap.plus(part)
    assert gap == total.billed.minus(Money.same(total.estimate_nano))


async def test_the_difference_is_against_the_bill_itself(
    db: Database, months: ReconciliationService, tenant: TenantId
) -> None:
    """A reconciliation that lost a dollar would show it, and only for the days it holds."""
    bill = await load_bill(db, tenant, [billed(6), billed(9, SIXTH)])
    await write_version(db, tenant, {FIFTH: explained_day(4, 1)}, deliveries=[bill])
    (month,) = await months.periods(caller(tenant), limit=1)
    assert [total.difference for total in month.totals] == [money(1)]


async def test_a_month_is_pending_until_its_newest_bill_is_reconciled(
    db: Database, months: ReconciliationService, tenant: TenantId
) -> None:
    bill = await load_bill(db, tenant, [billed(5)])
    (before,) = await months.periods(caller(tenant), limit=1)
    assert (before.version, before.is_pending, before.totals) == (None, True, ())
    await write_version(db, tenant, {FIFTH: explained_day(4, 1)}, deliveries=[bill])
    await load_bill(db, tenant, [billed(6)])
    (after,) = await months.periods(caller(tenant), limit=1)
    assert after.is_pending
    assert [total.billed for total in after.totals] == [money(5)]


async def test_months_come_newest_first_in_pages(
    db: Database, months: ReconciliationService, tenant: TenantId
) -> None:
    await october(db, tenant)
    await load_bill(db, tenant, [billed(5, SEPTEMBER)], period=SEPTEMBER)
    first = await months.periods(caller(tenant), limit=1)
    then = await months.periods(caller(tenant), limit=1, before=first[-1].period)
    last = await months.periods(caller(tenant), limit=1, before=then[-1].period)
    assert [[m.period for m in page] for page in (first, then, last)] == [
        [OCTOBER],
        [SEPTEMBER],
        [],
    ]


async def test_a_month_shows_its_versions_and_every_export_of_it(
    db: Database, months: ReconciliationService, tenant: TenantId
) -> None:
    await october(db, tenant)
    await write_version(db, tenant, {FIFTH: explained_day(5, 0, 3, tax=2)})
    await load_bill(db, tenant, [billed(5)], export="hourly")
    found = await months.period(caller(tenant), "2026-10")
    assert [version.version for version in found.versions] == [2, 1]
    assert sorted((bill.export_name, bill.counted) for bill in found.bills) == [
        ("daily", True),
        ("hourly", False),
    ]
    for period in ("2026-09", "2026-11"):
        with pytest.raises(NotFound):
            await months.period(caller(tenant), period)
    with pytest.raises(ValidationFailed, match="not a month"):
        await months.period(caller(tenant), "October")


async def test_as_of_answers_with_the_version_of_that_moment(
    db: Database, months: ReconciliationService, tenant: TenantId
) -> None:
    first = await october(db, tenant)
    moment = await known_at(db, tenant, first)
    await write_version(
        db, tenant, {FIFTH: explained_day(5, 0, 3, tax=2)}, deliveries=first.deliveries
    )
    reader = caller(tenant)
    (now,) = await months.periods(reader, limit=1)
    (then,) = await months.periods(reader, limit=1, as_of=moment)
    assert [m.totals[0].attributed for m in (then, now)] == [money(4), money(5)]
    assert [m.totals[0].difference for m in (then, now)] == [Money(), Money()]
    detail = await months.period(reader, "2026-10", as_of=moment)
    assert ([v.version for v in detail.versions], detail.bills) == ([1], ())
    before = moment - timedelta(microseconds=1)
    assert await months.periods(reader, limit=1, as_of=before) == []


async def states(
    months: ReconciliationService, tenant: TenantId, *moments: datetime | None
) -> list[PeriodState]:
    """Of the tenant's one month, as of each moment."""
    return [
        (await months.periods(caller(tenant), limit=1, as_of=moment))[0].state for moment in moments
    ]


async def test_as_of_answers_with_the_state_of_that_moment(
    db: Database, months: ReconciliationService, tenant: TenantId, clock: MovableClock
) -> None:
    period = datetime.now(UTC).date().replace(day=1)
    invoiced = [billed(5, period, invoice_id="I-1")]
    bill = await load_bill(db, tenant, invoiced, period=period)
    version = await write_version(db, tenant, {period: explained_day(4, 1)}, deliveries=[bill])
    first = await known_at(db, tenant, version)
    over = midnight(period_end(period))
    settled = max(over, first + timedelta(days=14))
    clock.now = settled + timedelta(days=30)
    assert await states(months, tenant, first, over - timedelta(seconds=1), settled, None) == [
        PeriodState.OPEN,
        PeriodState.OPEN,
        PeriodState.FINAL,
        PeriodState.FINAL,
    ]
    detail = await months.period(caller(tenant), month_name(period), first)
    assert detail.month.state is PeriodState.OPEN


async def test_an_invoice_that_came_later_did_not_settle_the_month_before_it_came(
    db: Database, months: ReconciliationService, tenant: TenantId, clock: MovableClock
) -> None:
    bill = await load_bill(db, tenant, [billed(5)])
    await make_older(db, tenant, bill, timedelta(days=15))
    version = await write_version(db, tenant, {FIFTH: explained_day(4, 1)}, deliveries=[bill])
    moment = await known_at(db, tenant, version)
    await load_bill(db, tenant, [billed(5, invoice_id="I-1")])
    clock.move(days=20)
    reader = caller(tenant)
    (then,) = await months.periods(reader, limit=1, as_of=moment)
    (now,) = await months.periods(reader, limit=1)
    assert (then.state, then.is_pending) == (PeriodState.CLOSING, False)
    assert (now.state, now.is_pending) == (PeriodState.FINAL, True)


async def test_a_month_was_final_with_the_invoice_of_that_time_though_it_has_another_one_now(
    db: Database, months: ReconciliationService, tenant: TenantId
) -> None:
    former = await load_bill(db, tenant, [billed(5, invoice_id="I-1")])
    await make_older(db, tenant, former, timedelta(days=15))
    repeated = await load_bill(db, tenant, [billed(5, invoice_id="I-1")])
    version = await write_version(db, tenant, {FIFTH: explained_day()}, deliveries=[repeated])
    moment = await known_at(db, tenant, version)
    await load_bill(db, tenant, [billed(6, invoice_id="I-2")])
    assert await states(months, tenant, moment, None) == [PeriodState.FINAL, PeriodState.CLOSING]


async def test_a_difference_has_signed_deltas_the_largest_first(
    db: Database, months: ReconciliationService, tenant: TenantId
) -> None:
    await write_version(db, tenant, {FIFTH: explained_day(4, 1)}, causes=[Cause.BILL])
    await write_version(
        db,
        tenant,
        {FIFTH: explained_day(3, 1), SIXTH: explained_day(9, 0, 9, cell=NOVA)},
        causes=[Cause.RULES],
    )
    found = await months.difference(caller(tenant), "2026-10")
    assert found.causes == (Cause.RULES,)
    assert (found.former, found.latter, found.rest_count) == (1, 2, 0)
    assert [(one.model_id, one.billed) for one in found.deltas] == [
        (NOVA.model_id, money(9)),
        (PLACE.model_id, money(-1)),
    ]
    assert [(one.currency, one.billed) for one in found.totals] == [("USD", money(8))]
    back = await months.difference(caller(tenant), "2026-10", former=2, latter=0, limit=1)
    assert [(one.model_id, one.billed) for one in back.deltas] == [(NOVA.model_id, money(-9))]
    assert (back.rest_count, back.totals[0].billed) == (1, money(-13))
    assert back.causes == (Cause.BILL, Cause.RULES)


async def test_a_month_says_that_older_rules_made_it_now_and_then(
    db: Database, months: ReconciliationService, tenant: TenantId, database: databases.Database
) -> None:
    version = await october(db, tenant)
    superuser = await asyncpg.connect(database.superuser_url)
    await superuser.execute("UPDATE ai.reconciliation SET rules = '' WHERE tenant_id = $1", tenant)
    await superuser.close()
    moment = await known_at(db, tenant, version)
    await write_version(db, tenant, {FIFTH: explained_day()}, deliveries=version.deliveries)
    for as_of, is_older in ((moment, True), (None, False)):
        (month,) = await months.periods(caller(tenant), limit=1, as_of=as_of)
        assert month.has_older_rules is is_older


@pytest.mark.parametrize(
    ("period", "former", "latter", "error"),
    [
        ("2026-10", 3, None, NotFound),
        ("2026-10", None, 3, NotFound),
        ("2026-10", -1, 1, ValidationFailed),
        ("2026-09", None, None, NotFound),
    ],
)
async def test_a_version_that_there_is_not_is_refused(
    db: Database,
    months: ReconciliationService,
    tenant: TenantId,
    period: str,
    former: int | None,
    latter: int | None,
    error: type[Exception],
) -> None:
    await october(db, tenant)
    with pytest.raises(error):
        await months.difference(caller(tenant), period, former=former, latter=latter)


async def test_asking_for_a_run_is_audited_and_reaches_the_process(
    db: Database, months: ReconciliationService, tenant: TenantId, asked: Asked
) -> None:
    await load_bill(db, tenant, [billed(5)])
    run = await months.reconcile(caller(tenant))
    await months.reconcile(caller(tenant), "2026-10")
    assert run.workflow_id == f"tenant/{tenant}/reconcile"
    assert asked.requests == [
        ReconcileRequest(tenant_id=tenant, requested_by="user:user-1", period=month)
        for month in (None, OCTOBER)
    ]
    async with db.tenant(tenant) as tx:
        rows = await tx.all(
            "SELECT actor, resource_id FROM app.audit_entry "
            "WHERE action = 'reconciliation.requested' ORDER BY resource_id"
        )
    assert [tuple(row) for row in rows] == [("user:user-1", ""), ("user:user-1", "2026-10")]


async def test_a_month_without_a_bill_cannot_be_reconciled(
    months: ReconciliationService, tenant: TenantId, asked: Asked
) -> None:
    with pytest.raises(NotFound, match="billing month 2026-10"):
        await months.reconcile(caller(tenant), "2026-10")
    assert asked.requests == []


async def test_a_neighbour_sees_nothing(
    db: Database,
    months: ReconciliationService,
    tenant: TenantId,
    database: databases.Database,
) -> None:
    await october(db, tenant)
    stranger = caller(await make_tenant(database))
    assert await months.periods(stranger, limit=5) == []
    assert await months.ledger(stranger, LedgerAsk(period="2026-10"), limit=5) == ()
    with pytest.raises(NotFound):
        await months.period(stranger, "2026-10")
