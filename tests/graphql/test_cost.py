"""Cost and spend as the dashboard asks for them, over real rollups."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import orjson
import pytest
from strawberry.http import process_result

from tensorcost.domain.ids import TenantId
from tensorcost.domain.spend.bill import ChargeCategory
from tensorcost.domain.spend.facts import Actor
from tensorcost.graphql.context import GraphqlContext
from tensorcost.graphql.execution.engine import Engine
from tensorcost.graphql.schema import build_schema
from tests.graphql.world import TRACE, GraphqlWorld
from tests.support.bills import bill_line, load_bill
from tests.support.databases import Database
from tests.support.price_rows import add_list_price
from tests.support.principals import caller
from tests.support.reconciled import reconcile_month
from tests.support.spend import dimension
from tests.support.spend_rows import Use, add_uses, at
from tests.support.tenants import make_tenant

DAY = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=2)
WINDOW = {
    "from": (DAY - timedelta(days=1)).date().isoformat(),
    "to": (DAY + timedelta(days=1)).date().isoformat(),
}
CHATTY = Actor(user="ada", agent="triage", workflow="nightly")


@pytest.fixture(scope="module")
async def spender(face: GraphqlWorld, database: Database) -> TenantId:
    """A tenant with eight priced uses of one team and one unpriced one of another."""
    tenant = await make_tenant(database)
    care = dimension(team="care")
    labs = dimension(team="labs", model_id="fake.unknown-model-v1:0")
    uses = [
        Use(DAY + timedelta(minutes=n), care, cost_nano=250_000_001, who=CHATTY) for n in range(8)
    ]
    uses.append(Use(DAY, labs, cost_nano=None, input_tokens=7, output_tokens=1))
    await add_uses(face.world.database, tenant, uses)
    return tenant


async def test_the_summary_answers_exact_money_and_says_what_is_unpriced(
    face: GraphqlWorld, spender: TenantId
) -> None:
    query = """query ($window: WindowInput) { costSummary(window: $window) {
        window { from to } asOf
        totals { cost requests inputTokens outputTokens unpricedRequests grains { grain cost } }
        bySource { name cost requests }
        unpriced { modelId requests tokens reason }
        freshness { source grain } } }"""
    found = (await face.data(caller(spender), query, window=WINDOW))["costSummary"]
    assert found["window"]["from"] == f"{WINDOW['from']}T00:00:00Z"
    assert found["totals"] == {
        "cost": "2.000000008",
        "requests": 9,
        "inputTokens": 807,
        "outputTokens": 81,
        "unpricedRequests": 1,
        "grains": [{"grain": "REQUEST", "cost": "2.000000008"}],
    }
    assert found["bySource"][0] == {"name": "bedrock", "cost": "2.000000008", "requests": 9}
    assert {row["cost"] for row in found["bySource"][1:]} == {"0.000000000"}
    (part,) = found["unpriced"]
    assert (part["modelId"], part["requests"], part["tokens"]) == ("fake.unknown-model-v1:0", 1, 8)
    assert found["freshness"] == [{"source": "bedrock", "grain": "REQUEST"}]


@pytest.mark.parametrize(
    ("dimension_name", "rows"),
    [
        ("TEAM", [("care", "2.000000008", 8), ("labs", None, 1)]),
        ("AGENT", [("triage", "2.000000008", 8), (None, None, 1)]),
        ("USER", [("ada", "2.000000008", 8), (None, None, 1)]),
        ("REGION", [("us-east-1", "2.000000008", 9)]),
        ("ACCOUNT", [("111122223333", "2.000000008", 9)]),
    ],
)
async def test_a_breakdown_has_a_row_a_group_and_null_for_what_names_nothing(
    face: GraphqlWorld, spender: TenantId, dimension_name: str, rows: list[tuple[Any, ...]]
) -> None:
    query = """query ($by: CostDimension!, $window: WindowInput) {
        costBreakdown(dimension: $by, window: $window) {
            dimension rows { name cost requests } rest { cost } restCount } }"""
    found = await face.data(caller(spender), query, by=dimension_name, window=WINDOW)
    breakdown = found["costBreakdown"]
    assert [tuple(row.values()) for row in breakdown["rows"]] == rows
    assert (breakdown["dimension"], breakdown["rest"]) == (dimension_name, None)


async def test_a_filter_and_a_limit_narrow_the_answer(
    face: GraphqlWorld, spender: TenantId
) -> None:
    query = """query ($window: WindowInput) {
        care: costBreakdown(dimension: MODEL, window: $window, filter: {team: "care"}) {
            totals { requests } }
        one: costBreakdown(dimension: TEAM, window: $window, limit: 1) {
            rows { name } rest { requests } restCount } }"""
    found = await face.data(caller(spender), query, window=WINDOW)
    assert found["care"]["totals"]["requests"] == 8
    assert found["one"] == {"rows": [{"name": "care"}], "rest": {"requests": 1}, "restCount": 1}


async def test_as_of_answers_with_what_was_known_then(
    face: GraphqlWorld, spender: TenantId
) -> None:
    query = """query ($window: WindowInput) {
        costBySource(window: $window) { asOf totals { requests } } }"""
    early = {**WINDOW, "asOf": (DAY - timedelta(days=9)).isoformat()}
    found = await face.data(caller(spender), query, window=early)
    assert found["costBySource"]["totals"]["requests"] == 0
    assert found["costBySource"]["asOf"].endswith("Z")


async def test_reconciled_days_answer_with_the_bill_and_say_so(
    face: GraphqlWorld, tenant: TenantId
) -> None:
    day = date(2026, 3, 5)
    who = Actor(agent="triage")
    use = Use(at(day), dimension(), None, who=who, input_tokens=3_000_000, output_tokens=0)
    await add_uses(face.world.database, tenant, [use])
    lines = [
        bill_line(day, net_nano=4_500_000_000),
        bill_line(day, charge_category=ChargeCategory.CREDIT, unblended_nano=-1_000_000_000),
    ]
    await load_bill(face.world.database, tenant, lines, period=date(2026, 3, 1))
    await reconcile_month(face.world.database, tenant, date(2026, 3, 31))
    query = """query ($window: WindowInput) {
        costSummary(window: $window) { basis charges reconciledDays reconciledThrough billed
            estimated totals { cost unpricedRequests } beside { reason cost } unpriced { modelId } }
        costBreakdown(dimension: TEAM, window: $window, charges: INVOICE) {
            charges totals { cost } rows { name cost } }
        costTimeSeries(window: $window, basis: ESTIMATE) { basis billed estimated }
        agentCost(agent: "triage", window: $window, basis: NET) {
            basis billed totals { cost } } }"""
    window = {"from": "2026-03-01", "to": "2026-04-01"}
    found = await face.data(caller(tenant), query, window=window)
    assert found["costSummary"] == {
        "basis": "UNBLENDED",
        "charges": "USAGE",
        "reconciledDays": 30,
        "reconciledThrough": "2026-03-30",
        "billed": "5.000000000",
        "estimated": "0.000000000",
        "totals": {"cost": "5.000000000", "unpricedRequests": 0},
        "beside": [{"reason": "credit", "cost": "-1.000000000"}],
        "unpriced": [],
    }
    assert found["costBreakdown"]["totals"] == {"cost": "4.000000000"}
    assert {row["name"]: row["cost"] for row in found["costBreakdown"]["rows"]} == {
        "care": "3.000000000",
        "(unattributed)": "2.000000000",
        "(credit)": "-1.000000000",
    }
    assert found["costTimeSeries"] == {
        "basis": "ESTIMATE",
        "billed": "0.000000000",
        "estimated": None,
    }
    assert found["agentCost"] == {
        "basis": "NET",
        "billed": "2.700000000",
        "totals": {"cost": "2.700000000"},
    }


async def test_a_series_has_a_point_a_bucket_and_says_which_are_whole(
    face: GraphqlWorld, spender: TenantId
) -> None:
    query = """query ($window: WindowInput, $step: CostStep!) {
        costTimeSeries(window: $window, step: $step, dimension: TEAM) {
            step lines { name isRest points { start isWhole cost requests } } } }"""
    for step, buckets in (("DAY", 2), ("HOUR", 48)):
        found = await face.data(caller(spender), query, window=WINDOW, step=step)
        lines = found["costTimeSeries"]["lines"]
        assert {line["name"] for line in lines} == {"care", "labs"}
        assert all(len(line["points"]) == buckets for line in lines)
        care = next(line for line in lines if line["name"] == "care")
        assert sum(point["requests"] for point in care["points"]) == 8
        assert care["points"][0]["isWhole"]


async def test_spend_events_are_paged_without_gaps_or_repeats(
    face: GraphqlWorld, spender: TenantId
) -> None:
    query = """query ($from: Moment, $to: Moment, $after: String) {
        aiSpend(first: 4, after: $after, from: $from, to: $to) {
            edges { cursor node { id ts cost team agent price { version } } }
            pageInfo { hasNextPage hasPreviousPage endCursor } } }"""
    seen: list[dict[str, Any]] = []
    after = None
    while True:
        found = await face.data(caller(spender), query, **WINDOW, after=after)
        page = found["aiSpend"]
        seen += [edge["node"] for edge in page["edges"]]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    assert len(seen) == len({node["id"] for node in seen}) == 9
    assert [node["ts"] for node in seen] == sorted((n["ts"] for n in seen), reverse=True)
    assert sum(node["cost"] is None for node in seen) == 1


async def test_only_unpriced_events_can_be_asked_for(face: GraphqlWorld, spender: TenantId) -> None:
    query = """query ($from: Moment, $to: Moment) {
        aiSpend(first: 50, from: $from, to: $to, unpricedOnly: true) { nodes { team cost } } }"""
    found = await face.data(caller(spender), query, **WINDOW)
    assert found["aiSpend"]["nodes"] == [{"team": "labs", "cost": None}]


async def test_unit_economics_agents_and_workflows(face: GraphqlWorld, spender: TenantId) -> None:
    query = """query ($window: WindowInput) {
        aiSpendSummary(window: $window) { totals { cost } byTeam { name cost } }
        unitEconomics(dimension: TEAM, window: $window) {
            total { figures { isLowerBound } } rows { name figures { usdPerRequest } } }
        agentCost(agent: "triage", window: $window) {
            totals { cost } byPartner { name } daily { points { cost } } }
        workflowCost(workflow: "nightly", window: $window) { totals { cost } }
        missing: agentCost(agent: "nobody") { name } }"""
    answer = await face.ask(caller(spender), query, window=WINDOW)
    found = answer["data"]
    assert found["aiSpendSummary"]["totals"]["cost"] == "2.000000008"
    assert found["unitEconomics"]["rows"][0]["figures"]["usdPerRequest"] == "0.250000001"
    assert found["unitEconomics"]["total"]["figures"]["isLowerBound"]
    assert found["agentCost"]["totals"] == found["workflowCost"]["totals"]
    assert found["agentCost"]["byPartner"] == [{"name": "nightly"}]
    assert found["missing"] is None
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["NOT_FOUND"]


async def test_prices_in_force_are_exact_and_a_model_without_any_is_not_found(
    face: GraphqlWorld, spender: TenantId, database: Database
) -> None:
    await add_list_price(database, "fake.priced-v1:0", "0.80", DAY)
    query = """{ prices(modelId: "fake.priced-v1:0") {
        prices { kind usdPerMillion isOverride version } }
        missing: prices(modelId: "fake.none") { modelId } }"""
    answer = await face.ask(caller(spender), query)
    assert answer["data"]["missing"] is None
    assert answer["errors"][0]["extensions"]["code"] == "NOT_FOUND"
    found = answer["data"]["prices"]["prices"]
    assert [(price["kind"], price["usdPerMillion"]) for price in found] == [
        ("input", "0.80"),
        ("output", "0.80"),
    ]


@pytest.mark.parametrize(
    "query",
    [
        "{ aiSpend(first: 9, from: $from, to: $to) { nodes { __typename id ts cost quantity "
        "modelId grain source inputTokens tags recordedCost latencyMs } } }",
        "{ aiSpend(first: 3, from: $from, to: $to) { edges { cursor n: node { c: cost } } "
        "pageInfo { endCursor hasNextPage } } }",
        "{ aiSpend(first: 9, from: $from, to: $to) { nodes { id price { version source } } } }",
        "{ costTimeSeries(window: {from: $from, to: $to}, dimension: TEAM) { step asOf "
        "lines { name points { start isWhole cost tokens } totals { cost } } } }",
        "{ tenant { id name plan createdAt } members(first: 5) { nodes { email } } }",
    ],
)
async def test_the_answer_is_byte_for_byte_that_of_strawberrys_own_execution(
    face: GraphqlWorld, spender: TenantId, query: str
) -> None:
    for name, value in WINDOW.items():
        query = query.replace(f"${name}", f'"{value}"')
    context = GraphqlContext(caller(spender), face.deps.services, TRACE)
    theirs = process_result(await build_schema().execute(query, context_value=context))
    engine = Engine(build_schema(), face.deps.settings)
    for _ in range(2):
        admitted = engine.admit(query, None, {})
        assert not isinstance(admitted, list)
        fresh = GraphqlContext(caller(spender), face.deps.services, TRACE)
        ours = engine.encode(await engine.run(admitted, fresh), TRACE)
        assert ours == orjson.dumps(theirs, option=orjson.OPT_UTC_Z)
        assert b'"errors"' not in ours
