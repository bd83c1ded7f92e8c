"""A preview says what the answers about cost then change by: every call once, a bill not at all."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tensorcost.activities.ingest.prices import PriceBooks
from tensorcost.activities.reconciliation.reconciler import Reconciler
from tensorcost.activities.rerating.rerater import Rerater
from tensorcost.domain.cost.contracts_rerating import Preview, RerateState
from tensorcost.domain.cost.query import CostQuery
from tensorcost.domain.cost.query_window import Window
from tensorcost.domain.cost.summary import add_up
from tensorcost.domain.spend.bill import BillLine
from tensorcost.domain.spend.facts import Dimension, Grain
from tensorcost.storage.cost_queries.facts import read_facts
from tensorcost.storage.rerating import previews
from tensorcost.storage.session import Database
from tests.support import bills, databases
from tests.support.rerated import AT_2, AT_3, NOVEMBER, NOW, OCTOBER, Books
from tests.support.spend import MODEL, dimension
from tests.support.tenants import make_tenant

CHECKED = Window.of_days(date(2026, 10, 1), date(2026, 12, 1))
OTHER = "other.model-v1"
UNLISTED = "unlisted.model-v1"
"""Has no price before the second import."""
BILLED, UNBILLED = "111122223333", "444455556666"


async def total(books: Books) -> int:
    """What the two months cost, in nano-dollars."""
    async with books.db.tenant(books.tenant) as tx:
        return add_up(await read_facts(tx, CostQuery(CHECKED))).total.cost_nano


async def reconcile(books: Books, *lines: BillLine) -> int:
    """The ledger's estimate of October, held against a bill of these lines or the last ones."""
    if lines:
        await bills.load_bill(books.db, books.tenant, lines)
    reconciler = Reconciler(books.db, PriceBooks(books.db), lambda: NOW)
    await reconciler.reconcile(books.tenant, bills.OCTOBER, "user:tester")
    async with books.db.tenant(books.tenant) as tx:
        estimate = "SELECT sum(estimate_nano)::bigint FROM ai.reconciled_day WHERE is_current"
        return int(await tx.scalar(estimate))


def nano(amounts: Iterable[str]) -> int:
    return sum(int(Decimal(amount) * 10**9) for amount in amounts)


async def test_a_call_in_two_grains_is_rerated_twice_and_counted_once(books: Books) -> None:
    await books.use(OCTOBER)
    await books.use(OCTOBER, grain=Grain.METRIC)
    await books.settled()
    await books.price("3")
    assert await total(books) == AT_2

    preview = await books.preview()
    (october,) = preview.months
    assert (october.rows, october.beside_rows, october.requests) == (2, 1, 1)
    assert (october.before, october.after) == ("0.000220000", "0.000330000")
    assert (preview.approval_rows, preview.approval_delta) == (2, "0.000110000")

    applied = await books.apply(approved=True)
    assert (applied.rows, applied.delta) == (2, "0.000110000")
    assert [cost for cost, _ in await books.costs()] == [AT_3, AT_3]
    assert await total(books) == AT_3
    (told,) = await books.events("cost.restated")
    assert (told["rows"], told["delta"]) == (2, "0.000110000")
    assert told["months"] == {"2026-10": "0.000110000"}
    assert [part["delta"] for part in told["largest"]] == ["0.000110000"]
    await books.assert_sums_agree()


async def test_rows_beside_finer_ones_get_their_version_without_an_amount(books: Books) -> None:
    other = dimension(application="search")
    await books.use(NOVEMBER)
    await books.price("3", since=NOVEMBER + timedelta(hours=1))
    await books.settled()
    # Of the same cell, at a time that only the metric row has, and of another application.
    await books.use(NOVEMBER + timedelta(hours=2), where=other, grain=Grain.METRIC)
    await books.price("4", since=NOVEMBER + timedelta(hours=1))
    before = await total(books)
    (november,) = (await books.preview()).months
    assert (november.rows, november.beside_rows, november.requests) == (1, 1, 0)
    assert (november.before, november.after, november.delta) == ("0.000000000",) * 3
    assert (await books.apply()).rows == 1
    (told,) = await books.events("cost.restated")
    assert (told["rows"], told["delta"], told["largest"]) == (1, "0.000000000", [])
    assert await total(books) == before
    assert [cost for cost, _ in await books.costs()] == [AT_2, 440_000]


async def test_a_billed_day_changes_its_drift_and_no_total(books: Books) -> None:
    elsewhere = dimension(usage_account_id=UNBILLED)
    await books.use(OCTOBER)
    await books.use(OCTOBER, where=elsewhere)
    await books.settled()
    line = bills.bill_line(OCTOBER.date(), quantity_micro=100 * 10**6, unblended_nano=250_000)
    estimate = await reconcile(books, line)
    before = await total(books)
    assert before == 250_000 + AT_2
    await books.price("3")

    preview = await books.preview()
    (october,) = preview.months
    assert (october.delta, october.drift) == ("0.000220000", "0.000110000")
    assert (preview.approval_delta, preview.approval_drift) == (october.delta, october.drift)
    await books.apply(approved=True)
    (told,) = await books.events("cost.restated")
    assert (told["delta"], told["drift"]) == (october.delta, october.drift)
    assert told["totals_delta"] == "0.000110000"
    assert await total(books) == before + AT_3 - AT_2
    assert await reconcile(books) == estimate + 2 * (AT_3 - AT_2)


async def test_an_approval_is_void_where_a_bill_has_come_to_answer_for_the_day(
    books: Books,
) -> None:
    await books.use(OCTOBER)
    await books.settled()
    await books.price("3")
    first = await books.preview()
    again = await books.look_again(2)
    assert again.digest == first.digest
    await reconcile(books, bills.bill_line(OCTOBER.date()))
    third = await books.look_again(3)
    assert third.approval_delta == first.approval_delta
    assert third.approval_drift == third.approval_delta
    assert third.digest != first.digest


@dataclass(frozen=True)
class Load:
    """Rows of one cell and grain, one a moment."""

    where: Dimension
    grain: Grain
    moments: tuple[datetime, ...]


loads = st.builds(
    Load,
    where=st.builds(
        dimension,
        usage_account_id=st.sampled_from([BILLED, BILLED, UNBILLED]),
        region=st.sampled_from(["us-east-1", "eu-west-1"]),
        model_id=st.sampled_from([MODEL, MODEL, OTHER, UNLISTED]),
        application=st.sampled_from(["support-bot", "search"]),
    ),
    grain=st.sampled_from([Grain.REQUEST, Grain.METRIC]),
    moments=st.lists(
        st.builds(
            lambda start, days, minutes: start + timedelta(days=days, minutes=minutes),
            st.sampled_from([OCTOBER, OCTOBER, NOVEMBER]),
            st.integers(0, 2),
            st.integers(0, 800),
        ),
        min_size=1,
        max_size=3,
    ).map(tuple),
)


async def rerate(books: Books) -> Preview:
    """Preview, write all of it and end; both times that it is told it is told alike."""
    preview = await books.preview()
    if not preview.months:
        return preview
    told = len(await books.events("cost.restated"))
    await books.apply()
    await books.apply(approved=True)
    await books.end(RerateState.APPLIED)
    events = (await books.events("cost.restated"))[told:]
    assert nano(one["delta"] for one in events) == nano(m.delta for m in preview.months)
    assert nano(one["drift"] for one in events) == nano(m.drift for m in preview.months)
    assert sum(one["rows"] for one in events) == sum(m.rows for m in preview.months)
    return preview


@given(world=st.lists(loads, min_size=1, max_size=6), prices=st.permutations(["1", "3", "5"]))
@settings(
    max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
async def test_the_difference_is_that_of_the_totals_and_of_the_ledger(
    db: Database, database: databases.Database, world: list[Load], prices: list[str]
) -> None:
    books = Books(db, await make_tenant(database), Rerater(db, lambda: NOW))
    for model in (MODEL, OTHER):
        await books.price("2", model=model)
    for load in world:
        await books.use(*load.moments, where=load.where, grain=load.grain)
    await books.settled()

    before = await total(books)
    await books.price(prices[0])
    await books.price(prices[1], model=UNLISTED, since=OCTOBER + timedelta(days=1))
    preview = await rerate(books)
    assert nano(month.delta for month in preview.months) == await total(books) - before
    assert not any(nano([month.drift]) for month in preview.months)

    estimate = await reconcile(books, bills.bill_line(OCTOBER.date(), usage_account_id=BILLED))
    before = await total(books)
    await books.price(prices[1])
    await books.price(prices[2], model=OTHER, since=OCTOBER + timedelta(days=1))
    preview = await rerate(books)
    moved = nano(m.delta for m in preview.months) - nano(m.drift for m in preview.months)
    assert moved == await total(books) - before
    october = [month.delta for month in preview.months if month.period == bills.OCTOBER]
    assert nano(october) == await reconcile(books) - estimate
    await books.assert_sums_agree()


async def test_the_stored_sums_are_what_was_reported(books: Books) -> None:
    await books.use(OCTOBER, NOVEMBER)
    await books.use(OCTOBER, grain=Grain.METRIC)
    await books.settled()
    await reconcile(books, bills.bill_line(OCTOBER.date()))
    await books.price("3")
    await books.preview()
    async with books.db.tenant(books.tenant) as tx:
        october, november = await previews.read_changes(tx, books.key())
    assert (october.sums.rows, october.sums.beside_rows, october.sums.requests) == (2, 1, 1)
    assert (october.sums.delta_nano, october.sums.totals_nano) == (AT_3 - AT_2, 0)
    assert (november.sums.beside_rows, november.sums.totals_nano) == (0, AT_3 - AT_2)
