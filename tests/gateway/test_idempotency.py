"""Idempotency-Key on POST and PATCH, over the whole gateway."""

import asyncio
from dataclasses import dataclass, field

import pytest
from fastapi import APIRouter
from pydantic import BaseModel

from tensorcost.domain.identity.principal import Principal
from tensorcost.domain.identity.scopes import Role, Scope
from tensorcost.gateway.envelope import Bytes, created
from tensorcost.gateway.scoped import Caller, api
from tensorcost.services.authorise import requires, serves
from tests.gateway.world import World


class Order(BaseModel):
    item: str


@dataclass
class Orders:
    """Counts what was really done."""

    done: list[str] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    entered: asyncio.Event = field(default_factory=asyncio.Event)
    failing: bool = False

    @requires(Scope.COST_READ)
    async def place(self, principal: Principal, item: str) -> int:
        self.entered.set()
        await self.gate.wait()
        if self.failing:
            raise RuntimeError("fake failure")
        self.done.append(item)
        return len(self.done)


def router(orders: Orders) -> APIRouter:
    routes = api("/v1/orders", "orders")

    @routes.post("", status_code=201)
    @serves(Orders.place)
    async def place_order(caller: Caller, body: Order) -> Bytes:
        return created({"number": await orders.place(caller, body.item)})

    return routes


@pytest.fixture
def orders() -> Orders:
    made = Orders()
    made.gate.set()
    return made


async def test_a_repeat_gets_the_first_answer_and_no_second_effect(
    world: World, orders: Orders
) -> None:
    tenant = await world.tenant()
    async with world.client(world.token(tenant), routers=[router(orders)]) as client:
        client.headers["idempotency-key"] = "order-1"
        first = await client.post("/v1/orders", json={"item": "a"})
        again = await client.post("/v1/orders", json={"item": "a"})
    assert first.status_code == again.status_code == 201
    assert first.content == again.content
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert orders.done == ["a"]


async def test_another_body_under_the_same_key_is_422(world: World, orders: Orders) -> None:
    tenant = await world.tenant()
    async with world.client(world.token(tenant), routers=[router(orders)]) as client:
        client.headers["idempotency-key"] = "order-2"
        await client.post("/v1/orders", json={"item": "a"})
        other = await client.post("/v1/orders", json={"item": "b"})
    assert (other.status_code, other.json()["code"]) == (422, "IDEMPOTENCY_CONFLICT")
    assert orders.done == ["a"]


async def test_a_repeat_while_the_first_still_runs_is_409(world: World, orders: Orders) -> None:
    tenant = await world.tenant()
    orders.gate.clear()
    async with world.client(world.token(tenant), routers=[router(orders)]) as client:
        client.headers["idempotency-key"] = "order-3"
        running = asyncio.create_task(client.post("/v1/orders", json={"item": "a"}))
        await orders.entered.wait()
        repeat = await client.post("/v1/orders", json={"item": "a"})
        orders.gate.set()
        assert (await running).status_code == 201
    assert repeat.json()["code"] == "CONFLICT"
    assert orders.done == ["a"]


async def test_a_failure_on_our_side_may_be_retried_one_of_the_caller_may_not(
    world: World, orders: Orders
) -> None:
    tenant = await world.tenant()
    async with world.client(world.token(tenant), routers=[router(orders)]) as client:
        client.headers["idempotency-key"] = "order-4"
        orders.failing = True
        assert (await client.post("/v1/orders", json={"item": "a"})).status_code == 500
        orders.failing = False
        assert (await client.post("/v1/orders", json={"item": "a"})).status_code == 201
        client.headers["idempotency-key"] = "order-5"
        refusals = [await client.post("/v1/orders", json={"thing": 1}) for _ in range(2)]
    assert [answer.status_code for answer in refusals] == [400, 400]
    assert refusals[1].headers["idempotent-replayed"] == "true"


async def test_a_key_belongs_to_one_caller(world: World, orders: Orders) -> None:
    tenant, other = await world.tenant(), await world.tenant()
    _, colleague = await world.member(tenant.tenant_id, Role.ADMIN)
    for token in (world.token(tenant), colleague, world.token(other)):
        async with world.client(token, routers=[router(orders)]) as client:
            client.headers["idempotency-key"] = "shared"
            await client.post("/v1/orders", json={"item": "a"})
    assert orders.done == ["a"] * 3


async def test_a_key_ends_after_a_day_and_an_abandoned_claim_after_two_minutes(
    world: World, orders: Orders
) -> None:
    tenant = await world.tenant()
    async with world.client(world.token(tenant), routers=[router(orders)]) as client:
        client.headers["idempotency-key"] = "order-6"
        await client.post("/v1/orders", json={"item": "a"})
        async with world.database.tenant(tenant.tenant_id) as tx:
            await tx.run("UPDATE app.idempotency_key SET status = NULL, response = NULL")
        assert (await client.post("/v1/orders", json={"item": "a"})).status_code == 409
        world.clock.move(minutes=3)
        assert (await client.post("/v1/orders", json={"item": "a"})).status_code == 201
        world.clock.move(hours=25)
        client.headers["authorization"] = f"Bearer {world.token(tenant)}"
        assert (await client.post("/v1/orders", json={"item": "b"})).status_code == 201
    assert orders.done == ["a", "a", "b"]


async def test_a_malformed_or_doubled_key_is_400(world: World, orders: Orders) -> None:
    tenant = await world.tenant()
    async with world.client(world.token(tenant), routers=[router(orders)]) as client:
        for headers in (
            [("idempotency-key", "")],
            [("idempotency-key", "a b")],
            [("idempotency-key", "x" * 256)],
            [("idempotency-key", "a"), ("idempotency-key", "b")],
        ):
            answer = await client.post("/v1/orders", json={"item": "a"}, headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (400, "VALIDATION_FAILED")
    assert orders.done == []


async def test_kept_answers_hold_no_readable_secret(world: World) -> None:
    tenant = await world.tenant()
    async with world.client(world.token(tenant)) as client:
        client.headers["idempotency-key"] = "invite-1"
        body = {"email": "idempotent@example.com"}
        first = (await client.post("/v1/tenant/members", json=body)).json()["data"]
        again = (await client.post("/v1/tenant/members", json=body)).json()["data"]
    assert first == again
    async with world.database.tenant(tenant.tenant_id) as tx:
        row = await tx.first("SELECT key, response FROM app.idempotency_key")
    assert row is not None
    assert first["invitation"].encode() not in bytes(row.response)
    assert "invite-1" not in row.key
