"""An account that two payers bill is a finding on each connection that reads one of the bills."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from uuid import UUID

import pytest

from tensorcost.domain.integration.contracts_connection import Connection
from tensorcost.domain.integration.contracts_findings import Finding, Severity
from tensorcost.domain.integration.states import FindingState
from tensorcost.domain.spend.bill import BillLine, ChargeCategory
from tensorcost.storage.findings import list_findings
from tests.activities.reconciliation.conftest import Bench
from tests.support.bills import OCTOBER, PAYER, bill_line, load_bill
from tests.support.connections import make_connection

OTHER = "888800002222"
SEPTEMBER = date(2026, 9, 1)
USD = 1_000_000_000


def day(number: int, month: date = OCTOBER) -> date:
    return month.replace(day=number)


@pytest.fixture
async def old(bench: Bench) -> Connection:
    return await make_connection(bench.db, bench.tenant, name="Old organisation", account_id=PAYER)


@pytest.fixture
async def new(bench: Bench) -> Connection:
    return await make_connection(bench.db, bench.tenant, name="New organisation", account_id=OTHER)


async def bill(
    bench: Bench, connection: Connection, lines: Sequence[BillLine], period: date = OCTOBER
) -> None:
    await load_bill(
        bench.db,
        bench.tenant,
        lines,
        export=connection.name,
        period=period,
        connection_id=connection.connection_id,
    )


async def findings(
    bench: Bench, state: FindingState = FindingState.OPEN
) -> dict[tuple[UUID, str], Finding]:
    async with bench.db.tenant(bench.tenant) as tx:
        found = await list_findings(tx, limit=100, state=state)
    return {(one.connection_id, one.subject): one for one in found}


async def test_an_account_that_moved_is_told_on_both_connections(
    bench: Bench, old: Connection, new: Connection
) -> None:
    fee = bill_line(day(1), charge_category=ChargeCategory.TAX, unblended_nano=USD)
    await bill(bench, old, [bill_line(day(5)), bill_line(day(6))])
    moved = [fee, bill_line(day(6), unblended_nano=USD), bill_line(day(9))]
    await bill(bench, new, [of_other(line) for line in moved])
    assert (await bench.reconcile()).shared_accounts == ("111122223333",)
    found = await findings(bench)
    subject = "111122223333/2026-10"
    assert set(found) == {(old.connection_id, subject), (new.connection_id, subject)}
    (told,) = {one.code: one for one in found.values()}.values()
    assert (told.code, told.severity) == ("ACCOUNT_MOVED", Severity.INFO)
    assert told.evidence == {
        "account": "111122223333",
        "period": "2026-10",
        "payers": f"{PAYER}, {OTHER}",
        "days_of_several_payers": "1",
        f"billed_by_{PAYER}": "10.000000000 USD for usage from 2026-10-05 to 2026-10-06 "
        "(export Old organisation)",
        f"billed_by_{OTHER}": "7.000000000 USD for usage from 2026-10-06 to 2026-10-09 "
        "(export New organisation)",
    }
    assert "moved from one organisation to another" in told.remedy


async def test_days_on_two_bills_are_a_warning_that_closes_with_the_next_sound_bill(
    bench: Bench, old: Connection, new: Connection
) -> None:
    lines = [bill_line(day(number)) for number in (5, 6, 7)]
    await bill(bench, old, lines)
    await bill(bench, new, [of_other(line) for line in lines[1:]])
    await bench.reconcile()
    first = await findings(bench)
    assert {one.code for one in first.values()} == {"ACCOUNT_BILLED_TWICE"}
    (told, *_) = first.values()
    assert told.severity is Severity.WARNING
    assert told.evidence["days_of_several_payers"] == "2"
    assert (told.evidence["first_day"], told.evidence["last_day"]) == ("2026-10-06", "2026-10-07")

    await bench.reconcile()
    again = await findings(bench)
    assert {one.finding_id for one in again.values()} == {o.finding_id for o in first.values()}
    assert min(o.last_seen_at for o in again.values()) > told.last_seen_at

    await bill(bench, new, [of_other(bill_line(day(8), usage_account_id="444455556666"))])
    assert (await bench.reconcile()).shared_accounts == ()
    assert await findings(bench) == {}
    assert set(await findings(bench, FindingState.RESOLVED)) == set(first)


async def test_each_month_has_a_finding_of_its_own(
    bench: Bench, old: Connection, new: Connection
) -> None:
    for month in (SEPTEMBER, OCTOBER):
        await bill(bench, old, [bill_line(day(5, month))], month)
        await bill(bench, new, [of_other(bill_line(day(9, month)))], month)
        await bench.reconcile(month)
    assert {subject for _, subject in await findings(bench)} == {
        "111122223333/2026-09",
        "111122223333/2026-10",
    }
    await bill(bench, new, [of_other(bill_line(day(9), usage_account_id="4"))])
    await bench.reconcile()
    assert {subject for _, subject in await findings(bench)} == {"111122223333/2026-09"}


async def test_of_a_bill_that_was_imported_the_connection_beside_it_tells(
    bench: Bench, old: Connection
) -> None:
    await bill(bench, old, [bill_line(day(5))])
    imported = of_other(bill_line(day(9)))
    await load_bill(bench.db, bench.tenant, [imported], export="focus", origin="import")
    await bench.reconcile()
    ((connection_id, _),) = await findings(bench)
    assert connection_id == old.connection_id


def of_other(line: BillLine) -> BillLine:
    return replace(line, payer_account_id=OTHER)
