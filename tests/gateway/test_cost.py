"""Cost over REST: 002's paths, the envelope, exact money, and nothing of another tenant."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, timedelta
from typing import Any

import httpx2
import pytest

from tensorcost.domain.identity.scopes import Role
from tensorcost.domain.ids import TenantId
from tensorcost.domain.spend.bill import ChargeCategory
from tensorcost.domain.spend.facts import Actor, Grain
from tensorcost.gateway.routes import cost
from tensorcost.services.cost.service import CostService
from tensorcost.services.prices import PriceService
from tests.gateway.world import World
from tests.support import databases
from tests.support.bills import bill_line, load_bill
from tests.support.price_rows import add_list_price
from tests.support.reconciled import reconcile_month
from tests.support.spend import dimension
from tests.support.spend_rows import Billed, Use, add_bill, add_uses, at

DAY = date(2026, 10, 5)
OCTOBER = {"from": "2026-10-01", "to": "2026-11-01"}
PATHS = ("summary", "by-source", "by-tag", "breakdown", "timeseries")
USD = 1_000_000_000


@asynccontextmanager
async def api(world: World, token: str | None) -> AsyncIterator[httpx2.AsyncClient]:
    router = cost.router(
        CostService(world.database, world.clock), PriceService(world.database, world.clock)
    )
    async with world.client(token, routers=[router]) as client:
        yield client


async def get(client: httpx2.AsyncClient, path: str, **params: Any) -> Any:
    answer = await client.get(f"/v1/cost/{path}", params={**OCTOBER, **params})
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert (body["success"], body["count"]) == (True, 1)
    return body["data"]


async def spend_some(world: World, tenant: TenantId) -> None:
    await add_uses(
        world.database,
        tenant,
        [
            Use(at(DAY), dimension(), 1_234_567_891, who=Actor(agent="triage")),
            Use(at(DAY), dimension(), 9 * USD, grain=Grain.METRIC),
            Use(at(DAY + timedelta(days=1)), dimension(team="", model_id="vendor.mystery"), None),
        ],
    )
    await add_bill(world.database, tenant, [Billed(DAY, dimension(), USD, currency="EUR")])


async def test_a_summary_is_exact_and_says_what_is_missing(world: World) -> None:
    tenant = await world.tenant()
    await spend_some(world, tenant.tenant_id)
    async with api(world, world.token(tenant)) as client:
        data = await get(client, "summary")
    assert data["currency"] == "USD"
    assert data["window"] == {"from": "2026-10-01T00:00:00Z", "to": "2026-11-01T00:00:00Z"}
    assert data["totals"]["cost_usd"] == "1.234567891"
    assert data["totals"]["unpriced"] == {"requests": 1, "tokens": 110}
    assert data["totals"]["by_grain"]["request"]["requests"] == 2
    assert [row["key"] for row in data["by_workload"]] == ["agent", "inference"]
    assert [row["cost_usd"] for row in data["by_workload"]] == ["1.234567891", None]
    assert [
        (one["grain"], one["reason"], one["currency"], one["cost"]) for one in data["beside"]
    ] == [
        ("metric", "finer_grain", "USD", "9.000000000"),
        ("bill", "other_currency", "EUR", "1.000000000"),
    ]
    assert data["unpriced"] == [
        {
            "source": "bedrock",
            "model_id": "vendor.mystery",
            "reason": "unknown_model",
            "requests": 1,
            "tokens": 110,
        }
    ]


async def test_a_summary_says_how_complete_each_source_is(world: World) -> None:
    tenant = await world.tenant()
    today = world.clock().date()
    await add_uses(world.database, tenant.tenant_id, [Use(at(today, 0), dimension(), USD)])
    async with api(world, world.token(tenant)) as client:
        data = await get(client, "summary")
    assert data["freshness"] == [
        {
            "source": "bedrock",
            "grain": "request",
            "last_day": today.isoformat(),
            "complete_through": (today - timedelta(days=1)).isoformat(),
        }
    ]


async def test_a_reconciled_month_answers_in_the_basis_asked_for(world: World) -> None:
    tenant = await world.tenant()
    use = Use(at(DAY), dimension(), 4 * USD, input_tokens=3_000_000, output_tokens=0)
    unbilled = Use(at(DAY), dimension(usage_account_id="777788889999"), 250_000_000)
    await add_uses(world.database, tenant.tenant_id, [use, unbilled])
    lines = [
        bill_line(DAY, amortized_nano=4 * USD),
        bill_line(DAY, charge_category=ChargeCategory.TAX, unblended_nano=USD, token_kind=None),
    ]
    await load_bill(world.database, tenant.tenant_id, lines)
    await reconcile_month(world.database, tenant.tenant_id, date(2026, 10, 31))
    async with api(world, world.token(tenant)) as client:
        usage = await get(client, "summary")
        amortized = await get(client, "breakdown", group_by="team", basis="amortized")
        invoice = await get(client, "by-source", charges="invoice")
        series = await get(client, "timeseries", group_by="region", charges="invoice")
        estimate = await get(client, "by-tag", tag="team", basis="estimate")
        before = await get(client, "summary", as_of="2025-12-31")
    assert (usage["basis"], usage["charges"]) == ("unblended", "usage")
    assert (usage["reconciled_days"], usage["reconciled_through"]) == (30, "2026-10-30")
    parts = (usage["totals"]["cost_usd"], usage["billed_usd"], usage["estimated_usd"])
    assert parts == ("5.250000000", "5.000000000", "0.250000000")
    assert [(one["reason"], one["cost"]) for one in usage["beside"]] == [("tax", "1.000000000")]
    assert amortized["basis"] == "amortized"
    assert amortized["billed_usd"] == "4.000000000"
    assert [(row["key"], row["attributed"]) for row in amortized["rows"]] == [
        ("care", True),
        ("(unattributed)", False),
    ]
    assert invoice["charges"] == "invoice"
    assert (invoice["billed_usd"], invoice["estimated_usd"]) == ("6.000000000", "0.000000000")
    costs = {row["key"]: row["cost_usd"] for row in invoice["rows"]}
    assert (costs["bedrock"], costs["(tax)"]) == ("5.000000000", "1.000000000")
    points = {line["key"]: line["points"][4]["cost_usd"] for line in series["lines"]}
    assert points == {"us-east-1": "5.000000000", "(tax)": "1.000000000"}
    assert (estimate["billed_usd"], estimate["estimated_usd"]) == ("0.000000000", "4.250000000")
    assert (estimate["reconciled_days"], estimate["reconciled_through"]) == (0, None)
    assert (before["reconciled_days"], before["billed_usd"]) == (0, "0.000000000")


async def test_by_source_lists_all_six_and_by_tag_the_unattributed_part(world: World) -> None:
    tenant = await world.tenant()
    await spend_some(world, tenant.tenant_id)
    async with api(world, world.token(tenant)) as client:
        sources = await get(client, "by-source")
        teams = await get(client, "by-tag", tag="team")
    assert len(sources["rows"]) == 6
    assert {row["cost_usd"] for row in sources["rows"][1:]} == {"0.000000000"}
    assert [(row["key"], row["attributed"], row["cost_usd"]) for row in teams["rows"]] == [
        ("care", True, "1.234567891"),
        (None, False, None),
    ]


async def test_breakdowns_filters_and_series_answer(world: World) -> None:
    tenant = await world.tenant()
    await spend_some(world, tenant.tenant_id)
    async with api(world, world.token(tenant)) as client:
        agents = await get(client, "breakdown", group_by="agent", limit=1)
        unnamed = await get(client, "breakdown", group_by="team", team="")
        series = await get(client, "timeseries", to="2026-10-08", group_by="team")
        hours = await get(
            client, "timeseries", **{"from": "2026-10-05", "to": "2026-10-06"}, step="hour"
        )
    assert [row["key"] for row in agents["rows"]] == ["triage"]
    assert (agents["rest"]["groups"], agents["rest"]["unpriced"]["requests"]) == (1, 1)
    assert [row["key"] for row in unnamed["rows"]] == [None]
    assert [line["key"] for line in series["lines"]] == ["care", None]
    assert len(series["buckets"]) == len(series["lines"][0]["points"]) == 7
    assert series["lines"][0]["points"][4]["cost_usd"] == "1.234567891"
    assert hours["lines"][0]["points"][12]["cost_usd"] == "1.234567891"


@pytest.mark.parametrize(
    ("path", "params", "field"),
    [
        ("summary", {"from": "yesterday"}, "from"),
        ("summary", {"from": "2026-10-05T00:00:00"}, "from"),
        ("summary", {"as_of": "2199-01-01"}, "as_of"),
        ("summary", {"aplication": "x"}, "query.aplication"),
        ("summary", {"basis": "blended"}, "query.basis"),
        ("summary", {"charges": "all"}, "query.charges"),
        ("summary", {"basis": "estimate", "charges": "invoice"}, "charges"),
        ("by-source", {"source": "aws"}, "query.source"),
        ("by-tag", {"tag": "model"}, "query.tag"),
        ("by-tag", {"tag": "colour"}, "query.tag"),
        ("by-tag", {"limit": "0"}, "query.limit"),
        ("timeseries", {"step": "week"}, "query.step"),
        ("timeseries", {"step": "hour", "from": "2026-08-01"}, "from"),
        ("prices", {}, "query.model_id"),
    ],
)
async def test_bad_parameters_are_refused_by_name(
    world: World, path: str, params: dict[str, str], field: str
) -> None:
    tenant = await world.tenant()
    async with api(world, world.token(tenant)) as client:
        answer = await client.get(f"/v1/cost/{path}", params=params)
    body = answer.json()
    assert (answer.status_code, body["success"], body["code"]) == (400, False, "VALIDATION_FAILED")
    assert [problem["field"] for problem in body["details"]] == [field]


async def test_an_answer_as_of_a_day_does_not_know_what_came_later(world: World) -> None:
    tenant = await world.tenant()
    past = world.clock() - timedelta(days=10)
    await add_uses(
        world.database, tenant.tenant_id, [Use(at(DAY), dimension(), USD)], known_at=past
    )
    await add_uses(world.database, tenant.tenant_id, [Use(at(DAY, 13), dimension(), USD)])
    async with api(world, world.token(tenant)) as client:
        now = await get(client, "by-source")
        then = await get(client, "by-source", as_of=(past + timedelta(hours=1)).isoformat())
    assert now["totals"]["cost_usd"] == "2.000000000"
    assert then["totals"]["cost_usd"] == "1.000000000"
    assert then["as_of"] is not None


async def test_nobody_sees_another_tenants_cost_or_any_without_the_scope(world: World) -> None:
    tenant, other = await world.tenant(), await world.tenant()
    await spend_some(world, tenant.tenant_id)
    async with api(world, world.token(other)) as client:
        for path in PATHS:
            data = await get(client, path)
            assert data["totals"]["requests"] == 0, path
            assert data["beside"] == [], path
            assert "vendor.mystery" not in str(data), path
    async with api(world, None) as client:
        for path in (*PATHS, "prices?model_id=x"):
            assert (await client.get(f"/v1/cost/{path}")).status_code == 401


async def test_a_viewer_may_read_costs(world: World) -> None:
    tenant = await world.tenant()
    _, token = await world.member(tenant.tenant_id, Role.VIEWER)
    async with api(world, token) as client:
        assert (await get(client, "summary"))["totals"]["cost_usd"] == "0.000000000"


async def test_prices_in_force_show_version_and_source(
    world: World, database: databases.Database
) -> None:
    tenant = await world.tenant()
    version = await add_list_price(database, "g-1", "3.000", at(DAY), source="list-2026")
    async with api(world, world.token(tenant)) as client:
        answer = await client.get("/v1/cost/prices", params={"model_id": "g-1", "at": "2026-11-01"})
        missing = await client.get("/v1/cost/prices", params={"model_id": "none-such"})
    body = answer.json()
    assert body["count"] == 2
    price = body["data"][0]
    assert (price["usd_per_million"], price["version"], price["source"]) == (
        "3.000",
        version,
        "list-2026",
    )
    assert (missing.status_code, missing.json()["code"]) == (404, "NOT_FOUND")


DEAL = """{"deal-2": {"litellm_provider": "openai", "mode": "chat",
    "input_cost_per_token": 0.00000012345678901234567891}}"""


async def test_own_prices_are_imported_to_the_last_digit_and_once_per_key(world: World) -> None:
    """A float would hold 17 digits of this price."""
    tenant = await world.tenant()
    asked = {"effective_from": "2026-10-01", "source": "contract 7"}
    async with api(world, world.token(tenant)) as client:
        answers = [
            await client.post(
                "/v1/cost/prices",
                params=asked,
                content=DEAL,
                headers={"idempotency-key": "deal", "content-type": "application/json"},
            )
            for _ in range(2)
        ]
        found = await client.get("/v1/cost/prices", params={"model_id": "deal-2"})
    first, again = answers
    assert first.status_code == 200, first.text
    data = first.json()["data"]
    assert (data["new"], data["prices"], data["source"]) == (True, 1, "contract 7")
    assert (again.json(), again.headers["idempotent-replayed"]) == (first.json(), "true")
    (match,) = data["matches"]
    assert (match["model_id"], match["idle"], data["idle_models"]) == ("deal-2", True, 1)
    (place,) = match["places"]
    assert (place["routing_scope"], place["kinds"], place["requests"]) == ("global", ["input"], 0)
    (price,) = found.json()["data"]
    assert (price["usd_per_million"], price["override"]) == ("0.12345678901234567891", True)
    assert price["valid_from"].startswith("2026-10-01T00:00:00")


@pytest.mark.parametrize(
    ("asked", "content", "field"),
    [
        ({}, DEAL, "query.effective_from"),
        ({"effective_from": "soon", "source": "c"}, DEAL, "query.effective_from"),
        ({"effective_from": "2026-10-01", "source": ""}, DEAL, "query.source"),
        ({"effective_from": "2026-10-01", "source": "c"}, "not json", "file"),
    ],
)
async def test_a_price_import_that_is_wrong_names_the_part(
    world: World, asked: dict[str, str], content: str, field: str
) -> None:
    tenant = await world.tenant()
    async with api(world, world.token(tenant)) as client:
        answer = await client.post("/v1/cost/prices", params=asked, content=content)
    assert answer.status_code == 400, answer.text
    assert field in str(answer.json()["details"])


async def test_a_viewer_may_not_import_prices(world: World) -> None:
    tenant = await world.tenant()
    _, token = await world.member(tenant.tenant_id, Role.VIEWER)
    async with api(world, token) as client:
        answer = await client.post("/v1/cost/prices", content=DEAL)
    assert (answer.status_code, answer.json()["code"]) == (403, "FORBIDDEN")
