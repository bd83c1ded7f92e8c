"""AI spend: listings, totals, unit costs and attribution."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from tensorcost.domain.cost.query import Charges, CostBasis, GroupBy, SpendFilter
from tensorcost.domain.errors import Forbidden, NotFound, ValidationFailed
from tensorcost.domain.identity.scopes import Scope
from tensorcost.domain.ids import TenantId
from tensorcost.domain.spend.facts import Actor, Source
from tensorcost.services.cost.asking import CostRequest
from tensorcost.services.spend.service import EventsRequest, SpendService
from tensorcost.storage.session import Database
from tests.support import databases
from tests.support.bills import bill_line, load_bill
from tests.support.price_rows import add_list_price, add_override
from tests.support.principals import NOW, caller, fixed_clock
from tests.support.reconciled import reconcile_month
from tests.support.spend import dimension
from tests.support.spend_rows import Billed, Use, add_bill, add_uses, at
from tests.support.tenants import make_tenant

DAY = date(2026, 10, 5)
OCTOBER = CostRequest("2026-10-01", "2026-11-01")
USD = 1_000_000_000
TRIAGE = Actor(agent="triage", workflow="tickets")


@pytest.fixture
def spend(db: Database) -> SpendService:
    return SpendService(db, fixed_clock)


async def test_every_use_case_asks_for_its_scope(spend: SpendService, tenant: TenantId) -> None:
    def without(missing: Scope) -> object:
        return caller(tenant, [scope for scope in Scope if scope is not missing])

    for missing, call in (
        (Scope.AI_READ, lambda who: spend.events(who, EventsRequest())),
        (Scope.AI_READ, lambda who: spend.summary(who, OCTOBER)),
        (Scope.AI_READ, lambda who: spend.unit_economics(who, OCTOBER)),
        (Scope.AGENT_READ, lambda who: spend.agent_cost(who, "triage", OCTOBER)),
        (Scope.WORKLOAD_READ, lambda who: spend.workflow_cost(who, "tickets", OCTOBER)),
    ):
        with pytest.raises(Forbidden, match=missing.value):
            await call(without(missing))


async def test_every_priced_row_says_where_its_price_came_from(
    db: Database, database: databases.Database, spend: SpendService, tenant: TenantId
) -> None:
    since = datetime(2026, 1, 1, tzinfo=UTC)
    listed = await add_list_price(database, "p-1", "3", since, source="list-2026")
    own = await add_override(db, tenant, "p-1", "2", since)
    ago = [NOW - timedelta(hours=n) for n in (1, 2, 3)]
    await add_uses(
        db,
        tenant,
        [
            Use(ago[0], dimension(), USD, price_version=listed),
            Use(ago[1], dimension(), USD, price_version=own),
            Use(ago[2], dimension(), None),
        ],
    )
    page = await spend.events(caller(tenant), EventsRequest())
    origins = [row.price and (row.price.source, row.price.is_override) for row in page.rows]
    assert origins == [("list-2026", False), ("contract", True), None]
    assert page.rows[0].price is not None
    assert page.rows[0].price.effective_from == since


async def test_without_a_window_the_last_24_hours_are_listed(
    db: Database, spend: SpendService, tenant: TenantId
) -> None:
    day = timedelta(hours=24)
    await add_uses(db, tenant, [Use(NOW - day, dimension()), Use(NOW - 2 * day, dimension())])
    page = await spend.events(caller(tenant), EventsRequest())
    assert [row.event.ts for row in page.rows] == [NOW - day]
    assert (page.window.start, page.window.end) == (NOW - day, NOW)


@pytest.mark.parametrize(
    ("ask", "limit", "field"),
    [
        (EventsRequest("2026-06-01", "2026-10-01"), None, "from"),
        (EventsRequest("2026-10-01", "2026-09-01"), None, "from"),
        (EventsRequest("then"), None, "from"),
        (EventsRequest(), 0, "limit"),
        (EventsRequest(), 1_001, "limit"),
    ],
)
async def test_a_listing_that_cannot_be_answered_is_refused_by_name(
    spend: SpendService, tenant: TenantId, ask: EventsRequest, limit: int | None, field: str
) -> None:
    with pytest.raises(ValidationFailed) as refused:
        await spend.events(caller(tenant), ask, limit)
    assert refused.value.field == field


async def test_every_listing_is_written_to_the_ledger_and_a_refused_one_is_not(
    db: Database, spend: SpendService, tenant: TenantId
) -> None:
    only = SpendFilter(agent="triage")
    await spend.events(caller(tenant), EventsRequest(filter=only))
    await spend.events(caller(tenant), EventsRequest(filter=only))
    with pytest.raises(ValidationFailed):
        await spend.events(caller(tenant), EventsRequest("never"))
    async with db.tenant(tenant) as tx:
        rows = await tx.all("SELECT actor, resource_type, detail FROM app.audit_entry")
    assert [(row.actor, row.resource_type) for row in rows] == [("user:user-1", "spend.events")] * 2
    assert rows[0].detail["filter"] == {"agent": "triage"}


async def test_the_summary_adds_up_four_ways_and_leaves_gpu_hours_out(
    db: Database, spend: SpendService, tenant: TenantId
) -> None:
    gpu = dimension(source=Source.GPU_AGENT, model_id="")
    openai = dimension(source=Source.OPENAI_API, provider="openai", model_id="gpt", team="")
    await add_uses(
        db,
        tenant,
        [
            Use(at(DAY), dimension(), 1 * USD),
            Use(at(DAY), openai, 2 * USD),
            Use(at(DAY), gpu, 50 * USD),
            Use(at(DAY), dimension(model_id="vendor.mystery", application="x"), None),
        ],
    )
    found = await spend.summary(caller(tenant), OCTOBER)
    assert found.sums.cost_nano == 3 * USD
    for table in (found.by_provider, found.by_model, found.by_application, found.by_team):
        assert sum(row.sums.total.cost_nano for row in table.rows) == 3 * USD
    assert [row.key[0] for row in found.by_provider.rows] == ["openai", "bedrock"]
    assert [row.key[0] for row in found.by_team.rows] == ["", "care"]
    assert [part.model_id for part in found.unpriced] == ["vendor.mystery"]


async def test_unit_costs_divide_the_cost_of_rows_that_have_volumes(
    db: Database, spend: SpendService, tenant: TenantId
) -> None:
    uses = [
        Use(at(DAY), dimension(), 3 * USD, input_tokens=1000, cached_tokens=3000, output_tokens=500)
        for _ in range(2)
    ]
    await add_uses(db, tenant, uses)
    await add_bill(db, tenant, [Billed(DAY, dimension(model_id="billed.only"), 90 * USD)])
    found = await spend.unit_economics(caller(tenant), OCTOBER)
    figures = found.total.figures
    assert figures.usd_per_1k_input_tokens == Decimal("0.75")
    assert figures.usd_per_1k_output_tokens == Decimal(6)
    assert figures.usd_per_request == Decimal(3)
    assert figures.cache_hit_rate == Decimal("0.75")
    assert not figures.is_lower_bound
    billed = next(row for row in found.rows if row.key == ("billed.only",))
    assert billed.figures.usd_per_request is None
    assert billed.sums.cost_nano == 90 * USD


async def test_an_agents_cost_comes_by_day_model_and_workflow(
    db: Database, spend: SpendService, tenant: TenantId
) -> None:
    nova = dimension(model_id="amazon.nova-lite-v1:0")
    await add_uses(
        db,
        tenant,
        [
            Use(at(DAY), dimension(), 1 * USD, who=TRIAGE),
            Use(at(DAY + timedelta(days=1)), nova, 2 * USD, who=Actor(agent="triage")),
            Use(at(DAY), dimension(), 4 * USD, who=Actor(agent="other")),
            Use(at(DAY), dimension(), 8 * USD),
        ],
    )
    await add_bill(db, tenant, [Billed(DAY, dimension(model_id="billed.only"), 90 * USD)])
    ask = CostRequest("2026-10-05", "2026-10-08")
    found = await spend.agent_cost(caller(tenant), "triage", ask)
    assert found.sums.cost_nano == 3 * USD
    assert [point.sums.cost_nano for point in found.daily.points] == [1 * USD, 2 * USD, 0]
    assert found.by_model.rows[0].key == ("amazon.nova-lite-v1:0",)
    assert {row.key[0]: row.sums.cost_nano for row in found.by_partner.rows} == {
        "": 2 * USD,
        "tickets": 1 * USD,
    }
    assert found.beside == ()
    flow = await spend.workflow_cost(caller(tenant), "tickets", ask)
    assert flow.sums.cost_nano == 1 * USD
    assert [row.key[0] for row in flow.by_partner.rows] == ["triage"]


async def test_an_agent_that_was_never_seen_is_not_found_and_a_quiet_one_costs_zero(
    db: Database, spend: SpendService, tenant: TenantId
) -> None:
    await add_uses(db, tenant, [Use(at(DAY), dimension(), USD, who=TRIAGE)])
    for name in ("nobody", ""):
        with pytest.raises(NotFound):
            await spend.agent_cost(caller(tenant), name, OCTOBER)
    with pytest.raises(NotFound):
        await spend.workflow_cost(caller(tenant), "triage", OCTOBER)
    quiet = await spend.agent_cost(
        caller(tenant), "triage", CostRequest("2026-09-01", "2026-09-03")
    )
    assert quiet.sums.cost_nano == 0
    assert [point.sums.cost_nano for point in quiet.daily.points] == [0, 0]


async def test_two_tenants_side_by_side_see_only_their_own(
    db: Database, database: databases.Database, spend: SpendService, tenant: TenantId
) -> None:
    stranger = caller(await make_tenant(database))
    await add_uses(db, tenant, [Use(NOW - timedelta(hours=1), dimension(), USD, who=TRIAGE)])
    assert (await spend.events(stranger, EventsRequest())).rows == ()
    assert (await spend.summary(stranger, OCTOBER)).sums.by_grain == {}
    units = await spend.unit_economics(stranger, OCTOBER, GroupBy.TEAM)
    assert (units.rows, units.total.figures.usd_per_request) == ((), None)
    with pytest.raises(NotFound):
        await spend.agent_cost(stranger, "triage", OCTOBER)
    with pytest.raises(NotFound):
        await spend.workflow_cost(stranger, "tickets", OCTOBER)


async def test_unit_costs_of_reconciled_days_divide_what_was_billed(
    db: Database, spend: SpendService, tenant: TenantId
) -> None:
    use = Use(at(DAY), dimension(), None, who=TRIAGE, input_tokens=4_000_000, output_tokens=0)
    await add_uses(db, tenant, [use])
    await load_bill(db, tenant, [bill_line(DAY)])
    await reconcile_month(db, tenant, date(2026, 11, 1))
    found = await spend.unit_economics(caller(tenant), OCTOBER)
    assert found.total.figures.usd_per_1k_input_tokens == Decimal("0.001")
    assert not found.total.figures.is_lower_bound
    assert found.settlement.billed_nano == 5 * USD
    estimated = await spend.unit_economics(
        caller(tenant), replace(OCTOBER, basis=CostBasis.ESTIMATE)
    )
    assert estimated.total.figures.is_lower_bound
    agent = await spend.agent_cost(caller(tenant), "triage", OCTOBER)
    assert (agent.sums.cost_nano, agent.settlement.estimated_nano) == (4 * USD, 0)
    assert [point.sums.cost_nano for point in agent.daily.points][DAY.day - 1] == 4 * USD
    summary = await spend.summary(caller(tenant), replace(OCTOBER, charges=Charges.INVOICE))
    assert (summary.sums.cost_nano, summary.unpriced) == (5 * USD, ())
