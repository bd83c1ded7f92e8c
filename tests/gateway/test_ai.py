"""AI spend over REST: listings with cursors, attribution, pushed events."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import httpx2
import pytest

from tensorcost.activities.ingest.pipeline import SpendIngest
from tensorcost.activities.ingest.prices import PriceBooks
from tensorcost.domain.identity.scopes import Role
from tensorcost.domain.spend.facts import Actor
from tensorcost.gateway.routes import ai
from tensorcost.services.spend.late import LateUsage
from tensorcost.services.spend.push import PushService
from tensorcost.services.spend.service import SpendService
from tests.gateway.world import World
from tests.support import databases
from tests.support.asked import Asked
from tests.support.price_rows import add_list_price
from tests.support.spend import dimension
from tests.support.spend_rows import Use, add_uses

USD = 1_000_000_000
READS = ("spend", "spend/summary", "unit-economics", "agents/a/cost", "workflows/w/cost")


@asynccontextmanager
async def api(world: World, token: str | None) -> AsyncIterator[httpx2.AsyncClient]:
    ingest = SpendIngest(world.database, PriceBooks(world.database))
    late = LateUsage(world.database, Asked(), world.clock)
    push = PushService(ingest, late, world.clock)
    router = ai.router(SpendService(world.database, world.clock), push)
    async with world.client(token, routers=[router]) as client:
        yield client


async def ok(client: httpx2.AsyncClient, path: str, **params: Any) -> Any:
    answer = await client.get(f"/v1/ai/{path}", params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


def pushed(world: World, native_id: str, **changes: Any) -> dict[str, Any]:
    return {
        "id": native_id,
        "timestamp": (world.clock() - timedelta(hours=1)).isoformat(),
        "source": "openai_api",
        "model_id": "gpt-4o-mini",
        "input_tokens": 100,
        "output_tokens": 10,
        **changes,
    }


async def test_a_listing_is_paged_by_cursor_and_shows_price_and_origin(
    world: World, database: databases.Database
) -> None:
    tenant = await world.tenant()
    version = await add_list_price(database, "x", "3", world.clock(), source="list-2026")
    ago = [world.clock() - timedelta(hours=n) for n in range(1, 6)]
    uses = [Use(t, dimension(team=""), 1_000_000_001, price_version=version) for t in ago[:4]]
    await add_uses(world.database, tenant.tenant_id, [*uses, Use(ago[4], dimension(), None)])
    rows: list[Any] = []
    async with api(world, world.token(tenant)) as client:
        page = await ok(client, "spend", limit=2)
        assert page["count"] == 2
        while True:
            rows += page["data"]
            if "next_cursor" not in page:
                break
            page = await ok(client, "spend", limit=2, cursor=page["next_cursor"])
    assert [row["id"] for row in rows[:4]] == [str(use.event_id) for use in uses]
    assert rows[0]["cost_usd"] == "1.000000001"
    assert rows[0]["price"]["source"] == "list-2026"
    assert rows[0]["price"]["override"] is False
    assert (rows[0]["team"], rows[0]["application"]) == (None, "support-bot")
    assert (rows[4]["cost_usd"], rows[4]["price"]) == (None, None)


async def test_listing_filters_and_refusals(world: World) -> None:
    tenant = await world.tenant()
    hour_ago = world.clock() - timedelta(hours=1)
    who = Actor(agent="arn:aws:bedrock:agent/7", workflow="w")
    await add_uses(
        world.database,
        tenant.tenant_id,
        [Use(hour_ago, dimension(), USD, who=who), Use(hour_ago, dimension(), None)],
    )
    async with api(world, world.token(tenant)) as client:
        assert (await ok(client, "spend", agent=who.agent))["count"] == 1
        assert (await ok(client, "spend", unpriced_only="true"))["count"] == 1
        assert (await ok(client, "spend", source="vertex"))["count"] == 0
        for params in (
            {"cursor": "nonsense"},
            {"limit": "1001"},
            {"from": "2020-01-01", "to": "2020-12-31"},
            {"modelid": "x"},
        ):
            answer = await client.get("/v1/ai/spend", params=params)
            assert (answer.status_code, answer.json()["code"]) == (400, "VALIDATION_FAILED")


async def test_totals_unit_costs_and_attribution(world: World) -> None:
    tenant = await world.tenant()
    hour_ago = world.clock() - timedelta(hours=1)
    who = Actor(agent="arn:aws:bedrock:agent/7", workflow="w")
    await add_uses(world.database, tenant.tenant_id, [Use(hour_ago, dimension(), USD, who=who)])
    async with api(world, world.token(tenant)) as client:
        summary = (await ok(client, "spend/summary"))["data"]
        units = (await ok(client, "unit-economics", group_by="team"))["data"]
        agent = (await ok(client, "agents/arn:aws:bedrock:agent%2F7/cost"))["data"]
        flow = (await ok(client, "workflows/w/cost"))["data"]
        missing = await client.get("/v1/ai/agents/nobody/cost")
    for part in ("provider", "model", "application", "team"):
        assert [row["cost_usd"] for row in summary[f"by_{part}"]] == ["1.000000000"]
    assert units["totals"]["usd_per_1k_input_tokens"] == "10.000000000"
    assert units["totals"]["cache_hit_rate"] == "0.000000"
    assert [row["key"] for row in units["rows"]] == ["care"]
    assert agent["id"] == who.agent
    assert agent["totals"]["cost_usd"] == flow["totals"]["cost_usd"] == "1.000000000"
    assert [row["key"] for row in flow["by_partner"]] == [who.agent]
    assert len(agent["daily"]["points"]) == len(agent["buckets"]) == 30
    assert (missing.status_code, missing.json()["code"]) == (404, "NOT_FOUND")


async def test_pushed_events_are_durable_and_bad_ones_named(world: World) -> None:
    tenant = await world.tenant()
    body = {"events": [pushed(world, "a"), pushed(world, "b", input_tokens=-5), "x"]}
    async with api(world, world.token(tenant)) as client:
        answer = await client.post("/v1/ai/spend/events", json=body)
        again = await client.post("/v1/ai/spend/events", json=body)
        listed = await ok(client, "spend")
    data = answer.json()["data"]
    assert answer.status_code == 200
    assert (data["received"], data["accepted"], data["duplicate"]) == (3, 1, 0)
    assert [(one["index"], one["reason"]) for one in data["rejected"]] == [
        (1, "negative_tokens"),
        (2, "wrong_type"),
    ]
    assert (again.json()["data"]["accepted"], again.json()["data"]["duplicate"]) == (0, 1)
    assert listed["count"] == 1


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"events": []}, 400, "VALIDATION_FAILED"),
        ({"event": []}, 400, "VALIDATION_FAILED"),
        ({"events": {"a": 1}}, 400, "VALIDATION_FAILED"),
        ({"events": [{}], "cached": "maybe"}, 400, "VALIDATION_FAILED"),
        ({"events": [0] * 5_001}, 413, "PAYLOAD_TOO_LARGE"),
    ],
)
async def test_a_request_that_cannot_be_taken_is_refused_as_a_whole(
    world: World, body: dict[str, Any], status: int, code: str
) -> None:
    tenant = await world.tenant()
    async with api(world, world.token(tenant)) as client:
        answer = await client.post("/v1/ai/spend/events", json=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_nobody_reads_or_writes_for_another_tenant_or_without_the_scope(
    world: World,
) -> None:
    tenant, other = await world.tenant(), await world.tenant()
    _, viewer = await world.member(tenant.tenant_id, Role.VIEWER)
    hour_ago = world.clock() - timedelta(hours=1)
    who = Actor(agent="a", workflow="w")
    await add_uses(world.database, tenant.tenant_id, [Use(hour_ago, dimension(), USD, who=who)])
    async with api(world, world.token(other)) as client:
        assert (await ok(client, "spend"))["data"] == []
        assert (await ok(client, "spend/summary"))["data"]["by_model"] == []
        assert (await ok(client, "unit-economics"))["data"]["rows"] == []
        for path in READS[3:]:
            assert (await client.get(f"/v1/ai/{path}")).status_code == 404
    async with api(world, None) as client:
        for path in READS:
            assert (await client.get(f"/v1/ai/{path}")).status_code == 401
        assert (await client.post("/v1/ai/spend/events", json={})).status_code == 401
    async with api(world, viewer) as client:
        body = {"events": [pushed(world, "a")]}
        assert (await client.post("/v1/ai/spend/events", json=body)).status_code == 403
