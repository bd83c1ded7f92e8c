"""Usage that no bill speaks for keeps its estimate: nothing that was used ever costs 0 because an
account came, went, or is billed later than the rest."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from tensorcost.domain.cost.query import CostQuery, GroupBy
from tensorcost.domain.cost.query_window import Window
from tensorcost.domain.cost.summary import tabulate
from tensorcost.domain.spend.bill import BillLine
from tensorcost.storage.cost_queries.facts import read_facts
from tests.activities.reconciliation.conftest import Bench
from tests.support.bills import OCTOBER, bill_line, load_bill, make_older
from tests.support.spend import dimension
from tests.support.spend_rows import Use, add_uses, at

USD = 10**9
STAYS, MOVES = "111122223333", "444455556666"
NOVEMBER = date(2026, 11, 1)


def uses(days: range, month: date = OCTOBER, accounts: Sequence[str] = (STAYS, MOVES)) -> list[Use]:
    """Calls of 5 USD by list price each day."""
    return [
        Use(
            at(month.replace(day=day)),
            dimension(usage_account_id=account),
            5 * USD,
            input_tokens=5_000_000,
            output_tokens=0,
        )
        for day in days
        for account in accounts
    ]


def lines(days: range, month: date = OCTOBER, **changes: object) -> list[BillLine]:
    """The same as the bill has it."""
    return [bill_line(month.replace(day=day), **changes) for day in days]


async def cost(bench: Bench, first: date, end: date) -> dict[str, int]:
    """USD by account."""
    query = CostQuery(Window.of_days(first, end), (GroupBy.ACCOUNT,))
    async with bench.db.tenant(bench.tenant) as tx:
        rows = tabulate(await read_facts(tx, query)).rows
    return {str(row.key[0]): row.sums.total.cost_nano // USD for row in rows}


async def test_an_account_that_joins_the_bill_in_mid_month_costs_its_estimate_before(
    bench: Bench,
) -> None:
    await add_uses(bench.db, bench.tenant, uses(range(1, 29)))
    await load_bill(
        bench.db,
        bench.tenant,
        [*lines(range(1, 29)), *lines(range(15, 29), usage_account_id=MOVES)],
    )
    await bench.reconcile()
    middle = OCTOBER.replace(day=15)
    assert await cost(bench, OCTOBER, middle) == {STAYS: 70, MOVES: 70}
    assert await cost(bench, middle, OCTOBER.replace(day=29)) == {STAYS: 70, MOVES: 70}
    async with bench.db.tenant(bench.tenant) as tx:
        whole = tabulate(await read_facts(tx, CostQuery(Window.of_days(OCTOBER, NOVEMBER), ())))
    (row,) = whole.rows
    assert (row.sums.total.cost_nano, row.sums.billed_nano) == (280 * USD, 210 * USD)


async def test_of_a_bill_that_stopped_the_later_days_cost_their_estimate(bench: Bench) -> None:
    await add_uses(bench.db, bench.tenant, uses(range(1, 21)))
    other = lines(range(1, 11), payer_account_id="888800002222", usage_account_id=MOVES)
    stopped = await load_bill(bench.db, bench.tenant, other, export="b", origin="connection-2")
    await make_older(bench.db, bench.tenant, stopped, timedelta(days=30))
    await load_bill(bench.db, bench.tenant, lines(range(1, 21)))
    await bench.reconcile()
    later = (OCTOBER.replace(day=12), OCTOBER.replace(day=21))
    assert await cost(bench, *later) == {STAYS: 45, MOVES: 45}


async def test_days_of_a_service_that_is_billed_later_than_others_wait_for_it(
    bench: Bench,
) -> None:
    await add_uses(bench.db, bench.tenant, uses(range(1, 21), NOVEMBER, [STAYS]))
    storage = [
        replace(line, product_code="AmazonS3", model_id="", token_kind=None, in_scope=False)
        for line in lines(range(1, 21), NOVEMBER)
    ]
    market = lines(range(1, 19), NOVEMBER, billing_entity="AWS Marketplace")
    await load_bill(bench.db, bench.tenant, [*storage, *market], period=NOVEMBER)
    report = await bench.reconcile(NOVEMBER)
    assert report.closed_until == NOVEMBER.replace(day=18)
    for first, end in ((1, 18), (18, 21)):
        window = (NOVEMBER.replace(day=first), NOVEMBER.replace(day=end))
        assert await cost(bench, *window) == {STAYS: 5 * (end - first)}


async def test_a_line_for_the_whole_month_answers_for_all_of_its_days(bench: Bench) -> None:
    await add_uses(bench.db, bench.tenant, uses(range(1, 11), accounts=[STAYS]))
    (first,) = lines(range(1, 2), unblended_nano=50 * USD, quantity_micro=50_000_000 * 10**6)
    monthly = replace(first, usage_end=datetime(2026, 11, 1, tzinfo=UTC))
    await load_bill(bench.db, bench.tenant, [monthly])
    await bench.reconcile()
    assert await cost(bench, OCTOBER, NOVEMBER) == {STAYS: 50}
