"""A month is reconciled from what is stored, told once, and changes only where something did."""

import asyncio
from dataclasses import replace
from datetime import date, timedelta

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from tensorcost.activities.ingest.prices import PriceBooks
from tensorcost.activities.reconciliation.activities import ReconciliationActivities
from tensorcost.activities.reconciliation.reconciler import Reconciler
from tensorcost.activities.reconciliation.tell import IdentityBroken
from tensorcost.domain.cost.contracts import ReconcileOrder
from tensorcost.domain.cost.reconciliation.closing import PeriodState
from tensorcost.domain.errors import NotFound
from tensorcost.domain.ids import TenantId
from tensorcost.domain.spend.bill import ChargeCategory
from tensorcost.storage.session import Database
from tests.activities.reconciliation.conftest import Bench, dollars
from tests.support.bills import OCTOBER, bill_line, load_bill
from tests.support.spend import MODEL, dimension
from tests.support.spend_rows import Use, add_uses, at
from tests.support.temporal_house import utc_now

FIFTH, SIXTH = date(2026, 10, 5), date(2026, 10, 6)
MILLION = 1_000_000
LINE = bill_line(FIFTH)  # five million input tokens for five dollars: the list price
TAX = bill_line(
    SIXTH,
    line_item_type="Tax",
    charge_category=ChargeCategory.TAX,
    token_kind=None,
    unblended_nano=400_000_001,
    amortized_nano=400_000_001,
)


def used(millions: int, **where: object) -> Use:
    """Input tokens of the fifth at list price, a dollar a million."""
    return Use(
        at(FIFTH),
        dimension(**where),
        millions * 1_000_000_000,
        input_tokens=millions * MILLION,
        output_tokens=0,
    )


async def test_a_month_is_split_into_what_rows_explain_and_what_they_do_not(bench: Bench) -> None:
    await add_uses(bench.db, bench.tenant, [used(2), used(1, team="search")])
    await load_bill(bench.db, bench.tenant, [LINE, TAX])
    report = await bench.reconcile()
    total = dollars(report)
    assert (report.version, report.former, report.state) == (1, 0, PeriodState.CLOSING)
    assert (report.closed_until, report.days) == (date(2026, 11, 1), 31)
    assert total.billed == "5.400000001"
    assert total.attributed == "3.000000000"
    assert total.unattributed == {"tax": "0.400000001", "unlogged": "2.000000000"}
    assert total.estimate == "3.000000000"
    assert total.gaps == {"tax": "0.400000001", "unlogged": "2.000000000"}
    assert report.restated == ()


async def test_a_version_is_told_once_with_its_events_and_its_audit_row(bench: Bench) -> None:
    await load_bill(bench.db, bench.tenant, [LINE])
    await bench.reconcile()
    again = await bench.reconcile()
    assert (again.version, again.former, again.days_changed) == (None, 1, 0)
    assert dollars(again).billed == "5.000000000"
    (told,) = await bench.events("reconciliation.completed")
    assert (told["period"], told["version"], told["days_changed"]) == ("2026-10", 1, 31)
    assert told["totals"][0]["unattributed"] == {"unlogged": "5.000000000"}
    assert await bench.events("cost.restated") == []
    refreshed = [one for one in await bench.events("cost.updated") if "export" not in one]
    assert refreshed == [{"origin": "reconciliation", "period": "2026-10"}]
    async with bench.db.tenant(bench.tenant) as tx:
        rows = await tx.all(
            "SELECT actor, resource_id FROM app.audit_entry WHERE action = :action",
            action="reconciliation.completed",
        )
    assert [tuple(row) for row in rows] == [("user:fake", "2026-10")]


async def test_a_restated_bill_makes_a_version_with_signed_deltas(bench: Bench) -> None:
    await add_uses(bench.db, bench.tenant, [used(5)])
    await load_bill(bench.db, bench.tenant, [LINE, TAX])
    await bench.reconcile()
    dearer = replace(LINE, unblended_nano=5_500_000_000)
    await load_bill(bench.db, bench.tenant, [dearer])
    report = await bench.reconcile()
    assert (report.version, report.former, report.days_changed) == (2, 1, 2)
    (told,) = await bench.events("cost.restated")
    assert (told["from_version"], told["to_version"]) == (1, 2)
    assert told["billed"]["USD"] == {
        "unblended": "0.099999999",
        "amortized": "-0.400000001",
        "net": "0.099999999",
    }
    assert [(one["model_id"], one["line_class"], one["billed"]) for one in told["largest"]] == [
        (MODEL, "usage", "0.500000000"),
        (MODEL, "tax", "-0.400000001"),
    ]


async def test_days_that_close_later_restate_nothing(db: Database, bench: Bench) -> None:
    month = utc_now().date().replace(day=1)
    first, second = (bill_line(month.replace(day=day)) for day in (3, 4))
    await load_bill(db, bench.tenant, [first], period=month)
    open_month = await bench.reconcile(month)
    assert (open_month.state, open_month.closed_until) == (PeriodState.OPEN, month.replace(day=3))
    assert open_month.totals == ()
    await load_bill(db, bench.tenant, [first, second], period=month)
    grown = await bench.reconcile(month)
    assert (grown.closed_until, grown.days_changed) == (month.replace(day=4), 1)
    assert dollars(grown).billed == "5.000000000"
    assert await bench.events("cost.restated") == []
    await load_bill(db, bench.tenant, [], period=month)
    emptied = await bench.reconcile(month)
    assert emptied.closed_until == month.replace(day=4), "what was closed stays so"
    (told,) = await bench.events("cost.restated")
    assert told["billed"]["USD"]["unblended"] == "-5.000000000"


async def test_usage_that_comes_late_makes_the_month_due_and_moves_money_to_it(
    bench: Bench,
) -> None:
    await load_bill(bench.db, bench.tenant, [LINE])
    await bench.reconcile()
    assert await bench.reconciler.due(bench.tenant) == []
    await add_uses(bench.db, bench.tenant, [used(1)])
    assert await bench.reconciler.due(bench.tenant) == [OCTOBER]
    report = await bench.reconcile()
    assert dollars(report).attributed == "1.000000000"
    (told,) = await bench.events("cost.restated")
    assert told["billed"]["USD"]["unblended"] == "0.000000000"
    assert told["largest"][0]["attributed"] == "1.000000000"
    assert await bench.reconciler.due(bench.tenant) == []


async def test_two_that_reconcile_one_month_at_once_write_one_version(bench: Bench) -> None:
    await load_bill(bench.db, bench.tenant, [LINE])
    reports = await asyncio.gather(*(bench.reconcile() for _ in range(3)))
    assert sorted(report.version or 0 for report in reports) == [0, 0, 1]


async def test_a_month_without_a_bill_is_not_reconciled(bench: Bench) -> None:
    with pytest.raises(NotFound, match="2026-10"):
        await bench.reconcile()
    with pytest.raises(ValueError, match="first day"):
        await bench.reconcile(FIFTH)


async def test_a_version_that_does_not_add_up_is_not_committed(bench: Bench) -> None:
    await load_bill(bench.db, bench.tenant, [LINE])
    await bench.reconcile()
    async with bench.db.tenant(bench.tenant) as tx:
        await tx.run(
            "INSERT INTO ai.reconciled_share (tenant_id, day, reconciliation_id, share, "
            "currency, unblended_nano, amortized_nano, net_nano) SELECT tenant_id, day, "
            "reconciliation_id, 'tax', 'USD', 1, 0, 0 FROM ai.reconciled_day WHERE day = :day",
            day=FIFTH,
        )
    await load_bill(bench.db, bench.tenant, [LINE, TAX])
    with pytest.raises(IdentityBroken, match="2026-10 USD"):
        await bench.reconcile()
    order = ReconcileOrder(tenant_id=bench.tenant, period=OCTOBER, requested_by="user:fake")
    activities = ReconciliationActivities(bench.db, bench.reconciler)
    with pytest.raises(ApplicationError, match="2026-10 USD") as caught:
        await ActivityEnvironment().run(activities.reconcile_period, order)
    assert caught.value.non_retryable, "it would not add up the next time either"
    (told,) = await bench.events("reconciliation.completed")
    assert told["version"] == 1


async def test_progress_is_told_day_by_day(db: Database, tenant: TenantId) -> None:
    await load_bill(db, tenant, [LINE])
    seen: list[tuple[int, int]] = []
    reconciler = Reconciler(db, PriceBooks(db), utc_now)
    await reconciler.reconcile(tenant, OCTOBER, "user:fake", lambda *at: seen.append(at))
    assert seen == [(day, 31) for day in range(1, 32)]


async def test_a_long_month_shows_on_its_heartbeats_how_far_it_is(bench: Bench) -> None:
    await load_bill(bench.db, bench.tenant, [LINE])
    beats: list[str] = []
    env = ActivityEnvironment()
    env.on_heartbeat = beats.append
    order = ReconcileOrder(tenant_id=bench.tenant, period=OCTOBER, requested_by="user:fake")
    often = ReconciliationActivities(bench.db, bench.reconciler, timedelta(milliseconds=1))
    report = await env.run(often.reconcile_period, order)
    assert report.version == 1
    assert beats
    assert all(beat.startswith("2026-10: day ") for beat in beats)
