"""Why a month is due again, what its version says of that, and what a final month keeps."""

from dataclasses import replace
from datetime import date, timedelta

import asyncpg
import pytest

from tensorcost.activities.ingest.prices import PriceBooks
from tensorcost.activities.reconciliation.reconciler import Reconciler
from tensorcost.domain.cost.reconciliation.closing import Cause, PeriodState
from tensorcost.domain.cost.reconciliation.content import RULES
from tensorcost.storage.reconciliation.versions import read_older_rules, read_versions
from tests.activities.reconciliation.conftest import Bench, dollars
from tests.support.bills import OCTOBER, bill_line, load_bill
from tests.support.databases import Database
from tests.support.spend import dimension
from tests.support.spend_rows import Use, add_uses, at
from tests.support.temporal_house import utc_now

FIFTH = date(2026, 10, 5)
LINE = bill_line(FIFTH, invoice_id="INV-1")


async def upgraded(bench: Bench, database: Database, *, net: int | None = None) -> None:
    """As an upgrade leaves it that knows other rules, and perhaps sums stored bills anew."""
    superuser = await asyncpg.connect(database.superuser_url)
    await superuser.execute(
        "UPDATE ai.reconciliation SET rules = 'rules-1' WHERE tenant_id = $1", bench.tenant
    )
    if net is not None:
        await superuser.execute(
            "UPDATE ai.bill_daily SET net_nano = $2 WHERE tenant_id = $1", bench.tenant, net
        )
    await superuser.close()


def in_two_months(bench: Bench) -> Bench:
    """When an invoice that came today is settled."""
    later = utc_now() + timedelta(days=60)
    return replace(bench, reconciler=Reconciler(bench.db, PriceBooks(bench.db), lambda: later))


async def causes(bench: Bench) -> list[tuple[Cause, ...]]:
    """Of each version, the newest first."""
    async with bench.db.tenant(bench.tenant) as tx:
        return [version.causes for version in await read_versions(tx, OCTOBER)]


async def older(bench: Bench) -> list[date]:
    async with bench.db.tenant(bench.tenant) as tx:
        return await read_older_rules(tx)


async def test_a_month_of_older_rules_is_due_and_says_that_they_restate_it(
    bench: Bench, database: Database
) -> None:
    await load_bill(bench.db, bench.tenant, [LINE])
    await bench.reconcile()
    assert await bench.reconciler.due(bench.tenant) == []
    await upgraded(bench, database, net=4_000_000_000)
    assert await bench.reconciler.due(bench.tenant) == [OCTOBER]
    report = await bench.reconcile()
    assert (report.version, report.causes) == (2, (Cause.RULES,))
    (told,) = await bench.events("cost.restated")
    assert told["causes"] == ["rules"]
    assert told["billed"]["USD"]["net"] == "-1.000000000"
    (_, completed) = await bench.events("reconciliation.completed")
    assert completed["causes"] == ["rules"]
    assert await bench.reconciler.due(bench.tenant) == []


async def test_rules_that_give_the_same_are_noted_and_restate_nothing(
    bench: Bench, database: Database
) -> None:
    await load_bill(bench.db, bench.tenant, [LINE])
    await bench.reconcile()
    await upgraded(bench, database)
    report = await bench.reconcile()
    assert (report.version, report.days_changed, report.causes) == (2, 0, (Cause.RULES,))
    assert await bench.events("cost.restated") == []
    assert (await bench.reconciler.due(bench.tenant), await older(bench)) == ([], [])


@pytest.mark.parametrize("net", [None, 4_000_000_000])
async def test_a_final_month_keeps_what_older_rules_told_until_it_is_asked_for(
    bench: Bench, database: Database, net: int | None
) -> None:
    await load_bill(bench.db, bench.tenant, [LINE])
    await bench.reconcile()
    await upgraded(bench, database, net=net)
    final = in_two_months(bench)
    assert await final.reconciler.due(bench.tenant) == []
    assert await older(bench) == [OCTOBER]
    asked = await final.reconcile()
    assert (asked.state, asked.version, asked.causes) == (PeriodState.FINAL, 2, (Cause.RULES,))
    assert dollars(asked).billed == "5.000000000"
    assert await older(bench) == []
    assert (await final.reconcile()).version is None


async def test_versions_keep_what_they_saw_anew_and_by_which_rules(bench: Bench) -> None:
    await load_bill(bench.db, bench.tenant, [LINE])
    await bench.reconcile()
    await add_uses(bench.db, bench.tenant, [Use(at(FIFTH), dimension(), 1, input_tokens=1)])
    await bench.reconcile()
    await load_bill(bench.db, bench.tenant, [replace(LINE, unblended_nano=1)])
    report = await bench.reconcile()
    assert report.causes == (Cause.BILL,)
    assert await causes(bench) == [(Cause.BILL,), (Cause.USAGE,), (Cause.BILL,)]
    async with bench.db.tenant(bench.tenant) as tx:
        assert {version.rules for version in await read_versions(tx, OCTOBER)} == {RULES}


async def test_a_month_is_due_when_a_bill_counts_again_that_did_not(bench: Bench) -> None:
    """The larger bill no longer names the account: the other one's line for it is back."""
    other = replace(LINE, usage_account_id="444455556666", unblended_nano=3_000_000_000)
    await load_bill(bench.db, bench.tenant, [LINE], export="part")
    await load_bill(bench.db, bench.tenant, [LINE, other], export="whole")
    assert dollars(await bench.reconcile()).billed == "8.000000000"
    await load_bill(bench.db, bench.tenant, [other], export="whole")
    assert await bench.reconciler.due(bench.tenant) == [OCTOBER]
    report = await bench.reconcile()
    assert (report.causes, dollars(report).billed) == ((Cause.BILL,), "8.000000000")
    await load_bill(bench.db, bench.tenant, [LINE], export="whole")
    report = await bench.reconcile()
    assert dollars(report).billed == "5.000000000", "two exports that say the same are one bill"
