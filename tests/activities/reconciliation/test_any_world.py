"""Whatever is billed and logged, in whatever order: every answer is the bill's, then and now."""

import asyncio
from collections import defaultdict
from dataclasses import replace
from datetime import date, datetime
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tensorcost.domain.cost.query import Charges, CostBasis, CostQuery, GroupBy, Step
from tensorcost.domain.cost.query_window import Window, midnight
from tensorcost.domain.cost.reserved import CHARGES
from tensorcost.domain.cost.summary import CURRENCY, Fact, Table, Verdict, tabulate
from tensorcost.storage.session import Database
from tests.activities.reconciliation.oracle import bill_total, estimate_beside_bills
from tests.activities.reconciliation.roads import (
    AUTUMN,
    BILLED_BASES,
    Answers,
    Road,
    assert_same,
)
from tests.activities.reconciliation.worlds import (
    PATIENT,
    Arrival,
    Billed,
    Reconciled,
    Used,
    all_uses,
    arrivals,
    closed_worlds,
    last_bills,
)
from tests.support import databases
from tests.support.bills import OCTOBER
from tests.support.faults import examples

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(1_800)]

BESIDE = {share.value for share in CHARGES}


@given(world=closed_worlds)
@settings(PATIENT, max_examples=examples(10))
async def test_every_dimension_and_basis_adds_up_to_the_bills_of_the_month(
    db: Database, database: databases.Database, world: list[Arrival]
) -> None:
    """The bills are what each export said last; usage beside them keeps its estimate."""
    road = await Road.begin(db, database)
    await road.take(*world, Reconciled())
    bills = last_bills(world)
    for basis in BILLED_BASES:
        await _adds_up(road, AUTUMN, basis, _by_month(bills, basis))
    usage = await _table(road, CostQuery(AUTUMN))
    rest = usage.sums.total.cost_nano - usage.sums.billed_nano
    assert rest == estimate_beside_bills(all_uses(world), bills)


@given(world=arrivals(OCTOBER))
@settings(PATIENT, max_examples=examples(6))
async def test_closed_days_of_a_running_month_add_up_to_their_part_of_the_bill(
    db: Database, database: databases.Database, world: list[Arrival]
) -> None:
    """Each bill came before the month was over: its newest day may still grow, so it is not
    reconciled yet; a day that once was closed stays so."""
    road = await Road.begin(db, database, delivered=midnight(date(2026, 10, 28)))
    await road.take(*world, Reconciled())
    end = await road.closed_until(OCTOBER)
    if end == OCTOBER:
        return
    for basis in BILLED_BASES:
        closed = _by_month(last_bills(world), basis, before=end)
        await _adds_up(road, Window.of_days(OCTOBER, end), basis, closed)


def _by_month(
    bills: list[Billed], basis: CostBasis, before: date = AUTUMN.end_day
) -> dict[date, int]:
    """Nano-dollars by month of the lines that are charged on days ``before`` that one."""
    months: dict[date, int] = defaultdict(int)
    for bill in bills:
        months[bill.period] += bill_total(bill.lines_before(before), basis)
    return {month: nano for month, nano in months.items() if nano}


async def _adds_up(road: Road, window: Window, basis: CostBasis, bills: dict[date, int]) -> None:
    """By every dimension: the invoices' view is the bills, and the usage's with what it leaves
    beside is too."""
    for group in GroupBy:
        asked = CostQuery(window, (group,), step=Step.DAY, basis=basis, charges=Charges.INVOICE)
        invoice = await road.facts(asked)
        counted = [f for f in invoice if f.verdict is Verdict.COUNTED and _month_of(f) in bills]
        assert _months_of(counted) == bills
        usage = await road.facts(replace(asked, charges=Charges.USAGE))
        beside = [f for f in usage if f.currency == CURRENCY and f.verdict.value in BESIDE]
        billed = [f for f in usage if f.is_billed and f.verdict is Verdict.COUNTED]
        assert _months_of([*billed, *beside]) == bills


def _months_of(facts: list[Fact]) -> dict[date, int]:
    months: dict[date, int] = defaultdict(int)
    for fact in facts:
        months[_month_of(fact)] += fact.measures.cost_nano
    return {month: nano for month, nano in months.items() if nano}


def _month_of(fact: Fact) -> date:
    assert fact.bucket is not None
    return fact.bucket.date().replace(day=1)


async def _table(road: Road, query: CostQuery) -> Table:
    return tabulate(await road.facts(query))


@given(world=closed_worlds)
@settings(PATIENT, max_examples=examples(10))
async def test_as_of_every_step_answers_what_was_answered_then(
    db: Database, database: databases.Database, world: list[Arrival]
) -> None:
    road = await Road.begin(db, database)
    believed: list[tuple[datetime, Answers]] = []
    for arrival in (*world, Reconciled()):
        await road.take(arrival)
        believed.append((await road.moment(), await road.answers()))
    for moment, then in believed:
        assert_same(await road.answers(as_of=moment), then)


@given(world=closed_worlds)
@settings(PATIENT, max_examples=examples(5))
async def test_reconciling_again_changes_nothing(
    db: Database, database: databases.Database, world: list[Arrival]
) -> None:
    road = await Road.begin(db, database)
    await road.take(*world, Reconciled())
    before, versions = await road.answers(), await road.versions()
    assert await road.reconciler.due(road.tenant) == []
    for period in {bill.period for bill in last_bills(world)}:
        report = await road.reconciler.reconcile(road.tenant, period, "user:fake")
        assert report.days_changed == 0
    assert await road.versions() == versions
    assert_same(await road.answers(), before)


@given(world=closed_worlds, seed=st.integers(0, 2**32))
@settings(PATIENT, max_examples=examples(8))
async def test_any_order_of_arrival_ends_in_the_same_answers(
    db: Database, database: databases.Database, world: list[Arrival], seed: int
) -> None:
    """Uses come one by one and looks of the reconciler anywhere; of an export's deliveries of a
    month only the last one stays the last."""
    straight, shuffled = [await Road.begin(db, database) for _ in range(2)]
    await straight.take(*world, Reconciled())
    await shuffled.take(*_shuffled(world, Random(seed)), Reconciled())
    assert_same(await shuffled.answers(), await straight.answers())


def _shuffled(world: list[Arrival], random: Random) -> list[Arrival]:
    order: list[Arrival] = [one for one in world if not isinstance(one, Used)]
    order += [Used((use,)) for use in all_uses(world)]
    random.shuffle(order)
    for last in last_bills(world):
        places = [
            n
            for n, one in enumerate(order)
            if isinstance(one, Billed) and one.replaces == last.replaces
        ]
        now = next(n for n in places if order[n] is last)
        order[now], order[places[-1]] = order[places[-1]], last
    return order


@given(world=closed_worlds, seed=st.integers(0, 2**32))
@settings(PATIENT, max_examples=examples(6))
async def test_all_at_once_ends_in_the_answers_of_one_after_the_other(
    db: Database, database: databases.Database, world: list[Arrival], seed: int
) -> None:
    """Every use, every last bill and several looks of the reconciler in transactions of their
    own, none waiting for another."""
    parts: list[Arrival] = [Used((use,)) for use in all_uses(world)]
    parts += [*last_bills(world), *[Reconciled()] * 4]
    orderly, hurried = [await Road.begin(db, database) for _ in range(2)]
    await orderly.take(*parts)
    Random(seed).shuffle(parts)
    await asyncio.gather(*(hurried.take(part) for part in parts))
    await hurried.settle()
    assert await hurried.reconciler.due(hurried.tenant) == []
    assert_same(await hurried.answers(), await orderly.answers())
