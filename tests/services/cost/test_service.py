"""The cost use cases: what they answer, for whom, and what they refuse."""

from datetime import UTC, date, datetime, timedelta

import pytest

from tensorcost.domain.cost.query import GroupBy, SpendFilter, Step
from tensorcost.domain.cost.query_window import Window
from tensorcost.domain.cost.summary import Verdict
from tensorcost.domain.errors import Forbidden, ValidationFailed
from tensorcost.domain.identity.scopes import Scope
from tensorcost.domain.ids import TenantId
from tensorcost.domain.spend.facts import Grain, Source
from tensorcost.services.cost.asking import CostRequest
from tensorcost.services.cost.service import CostService
from tensorcost.storage.session import Database
from tests.support import databases
from tests.support.price_rows import add_list_price
from tests.support.principals import NOW, caller, fixed_clock
from tests.support.spend import dimension
from tests.support.spend_rows import Billed, Use, add_bill, add_uses, at
from tests.support.tenants import make_tenant

DAY = date(2026, 10, 5)
OCTOBER = CostRequest("2026-10-01", "2026-11-01")
USD = 1_000_000_000


@pytest.fixture
def costs(db: Database) -> CostService:
    return CostService(db, fixed_clock)


async def test_every_use_case_asks_for_its_scope(costs: CostService, tenant: TenantId) -> None:
    nobody = caller(tenant, [scope for scope in Scope if scope is not Scope.COST_READ])
    for call in (
        costs.summary(nobody, OCTOBER),
        costs.by_source(nobody, OCTOBER),
        costs.by_tag(nobody, OCTOBER, GroupBy.TEAM),
        costs.breakdown(nobody, OCTOBER, GroupBy.MODEL),
        costs.timeseries(nobody, OCTOBER),
    ):
        with pytest.raises(Forbidden, match="cost:read"):
            await call


async def test_a_summary_names_what_it_leaves_out(
    db: Database, costs: CostService, tenant: TenantId
) -> None:
    await add_uses(
        db,
        tenant,
        [
            Use(at(DAY), dimension(), 5 * USD),
            Use(at(DAY), dimension(), 7 * USD, grain=Grain.METRIC),
            Use(at(DAY), dimension(model_id="vendor.mystery"), None),
        ],
    )
    await add_bill(db, tenant, [Billed(DAY, dimension(), 2 * USD, category="Tax")])
    found = await costs.summary(caller(tenant), OCTOBER)
    assert found.sums.cost_nano == 5 * USD
    assert {(b.grain, b.reason) for b in found.by_source.beside} == {
        (Grain.METRIC, Verdict.FINER_GRAIN),
        (Grain.BILL, Verdict.TAX),
    }
    (part,) = found.unpriced
    assert (part.model_id, part.reason) == ("vendor.mystery", "unknown_model")
    assert (part.requests, part.tokens) == (1, 110)
    assert found.window == Window.of_days(date(2026, 10, 1), date(2026, 11, 1))


async def test_the_reason_of_an_unpriced_part_comes_from_the_price_book(
    db: Database, database: databases.Database, costs: CostService, tenant: TenantId
) -> None:
    august = datetime(2026, 8, 1, tzinfo=UTC)
    await add_list_price(database, "r.input-only", "1", august, kinds=("input",))
    await add_list_price(database, "r.later", "1", datetime(2026, 12, 1, tzinfo=UTC))
    await add_list_price(database, "r.since", "1", august)
    models = ("r.input-only", "r.later", "r.since")
    uses = [Use(at(DAY), dimension(model_id=model), None) for model in models]
    tier = dimension(model_id="r.since", service_tier="flex")
    await add_uses(db, tenant, [*uses, Use(at(DAY), tier, None)])
    found = await costs.summary(caller(tenant), OCTOBER)
    assert {(part.model_id, part.reason) for part in found.unpriced} == {
        ("r.input-only", "unknown_token_kind"),
        ("r.later", "no_price_at_time"),
        ("r.since", "priced_since"),
        ("r.since", "unknown_tier"),
    }


async def test_all_six_sources_are_listed_and_the_empty_ones_are_zero(
    db: Database, costs: CostService, tenant: TenantId
) -> None:
    await add_uses(db, tenant, [Use(at(DAY), dimension(source=Source.VERTEX), 5 * USD)])
    found = await costs.by_source(caller(tenant), OCTOBER)
    assert [(row.key[0], row.sums.cost_nano) for row in found.table.rows] == [
        ("vertex", 5 * USD),
        ("bedrock", 0),
        ("azure_openai", 0),
        ("openai_api", 0),
        ("anthropic_api", 0),
        ("gpu_agent", 0),
    ]


async def test_what_carries_no_tag_is_a_row_of_its_own(
    db: Database, costs: CostService, tenant: TenantId
) -> None:
    bare = dimension(application="", team="")
    await add_uses(db, tenant, [Use(at(DAY), dimension(), USD), Use(at(DAY), bare, 2 * USD)])
    found = await costs.by_tag(caller(tenant), OCTOBER, GroupBy.TEAM)
    assert [(row.key, row.sums.cost_nano) for row in found.table.rows] == [
        (("",), 2 * USD),
        (("care",), USD),
    ]


async def test_by_tag_takes_the_four_tags_only(costs: CostService, tenant: TenantId) -> None:
    with pytest.raises(ValidationFailed, match="application, team, environment, owner"):
        await costs.by_tag(caller(tenant), OCTOBER, GroupBy.MODEL)


async def test_rows_beyond_the_limit_are_summed_not_lost(
    db: Database, costs: CostService, tenant: TenantId
) -> None:
    await add_uses(
        db, tenant, [Use(at(DAY), dimension(team=f"t{n}"), n * USD) for n in range(1, 6)]
    )
    found = await costs.by_tag(caller(tenant), OCTOBER, GroupBy.TEAM, limit=2)
    assert [row.key[0] for row in found.table.rows] == ["t5", "t4"]
    assert found.table.rest is not None
    assert (found.table.rest_count, found.table.rest.sums.cost_nano) == (3, 6 * USD)
    assert found.table.sums.cost_nano == 15 * USD


async def test_without_a_window_the_last_30_days_of_the_tenants_calendar_are_meant(
    db: Database, costs: CostService, tenant: TenantId
) -> None:
    utc = await costs.by_source(caller(tenant), CostRequest())
    assert utc.window == Window.of_days(date(2026, 9, 21), date(2026, 10, 21))
    async with db.tenant(tenant) as tx:
        await tx.run("UPDATE app.tenant SET time_zone = 'Pacific/Kiritimati'")
    east = await costs.by_source(caller(tenant), CostRequest())
    assert east.window == Window.of_days(date(2026, 9, 22), date(2026, 10, 22))


async def test_as_of_answers_with_what_was_known_then(
    db: Database, costs: CostService, tenant: TenantId
) -> None:
    loaded = [datetime(2026, 10, day, 3, tzinfo=UTC) for day in (6, 8, 10)]
    await add_uses(db, tenant, [Use(at(DAY), dimension(), 7 * USD, grain=Grain.METRIC)], loaded[0])
    await add_uses(db, tenant, [Use(at(DAY), dimension(), 4 * USD)], loaded[1])
    other = dimension(model_id="cohere.embed-v4:0")
    await add_bill(db, tenant, [Billed(DAY, other, 2 * USD)], known_at=loaded[1])
    await add_bill(db, tenant, [Billed(DAY, other, 3 * USD)], known_at=loaded[2])

    async def total(as_of: str) -> int | None:
        ask = CostRequest("2026-10-01", "2026-11-01", as_of)
        return (await costs.summary(caller(tenant), ask)).sums.cost_nano

    assert await total("2026-10-05") == 0
    assert await total("2026-10-06") == 7 * USD
    assert await total("2026-10-08T02:59:59Z") == 7 * USD
    assert await total("2026-10-08") == 6 * USD
    assert await total("2026-10-10T03:00:00Z") == 7 * USD
    assert await total(NOW.date().isoformat()) == 7 * USD
    now = await costs.summary(caller(tenant), OCTOBER)
    assert now.sums.cost_nano == 7 * USD


@pytest.mark.parametrize(
    ("ask", "field"),
    [
        (CostRequest("2026-10-05", "2026-10-01"), "from"),
        (CostRequest("2026-10-05", "2026-10-05"), "from"),
        (CostRequest("2020-01-01", "2026-10-01"), "from"),
        (CostRequest("yesterday"), "from"),
        (CostRequest("2026-02-30"), "from"),
        (CostRequest(None, "2026-10-05T12:00:00"), "to"),
        (CostRequest("2026-10-05T12:30:00Z"), "from"),
        (CostRequest("2026-10-01", "2026-10-05", "2026-10-21"), "as_of"),
        (CostRequest("2026-10-01", "2026-10-05", "soon"), "as_of"),
        (CostRequest("2026-10-01T06:00:00Z", "2026-10-05", "2026-10-19"), "as_of"),
        (CostRequest("9999-12-31", "9999-12-31T23:00:00Z"), "to"),
    ],
)
async def test_a_window_that_cannot_be_answered_is_refused_by_name(
    costs: CostService, tenant: TenantId, ask: CostRequest, field: str
) -> None:
    with pytest.raises(ValidationFailed) as refused:
        await costs.summary(caller(tenant), ask)
    assert refused.value.field == field


async def test_a_daily_series_fills_empty_days_and_marks_the_day_that_is_not_over(
    db: Database, costs: CostService, tenant: TenantId
) -> None:
    await add_uses(db, tenant, [Use(at(date(2026, 10, 18)), dimension(), 3 * USD)])
    found = await costs.timeseries(caller(tenant), CostRequest("2026-10-17", "2026-10-21"))
    (line,) = found.lines
    assert [point.sums.cost_nano for point in line.points] == [0, 3 * USD, 0, 0]
    assert [bucket.start.day for bucket in found.buckets] == [17, 18, 19, 20]
    assert [bucket.is_whole for bucket in found.buckets] == [True, True, True, False]


async def test_an_hourly_series_has_a_point_an_hour_and_lines_beyond_the_limit_in_one(
    db: Database, costs: CostService, tenant: TenantId
) -> None:
    uses = [Use(at(DAY, n), dimension(team=f"t{n}"), (n + 1) * USD) for n in range(4)]
    await add_uses(db, tenant, uses)
    ask = CostRequest("2026-10-05T00:00:00Z", "2026-10-05T04:00:00Z")
    found = await costs.timeseries(caller(tenant), ask, Step.HOUR, GroupBy.TEAM, lines=2)
    assert [(line.key, line.sums.cost_nano) for line in found.lines] == [
        (("t3",), 4 * USD),
        (("t2",), 3 * USD),
        ((), 3 * USD),
    ]
    rest = found.lines[-1]
    assert [point.sums.cost_nano for point in rest.points] == [USD, 2 * USD, 0, 0]
    assert found.sums.cost_nano == 10 * USD


async def test_an_hourly_series_is_refused_beyond_35_days(
    costs: CostService, tenant: TenantId
) -> None:
    with pytest.raises(ValidationFailed, match="35 days"):
        await costs.timeseries(caller(tenant), CostRequest("2026-08-01", "2026-10-01"), Step.HOUR)


async def test_the_watermark_is_the_day_before_the_newest_or_later_where_a_read_proves_it(
    db: Database, costs: CostService, tenant: TenantId
) -> None:
    await add_uses(
        db,
        tenant,
        [
            Use(at(date(2026, 10, 10)), dimension()),
            Use(at(date(2026, 10, 20)), dimension(source=Source.VERTEX, model_id="gemini")),
        ],
    )
    await add_bill(db, tenant, [Billed(date(2026, 10, 16), dimension(model_id="x"))])

    async def marks() -> dict[tuple[str, Grain], date]:
        found = await costs.summary(caller(tenant), OCTOBER)
        return {(mark.source, mark.grain): mark.complete_through for mark in found.freshness}

    assert await marks() == {
        ("bedrock", Grain.REQUEST): date(2026, 10, 9),
        ("bedrock", Grain.BILL): date(2026, 10, 15),
        ("vertex", Grain.REQUEST): date(2026, 10, 19),
    }
    async with db.tenant(tenant) as tx:
        await tx.run(
            "INSERT INTO app.connection (tenant_id, connection_id, provider, name, state, "
            "account_id, last_synced_at) VALUES (:tenant, uuidv7(), 'bedrock', 'c', 'connected', "
            "'111122223333', :synced)",
            tenant=tenant,
            synced=NOW - timedelta(hours=1),
        )
    assert await marks() == {
        ("bedrock", Grain.REQUEST): date(2026, 10, 19),
        ("bedrock", Grain.BILL): date(2026, 10, 17),
        ("vertex", Grain.REQUEST): date(2026, 10, 19),
    }


async def test_two_tenants_side_by_side_see_only_their_own(
    db: Database, database: databases.Database, costs: CostService, tenant: TenantId
) -> None:
    other = await make_tenant(database)
    await add_uses(db, tenant, [Use(at(DAY), dimension(), None)])
    await add_bill(db, tenant, [Billed(DAY, dimension(model_id="x"), 2 * USD)])
    stranger = caller(other)
    summary = await costs.summary(stranger, OCTOBER)
    known = CostRequest("2026-10-01", "2026-11-01", "2026-10-20")
    before = await costs.summary(stranger, known)
    series = await costs.timeseries(stranger, OCTOBER, Step.DAY, GroupBy.MODEL)
    assert summary.sums.by_grain == before.sums.by_grain == series.sums.by_grain == {}
    assert (summary.unpriced, summary.freshness, summary.by_source.beside) == ((), (), ())
    for group in GroupBy:
        assert (await costs.breakdown(stranger, OCTOBER, group)).table.rows == ()


async def test_sums_are_written_to_the_ledger_once_a_minute_and_caller(
    db: Database, tenant: TenantId
) -> None:
    moment = NOW
    costs = CostService(db, lambda: moment)
    for subject in ("ana", "ben", "ana"):
        await costs.summary(caller(tenant, subject=subject), OCTOBER)
    moment += timedelta(minutes=1)
    await costs.summary(caller(tenant, subject="ana"), OCTOBER)
    await costs.by_source(caller(tenant, subject="ana"), OCTOBER)
    with pytest.raises(ValidationFailed):
        await costs.timeseries(caller(tenant, subject="ana"), CostRequest("never"))
    async with db.tenant(tenant) as tx:
        rows = await tx.all("SELECT actor, resource_type FROM app.audit_entry ORDER BY at")
    assert [tuple(row) for row in rows] == [
        ("user:ana", "cost.summary"),
        ("user:ben", "cost.summary"),
        ("user:ana", "cost.summary"),
        ("user:ana", "cost.by_source"),
    ]


async def test_a_filter_narrows_every_part_of_a_summary(
    db: Database, costs: CostService, tenant: TenantId
) -> None:
    mystery = dimension(model_id="vendor.mystery", team="x")
    await add_uses(db, tenant, [Use(at(DAY), dimension(), USD), Use(at(DAY), mystery, None)])
    only = CostRequest("2026-10-01", "2026-11-01", filter=SpendFilter(team="care"))
    found = await costs.summary(caller(tenant), only)
    assert (found.sums.cost_nano, found.unpriced) == (USD, ())
