"""Which rows count: the finest grain of each account, day, region and model (decisions 1)."""

from datetime import UTC, date, datetime, timedelta

import pytest

from tensorcost.domain.cost.query import CostQuery, GroupBy, SpendFilter, Step
from tensorcost.domain.cost.query_window import Window
from tensorcost.domain.cost.reserved import CHARGES, UNATTRIBUTED, UNCLASSIFIED
from tensorcost.domain.cost.summary import Beside, Table, Verdict, tabulate
from tensorcost.domain.ids import TenantId
from tensorcost.domain.spend.facts import Actor, Grain, Source
from tensorcost.storage.cost_queries.facts import read_facts
from tensorcost.storage.session import Database
from tests.support import databases
from tests.support.spend import MODEL, dimension
from tests.support.spend_rows import Billed, Use, add_bill, add_uses, at
from tests.support.tenants import make_tenant

DAY = date(2026, 10, 5)
WEEK = Window.of_days(date(2026, 10, 1), date(2026, 10, 8))
USD = 1_000_000_000


async def table(db: Database, tenant: TenantId, query: CostQuery) -> Table:
    async with db.tenant(tenant) as tx:
        return tabulate(await read_facts(tx, query))


def counted(found: Table) -> dict[Grain, int]:
    return {grain: sums.cost_nano for grain, sums in found.sums.by_grain.items()}


def beside(found: Table) -> dict[tuple[Grain, Verdict], int]:
    return {(b.grain, b.reason): b.measures.cost_nano for b in found.beside}


async def test_a_metric_row_stands_beside_where_a_request_row_explains_its_cell(
    db: Database, tenant: TenantId
) -> None:
    await add_uses(
        db,
        tenant,
        [
            Use(at(DAY, 3), dimension(), 5 * USD),
            Use(at(DAY, 20), dimension(application="", team=""), 7 * USD, grain=Grain.METRIC),
        ],
    )
    found = await table(db, tenant, CostQuery(WEEK))
    assert counted(found) == {Grain.REQUEST: 5 * USD}
    assert beside(found) == {(Grain.METRIC, Verdict.FINER_GRAIN): 7 * USD}


@pytest.mark.parametrize(
    ("change", "when"),
    [
        ({"model_id": "amazon.nova-lite-v1:0"}, DAY),
        ({"region": "eu-west-1"}, DAY),
        ({"usage_account_id": "444455556666"}, DAY),
        ({}, DAY + timedelta(days=1)),
    ],
)
async def test_a_metric_row_of_another_cell_counts(
    db: Database, tenant: TenantId, change: dict[str, str], when: date
) -> None:
    await add_uses(
        db,
        tenant,
        [
            Use(at(DAY), dimension(), 5 * USD),
            Use(at(when), dimension(**change), 7 * USD, grain=Grain.METRIC),
        ],
    )
    found = await table(db, tenant, CostQuery(WEEK))
    assert counted(found) == {Grain.REQUEST: 5 * USD, Grain.METRIC: 7 * USD}
    assert not found.beside


@pytest.mark.parametrize("finer", [Grain.REQUEST, Grain.METRIC])
async def test_a_bill_line_counts_only_where_no_finer_row_explains_its_cell(
    db: Database, tenant: TenantId, finer: Grain
) -> None:
    other = dimension(model_id="amazon.nova-lite-v1:0")
    await add_uses(db, tenant, [Use(at(DAY), dimension(), 5 * USD, grain=finer)])
    await add_bill(db, tenant, [Billed(DAY, dimension(), 6 * USD), Billed(DAY, other, 2 * USD)])
    found = await table(db, tenant, CostQuery(WEEK))
    assert counted(found) == {finer: 5 * USD, Grain.BILL: 2 * USD}
    assert beside(found) == {(Grain.BILL, Verdict.FINER_GRAIN): 6 * USD}


async def test_a_bill_line_without_a_model_yields_to_any_finer_row_of_its_account_and_region(
    db: Database, tenant: TenantId
) -> None:
    unresolved = dimension(model_id="", application="", team="")
    await add_uses(db, tenant, [Use(at(DAY), dimension(), 5 * USD)])
    elsewhere = dimension(model_id="", region="eu-west-1", application="", team="")
    next_day = DAY + timedelta(days=1)
    await add_bill(
        db,
        tenant,
        [
            Billed(DAY, unresolved, 1 * USD),
            Billed(DAY, elsewhere, 2 * USD),
            Billed(next_day, unresolved, 4 * USD),
        ],
    )
    found = await table(db, tenant, CostQuery(WEEK))
    assert counted(found) == {Grain.REQUEST: 5 * USD, Grain.BILL: 6 * USD}
    assert beside(found) == {(Grain.BILL, Verdict.FINER_GRAIN): 1 * USD}


async def test_billed_money_without_a_model_has_a_name_by_which_it_can_be_asked_for(
    db: Database, tenant: TenantId
) -> None:
    nameless = dimension(model_id="", application="", team="")
    gpu = dimension(source=Source.GPU_AGENT, model_id="", region="us-west-2")
    await add_uses(db, tenant, [Use(at(DAY), gpu, 50 * USD, input_tokens=0)])
    await add_bill(db, tenant, [Billed(DAY, nameless, 2 * USD), Billed(DAY, dimension(), 3 * USD)])
    by_model = (GroupBy.MODEL,)
    found = await table(db, tenant, CostQuery(WEEK, group_by=by_model))
    assert {row.key[0]: row.sums.cost_nano for row in found.rows} == {
        "": 50 * USD,
        MODEL: 3 * USD,
        UNCLASSIFIED: 2 * USD,
    }
    for name, cost in ((UNCLASSIFIED, 2), ("", 52), (MODEL, 3)):
        only = SpendFilter(model_id=name)
        asked = await table(db, tenant, CostQuery(WEEK, group_by=by_model, filter=only))
        assert asked.sums.total.cost_nano == cost * USD


@pytest.mark.parametrize("group", list(GroupBy))
async def test_what_a_bill_says_besides_usage_goes_by_reserved_names_in_every_dimension(
    db: Database, tenant: TenantId, group: GroupBy
) -> None:
    charges = [
        Billed(DAY, dimension(), USD, category=category)
        for category in ("Tax", "Credit", "Adjustment", "Purchase")
    ]
    charges.append(Billed(DAY, dimension(), -USD, item="Refund"))
    charges.append(Billed(DAY, dimension(), USD, in_scope=False))
    await add_bill(db, tenant, charges)
    async with db.tenant(tenant) as tx:
        facts = await read_facts(tx, CostQuery(WEEK, group_by=(group,)))
    assert {fact.key[0] for fact in facts} == set(CHARGES.values())


@pytest.mark.parametrize("group", [GroupBy.TEAM, GroupBy.OWNER, GroupBy.AGENT, GroupBy.USER])
async def test_billed_usage_that_nobody_logged_is_unattributed_where_its_own_tags_say_nothing(
    db: Database, tenant: TenantId, group: GroupBy
) -> None:
    await add_bill(db, tenant, [Billed(DAY, dimension(team=""), 2 * USD)])
    found = await table(db, tenant, CostQuery(WEEK, group_by=(group,)))
    assert [row.key for row in found.rows] == [(UNATTRIBUTED,)]
    for name, dollars in ((UNATTRIBUTED, 2), ("", 2), ("(tax)", 0), ("ana", 0)):
        only = SpendFilter(**{group.value: name})  # type: ignore[arg-type]
        kept = await table(db, tenant, CostQuery(WEEK, filter=only))
        assert kept.sums.total.cost_nano == dollars * USD, name


async def test_tax_credits_purchases_other_currencies_and_other_products_are_never_added(
    db: Database, tenant: TenantId
) -> None:
    where = dimension()
    await add_bill(
        db,
        tenant,
        [
            Billed(DAY, where, 10 * USD),
            Billed(DAY, where, 2 * USD, category="Tax"),
            Billed(DAY, where, -3 * USD, category="Credit"),
            Billed(DAY, where, 4 * USD, category="Purchase"),
            Billed(DAY, where, 5 * USD, category="Adjustment"),
            Billed(DAY, where, -1 * USD, item="Refund"),
            Billed(DAY, where, 6 * USD, currency="EUR"),
            Billed(DAY, where, 7 * USD, in_scope=False),
        ],
    )
    found = await table(db, tenant, CostQuery(WEEK))
    assert counted(found) == {Grain.BILL: 10 * USD}
    assert {(b.reason, b.currency, b.measures.cost_nano) for b in found.beside} == {
        (Verdict.TAX, "USD", 2 * USD),
        (Verdict.CREDIT, "USD", -3 * USD),
        (Verdict.COMMITMENT, "USD", 4 * USD),
        (Verdict.DISCOUNT, "USD", 5 * USD),
        (Verdict.REFUND, "USD", -1 * USD),
        (Verdict.OTHER_CURRENCY, "EUR", 6 * USD),
        (Verdict.OUT_OF_SCOPE, "USD", 7 * USD),
    }


async def test_a_restated_bill_replaces_the_one_before(db: Database, tenant: TenantId) -> None:
    await add_bill(db, tenant, [Billed(DAY, dimension(), 10 * USD)])
    await add_bill(db, tenant, [Billed(DAY, dimension(), 11 * USD)])
    assert counted(await table(db, tenant, CostQuery(WEEK))) == {Grain.BILL: 11 * USD}


async def test_a_window_of_hours_reads_its_edges_by_the_hour_and_leaves_bill_days_that_it_cuts(
    db: Database, tenant: TenantId
) -> None:
    days = [date(2026, 10, n) for n in (4, 5, 6)]
    uses = [Use(at(day, hour), dimension(), USD) for day in days for hour in (0, 9, 10, 23)]
    await add_uses(db, tenant, uses)
    other = dimension(model_id="amazon.nova-lite-v1:0")
    await add_bill(db, tenant, [Billed(day, other, 100 * USD) for day in days])
    window = Window(at(days[0], 10), at(days[2], 10))
    found = await table(db, tenant, CostQuery(window))
    assert counted(found) == {Grain.REQUEST: 8 * USD, Grain.BILL: 100 * USD}
    assert beside(found) == {(Grain.BILL, Verdict.PARTIAL_DAY): 200 * USD}


async def test_month_ends_are_utc_midnights(db: Database, tenant: TenantId) -> None:
    late = datetime(2026, 10, 31, 23, 59, 59, 999_999, tzinfo=UTC)
    first = datetime(2026, 11, 1, tzinfo=UTC)
    await add_uses(db, tenant, [Use(late, dimension(), USD), Use(first, dimension(), 2 * USD)])
    october = CostQuery(Window.of_days(date(2026, 10, 1), date(2026, 11, 1)))
    november = CostQuery(Window.of_days(date(2026, 11, 1), date(2026, 12, 1)))
    assert counted(await table(db, tenant, october)) == {Grain.REQUEST: USD}
    assert counted(await table(db, tenant, november)) == {Grain.REQUEST: 2 * USD}


async def test_two_tenants_side_by_side_see_only_their_own(
    db: Database, database: databases.Database, tenant: TenantId
) -> None:
    other = await make_tenant(database)
    for owner, amount in ((tenant, 3 * USD), (other, 5 * USD)):
        await add_uses(db, owner, [Use(at(DAY), dimension(), amount)])
        await add_bill(
            db, owner, [Billed(DAY, dimension(model_id="amazon.nova-pro-v1:0"), 2 * amount)]
        )
    assert counted(await table(db, tenant, CostQuery(WEEK))) == {
        Grain.REQUEST: 3 * USD,
        Grain.BILL: 6 * USD,
    }
    assert counted(await table(db, other, CostQuery(WEEK))) == {
        Grain.REQUEST: 5 * USD,
        Grain.BILL: 10 * USD,
    }


@pytest.mark.parametrize("group", list(GroupBy))
async def test_every_breakdown_adds_up_to_the_total(
    db: Database, tenant: TenantId, group: GroupBy
) -> None:
    actors = [Actor(), Actor(user="ana"), Actor(agent="triage", workflow="tickets")]
    uses = [
        Use(at(DAY, n), dimension(team=f"team-{n % 2}"), (n + 1) * USD, who=actors[n % 3])
        for n in range(6)
    ]
    gpu = dimension(source=Source.GPU_AGENT, model_id="", region="us-west-2")
    await add_uses(db, tenant, [*uses, Use(at(DAY), gpu, 50 * USD, input_tokens=0)])
    await add_bill(db, tenant, [Billed(DAY, dimension(model_id="cohere.embed-v4:0"), USD)])
    found = await table(db, tenant, CostQuery(WEEK, group_by=(group,)))
    assert found.sums.total.cost_nano == (21 + 50 + 1) * USD
    assert sum(row.sums.total.cost_nano for row in found.rows) == found.sums.total.cost_nano


async def test_workloads_are_disjoint(db: Database, tenant: TenantId) -> None:
    gpu = dimension(source=Source.GPU_AGENT, model_id="")
    await add_uses(
        db,
        tenant,
        [
            Use(at(DAY), dimension(), 1 * USD, who=Actor(user="ana")),
            Use(at(DAY), dimension(), 2 * USD, who=Actor(agent="triage")),
            Use(at(DAY), dimension(), 4 * USD, who=Actor(workflow="tickets")),
            Use(at(DAY), gpu, 8 * USD, who=Actor(agent="trainer")),
        ],
    )
    found = await table(db, tenant, CostQuery(WEEK, group_by=(GroupBy.WORKLOAD,)))
    assert {row.key[0]: row.sums.cost_nano for row in found.rows} == {
        "inference": 1 * USD,
        "agent": 6 * USD,
        "gpu": 8 * USD,
    }


async def test_filters_keep_what_they_name_and_the_empty_text_what_names_nothing(
    db: Database, tenant: TenantId
) -> None:
    bare = dimension(application="", team="")
    triage = Actor(agent="triage")
    await add_uses(
        db,
        tenant,
        [
            Use(at(DAY), dimension(), 1 * USD, who=triage),
            Use(at(DAY), bare, 2 * USD, who=triage),
            Use(at(DAY), dimension(), 4 * USD),
        ],
    )
    await add_bill(db, tenant, [Billed(DAY, dimension(model_id="cohere.embed-v4:0"), 8 * USD)])

    async def total(**only: object) -> int:
        query = CostQuery(WEEK, filter=SpendFilter(**only))  # type: ignore[arg-type]
        return (await table(db, tenant, query)).sums.total.cost_nano

    assert await total(application="support-bot") == 13 * USD
    assert await total(application="") == 2 * USD
    assert await total(agent="triage") == 3 * USD
    assert await total(agent="") == 12 * USD
    assert await total(agent="triage", team="care", model_id=MODEL) == 1 * USD
    assert await total(source=Source.VERTEX) == 0


async def test_an_hourly_series_leaves_bill_lines_beside_and_a_daily_one_counts_them(
    db: Database, tenant: TenantId
) -> None:
    await add_uses(
        db, tenant, [Use(at(DAY, 3), dimension(), USD), Use(at(DAY, 4), dimension(), USD)]
    )
    await add_bill(db, tenant, [Billed(DAY, dimension(model_id="cohere.embed-v4:0"), 8 * USD)])
    window = Window.of_days(DAY, DAY + timedelta(days=1))
    async with db.tenant(tenant) as tx:
        hourly = await read_facts(tx, CostQuery(window, step=Step.HOUR))
        daily = await read_facts(tx, CostQuery(window, step=Step.DAY))
    assert {(f.bucket, f.measures.cost_nano) for f in hourly if f.grain is Grain.REQUEST} == {
        (at(DAY, 3), USD),
        (at(DAY, 4), USD),
    }
    assert [f.verdict for f in hourly if f.grain is Grain.BILL] == [Verdict.PARTIAL_DAY]
    assert {(f.bucket, f.measures.cost_nano) for f in daily} == {
        (at(DAY, 0), 2 * USD),
        (at(DAY, 0), 8 * USD),
    }


async def test_usage_without_a_price_is_counted_and_never_zero(
    db: Database, tenant: TenantId
) -> None:
    mystery = dimension(model_id="vendor.mystery-v1")
    await add_uses(db, tenant, [Use(at(DAY), dimension(), USD), Use(at(DAY), mystery, None)])
    found = await table(db, tenant, CostQuery(WEEK, group_by=(GroupBy.MODEL,)))
    by_model = {row.key[0]: row.sums for row in found.rows}
    assert by_model["vendor.mystery-v1"].cost_nano is None
    assert by_model["vendor.mystery-v1"].total.unpriced_requests == 1
    assert by_model["vendor.mystery-v1"].total.unpriced_tokens == 110
    assert found.sums.cost_nano == USD
    assert found.sums.total.unpriced_tokens == 110


async def test_beside_says_in_which_currency(db: Database, tenant: TenantId) -> None:
    await add_bill(db, tenant, [Billed(DAY, dimension(), 6 * USD, currency="EUR")])
    found = await table(db, tenant, CostQuery(WEEK))
    assert found.sums.total.cost_nano == 0
    assert [(type(b), b.currency) for b in found.beside] == [(Beside, "EUR")]
