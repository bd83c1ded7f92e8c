"""What a day's reconciliation is given: the bill that counts, and the rollup, a day at a time."""

from datetime import date, timedelta
from fractions import Fraction

import pytest

from tensorcost.domain.cost.reconciliation.facts import (
    Billed,
    Cell,
    LineClass,
    Logged,
    Money,
    Rates,
)
from tensorcost.domain.ids import TenantId
from tensorcost.domain.spend.bill import TokenKind
from tensorcost.domain.spend.facts import Actor, Dimension, Grain, RoutingScope, ServiceTier, Source
from tensorcost.storage.reconciliation.due import read_delivery_facts
from tensorcost.storage.reconciliation.inputs import (
    DayInputs,
    RatesOf,
    line_class,
    read_day_inputs,
)
from tensorcost.storage.session import Database
from tensorcost.storage.spend.dimensions import ensure_dimensions
from tests.support import databases
from tests.support.bills import OCTOBER, bill_line, load_bill
from tests.support.spend import MODEL, dimension
from tests.support.spend_rows import Use, add_uses, at
from tests.support.tenants import make_tenant

FIFTH, SIXTH = date(2026, 10, 5), date(2026, 10, 6)
NOVEMBER = date(2026, 11, 1)
USD = 1_000_000_000
CELL = Cell("111122223333", "us-east-1", MODEL)


def no_rates(_: Dimension, __: date) -> Rates:
    return {}


async def inputs(
    db: Database,
    tenant: TenantId,
    closed_until: date = NOVEMBER,
    rates_of: RatesOf = no_rates,
) -> dict[date, DayInputs]:
    async with db.tenant(tenant) as tx:
        bill = [facts.delivery_id for facts in await read_delivery_facts(tx, OCTOBER)]
        days = read_day_inputs(tx, OCTOBER, closed_until, bill, rates_of)
        return {one.day: one async for one in days}


@pytest.mark.parametrize(
    ("category", "item", "currency", "in_scope", "wanted"),
    [
        ("Usage", "Usage", "USD", True, LineClass.USAGE),
        ("Usage", "Usage", "EUR", True, LineClass.OTHER_CURRENCY),
        ("Usage", "Usage", "USD", False, LineClass.OUT_OF_SCOPE),
        ("Usage", "Usage", "EUR", False, LineClass.OUT_OF_SCOPE),
        ("Usage", "Correction", "USD", True, LineClass.USAGE),
        ("Tax", "Tax", "EUR", False, LineClass.TAX),
        ("Credit", "Credit", "USD", True, LineClass.CREDIT),
        ("Credit", "Refund", "USD", True, LineClass.REFUND),
        ("Credit", "refund", "EUR", False, LineClass.REFUND),
        ("Adjustment", "EdpDiscount", "USD", True, LineClass.DISCOUNT),
        ("Purchase", "SavingsPlanRecurringFee", "USD", False, LineClass.COMMITMENT),
    ],
)
def test_a_line_is_classified_by_category_type_currency_and_scope(
    category: str, item: str, currency: str, in_scope: bool, wanted: LineClass
) -> None:
    assert line_class(category, item, currency, in_scope=in_scope) is wanted


async def test_every_closed_day_comes_once_in_order_with_or_without_rows(
    db: Database, tenant: TenantId
) -> None:
    await load_bill(db, tenant, [bill_line(FIFTH), bill_line(SIXTH)])
    await add_uses(db, tenant, [Use(at(day), dimension()) for day in (OCTOBER, FIFTH, SIXTH)])
    found = await inputs(db, tenant, closed_until=SIXTH)
    assert list(found) == [OCTOBER + timedelta(days=n) for n in range(5)]
    counts = {day: (len(one.billed), len(one.logged)) for day, one in found.items()}
    assert {day: n for day, n in counts.items() if any(n)} == {OCTOBER: (0, 1), FIFTH: (1, 1)}


async def test_a_billed_group_says_everything_but_its_lines(db: Database, tenant: TenantId) -> None:
    line = bill_line(
        FIFTH,
        service_tier=ServiceTier.BATCH,
        routing_scope=RoutingScope.GLOBAL,
        token_kind=TokenKind.CACHE_WRITE_1H,
        quantity_micro=3,
        amortized_nano=4 * USD,
        net_nano=2 * USD,
    )
    image = bill_line(FIFTH, token_kind=None, unit="images", quantity_micro=2_000_000)
    await load_bill(db, tenant, [line, line, image])
    day = (await inputs(db, tenant))[FIFTH]
    tokens, images = sorted(day.billed, key=lambda b: b.unit, reverse=True)
    assert tokens == Billed(
        dim_id=tokens.dim_id,
        cell=CELL,
        line_class=LineClass.USAGE,
        kind=TokenKind.CACHE_WRITE_1H,
        unit="tokens",
        service_tier=ServiceTier.BATCH,
        routing_scope=RoutingScope.GLOBAL,
        currency="USD",
        quantity=6,
        money=Money(10 * USD, 8 * USD, 4 * USD),
        lines=2,
    )
    assert (images.kind, images.unit, images.quantity) == (None, "images", 2_000_000)
    async with db.tenant(tenant) as tx:
        stored = await tx.all("SELECT DISTINCT dim_id FROM ai.bill_line")
    assert {b.dim_id for b in day.billed} == {row.dim_id for row in stored}


async def test_only_the_delivery_that_holds_and_counts_is_read(
    db: Database, tenant: TenantId
) -> None:
    await load_bill(db, tenant, [bill_line(FIFTH), bill_line(SIXTH)])
    await load_bill(db, tenant, [bill_line(FIFTH, unblended_nano=USD)])
    await load_bill(db, tenant, [bill_line(FIFTH)], export="hourly")
    await load_bill(db, tenant, [bill_line(FIFTH)], period=date(2026, 9, 1))
    found = await inputs(db, tenant)
    amounts = {day: [b.money.unblended for b in one.billed] for day, one in found.items()}
    assert {day: a for day, a in amounts.items() if a} == {FIFTH: [USD]}


async def test_a_quantity_past_64_bits_is_exact(db: Database, tenant: TenantId) -> None:
    most = 2**63 - 1
    await load_bill(db, tenant, [bill_line(FIFTH, quantity_micro=most) for _ in range(3)])
    (only,) = (await inputs(db, tenant))[FIFTH].billed
    assert only.quantity == 3 * most


async def test_a_logged_row_knows_its_cell_tokens_and_what_prices_it(
    db: Database, tenant: TenantId
) -> None:
    where = dimension(
        service_tier=ServiceTier.FLEX,
        routing_scope=RoutingScope.GEO,
        modality="image",
        context_bucket="above_200k",
        profile_arn="arn:profile",
    )
    who = Actor(agent="triage")
    await load_bill(db, tenant, [bill_line(FIFTH)])
    await add_uses(
        db,
        tenant,
        [
            Use(at(FIFTH), where, USD, who, input_tokens=100, cached_tokens=7, output_tokens=0),
            Use(at(FIFTH, 13), where, None, who, input_tokens=1, output_tokens=0),
        ],
    )
    asked: list[tuple[Dimension, date]] = []
    rates = {TokenKind.INPUT: Fraction(1, 3), TokenKind.CACHED: None}

    def rates_of(priced: Dimension, day: date) -> Rates:
        asked.append((priced, day))
        return rates

    (row,) = (await inputs(db, tenant, rates_of=rates_of))[FIFTH].logged
    ((priced, day),) = asked
    assert day == FIFTH
    priced_by = ("source", "provider", "region", "routing_scope", "model_id", "service_tier")
    for name in (*priced_by, "modality", "context_bucket", "usage_account_id"):
        assert getattr(priced, name) == getattr(where, name), name
    assert row == Logged(
        dim_id=where.stable_id(),
        actor_id=who.stable_id(),
        grain=Grain.REQUEST,
        cell=CELL,
        service_tier=ServiceTier.FLEX,
        routing_scope=RoutingScope.GEO,
        tokens=(101, 7, 0, 0, 0),
        requests=2,
        estimate_nano=USD,
        unpriced_requests=1,
        unpriced_tokens=1,
        rates=rates,
    )


async def test_negative_sums_and_both_grains_are_passed_on(db: Database, tenant: TenantId) -> None:
    restated = Use(at(FIFTH), dimension(team=""), -USD, grain=Grain.METRIC, input_tokens=-5)
    await load_bill(db, tenant, [bill_line(SIXTH)])
    await add_uses(db, tenant, [Use(at(FIFTH), dimension()), restated])
    rows = {row.grain: row for row in (await inputs(db, tenant))[FIFTH].logged}
    assert (rows[Grain.METRIC].estimate_nano, rows[Grain.METRIC].tokens[0]) == (
        -USD,
        -5,
    )
    assert rows[Grain.REQUEST].estimate_nano == USD


async def test_a_dimension_is_built_once_and_priced_once_a_day_for_all_of_its_rows(
    db: Database, tenant: TenantId
) -> None:
    who = [Actor(user=f"user-{n}") for n in range(3)]
    await load_bill(db, tenant, [bill_line(SIXTH)])
    await add_uses(
        db, tenant, [Use(at(day), dimension(), who=one) for one in who for day in (FIFTH, SIXTH)]
    )
    asked: list[tuple[int, date]] = []

    def rates_of(priced: Dimension, day: date) -> Rates:
        asked.append((id(priced), day))
        return {}

    found = await inputs(db, tenant, rates_of=rates_of)
    rows = [row for one in found.values() for row in one.logged]
    assert len(rows) == 6
    assert len({id(row.cell) for row in rows}) == 1
    assert [day for _, day in asked] == [FIFTH, SIXTH]
    assert len({priced for priced, _ in asked}) == 1


async def test_rows_beyond_one_fetch_are_complete(db: Database, tenant: TenantId) -> None:
    """The cursors fetch 2,000 rows at a time: days end inside a fetch, and fetches inside a day."""
    days = [FIFTH, SIXTH, date(2026, 10, 31)]
    await load_bill(db, tenant, [bill_line(SIXTH)])
    async with db.tenant(tenant) as tx:
        await ensure_dimensions(tx, [dimension()])
        await tx.run(
            "INSERT INTO ai.spend_daily (tenant_id, day, dim_id, actor_id, grain, requests) "
            "SELECT :tenant, day, :dim, actor, 1, actor FROM unnest(CAST(:days AS date[])) day, "
            "generate_series(1, 1777) actor",
            tenant=tenant,
            dim=dimension().stable_id(),
            days=days,
        )
    found = await inputs(db, tenant)
    for day in days:
        assert sorted(row.requests for row in found[day].logged) == list(range(1, 1778))
    assert sum(len(one.logged) for one in found.values()) == 3 * 1777


async def test_rows_of_other_tenants_stay_theirs(
    db: Database, tenant: TenantId, database: databases.Database
) -> None:
    neighbour = await make_tenant(database)
    await load_bill(db, neighbour, [bill_line(FIFTH)])
    await add_uses(db, neighbour, [Use(at(FIFTH), dimension())])
    found = await inputs(db, tenant)
    assert all(not one.billed and not one.logged for one in found.values())


async def test_usage_that_no_bill_sells_is_not_held_against_one(
    db: Database, tenant: TenantId
) -> None:
    await load_bill(db, tenant, [bill_line(FIFTH)])
    elsewhere = dimension(source=Source.OPENAI_API, provider="openai")
    await add_uses(db, tenant, [Use(at(FIFTH), dimension()), Use(at(FIFTH), elsewhere)])
    (logged,) = (await inputs(db, tenant))[FIFTH].logged
    assert logged.dim_id == dimension().stable_id()
