"""The short road for repeated reads gives what the long one gives, and checks as much."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Any

import httpx2
import pytest
from fastapi import APIRouter, Header, Query
from opentelemetry.sdk.trace import TracerProvider
from pydantic import BaseModel, ConfigDict, Field

from tensorcost.domain.identity.principal import Principal
from tensorcost.domain.identity.scopes import Role, Scope
from tensorcost.gateway import fast
from tensorcost.gateway.app import routers_of
from tensorcost.gateway.blueprint import blueprint_deps
from tensorcost.gateway.envelope import Bytes, ok
from tensorcost.gateway.paging import Paging
from tensorcost.gateway.scoped import Caller, ScopedRoute, api, routes_of
from tensorcost.services.authorise import requires, serves
from tests.gateway.world import World


@dataclass
class Echo:
    calls: int = 0
    seen: list[Any] = field(default_factory=list)

    @requires(Scope.TENANT_ADMIN)
    async def read(self, principal: Principal, *values: Any) -> list[str]:
        self.calls += 1
        return [str(principal.tenant_id), *(repr(value) for value in values)]


class Params(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    word: str = "none"


class Now(BaseModel):
    model_config = ConfigDict(frozen=True)
    at: datetime = Field(default_factory=lambda: datetime.now(UTC))


class Changeable(BaseModel):
    word: str = "none"


class Holding(BaseModel):
    model_config = ConfigDict(frozen=True)
    words: list[str] = []


def router(echo: Echo) -> APIRouter:
    routes = api("/v1/echo", "echo")

    @routes.get("")
    @serves(Echo.read)
    async def plain(
        caller: Caller,
        page: Paging,
        word: str = "none",
        since: datetime | None = None,
        number: Annotated[int | None, Query(ge=1)] = None,
    ) -> Bytes:
        return ok(await echo.read(caller, page, word, since, number))

    @routes.get("/many")
    @serves(Echo.read)
    async def many(caller: Caller, words: Annotated[list[str], Query()]) -> Bytes:
        words.append("changed by the handler")
        return ok(await echo.read(caller, words))

    @routes.get("/now")
    @serves(Echo.read)
    async def now(
        caller: Caller, at: Annotated[datetime, Query(default_factory=lambda: datetime.now(UTC))]
    ) -> Bytes:
        return ok(await echo.read(caller, at))

    @routes.get("/model")
    @serves(Echo.read)
    async def model(caller: Caller, params: Annotated[Params, Query()]) -> Bytes:
        return ok(await echo.read(caller, params))

    @routes.get("/model-now")
    @serves(Echo.read)
    async def model_now(caller: Caller, params: Annotated[Now, Query()]) -> Bytes:
        return ok(await echo.read(caller, params))

    @routes.get("/header")
    @serves(Echo.read)
    async def header(caller: Caller, x_thing: Annotated[str, Header()] = "") -> Bytes:
        return ok(await echo.read(caller, x_thing))

    return routes


@pytest.fixture
def echo() -> Echo:
    return Echo()


@pytest.fixture
async def client(world: World, echo: Echo) -> AsyncIterator[httpx2.AsyncClient]:
    tenant = await world.tenant()
    async with world.client(world.token(tenant), routers=[router(echo)]) as opened:
        yield opened


@pytest.mark.parametrize(
    "query",
    [
        "",
        "limit=5",
        "word=%C3%A9&number=3",
        "since=2026-01-01T00:00:00%2B02:00",
        "word=a&word=b",
        "number=1&unknown=2",
        "word=" + "x" * 600,
    ],
)
async def test_a_repeat_answers_as_the_first(
    client: httpx2.AsyncClient, echo: Echo, query: str
) -> None:
    answers = [await client.get(f"/v1/echo?{query}") for _ in range(3)]
    assert len({answer.content for answer in answers}) == 1
    assert answers[0].status_code == 200
    assert echo.calls == 3, "the handler runs every time"
    assert "x-ratelimit-remaining" in answers[2].headers


async def test_a_refused_query_stays_refused(client: httpx2.AsyncClient) -> None:
    for _ in range(3):
        assert (await client.get("/v1/echo?number=0")).status_code == 400


async def test_each_caller_and_tenant_is_told_apart_on_the_short_road(
    world: World, client: httpx2.AsyncClient
) -> None:
    other = await world.tenant()
    _, viewer = await world.member(other.tenant_id, Role.VIEWER)
    first = (await client.get("/v1/echo")).json()["data"][0]
    client.headers["authorization"] = f"Bearer {world.token(other)}"
    assert (await client.get("/v1/echo")).json()["data"][0] == str(other.tenant_id) != first
    client.headers["authorization"] = f"Bearer {viewer}"
    assert (await client.get("/v1/echo")).status_code == 403
    del client.headers["authorization"]
    assert (await client.get("/v1/echo")).status_code == 401


async def test_values_that_a_handler_could_change_are_not_remembered(
    client: httpx2.AsyncClient,
) -> None:
    answers = [(await client.get("/v1/echo/many?words=a")).json()["data"][1] for _ in range(3)]
    assert set(answers) == {"['a', 'changed by the handler']"}


@pytest.mark.parametrize("path", ["now", "model-now"])
async def test_a_default_made_anew_is_made_anew(client: httpx2.AsyncClient, path: str) -> None:
    answers = [(await client.get(f"/v1/echo/{path}")).json()["data"][1] for _ in range(3)]
    assert len(set(answers)) == 3


async def test_a_parameter_model_answers_alike_on_both_roads(client: httpx2.AsyncClient) -> None:
    for query in ("", "word=a", "", "word=a"):
        (shown,) = (await client.get(f"/v1/echo/model?{query}")).json()["data"][1:]
        assert shown == repr(Params(word="a") if query else Params())
    for _ in range(2):
        assert (await client.get("/v1/echo/model?wort=a")).status_code == 400


@pytest.mark.parametrize(
    ("value", "kept"), [(Params(), True), (Changeable(), False), (Holding(), False)]
)
async def test_a_parameter_model_is_remembered_where_nobody_can_change_it(
    value: BaseModel, kept: bool
) -> None:
    async def handler(params: BaseModel) -> Bytes:
        return ok(params)

    memo = fast.Memo(handler, (), enabled=True)
    fast.reading(b"q")
    await memo.noting()(params=value)
    assert (memo.find(b"q") is not None) is kept


def test_the_parameter_models_of_all_routes_can_be_remembered() -> None:
    models = [
        param.field_info.annotation
        for route in routes_of(routers_of(blueprint_deps()))
        if isinstance(route, ScopedRoute) and route.has_short_road
        for param in route.dependant.query_params
    ]
    found = [one for one in models if isinstance(one, type) and issubclass(one, BaseModel)]
    assert found
    assert [one for one in found if not one.model_config.get("frozen")] == []


async def test_other_parts_of_the_request_are_read_every_time(client: httpx2.AsyncClient) -> None:
    for value in ("a", "b", "a"):
        answer = await client.get("/v1/echo/header", headers={"x-thing": value})
        assert answer.json()["data"][1] == repr(value)


async def test_other_methods_do_not_take_the_short_road(client: httpx2.AsyncClient) -> None:
    await client.get("/v1/echo")
    assert (await client.post("/v1/echo")).status_code == 405


async def test_what_is_remembered_is_bounded() -> None:
    calls = 0

    async def handler(number: int) -> Bytes:
        nonlocal calls
        calls += 1
        return ok(number)

    memo = fast.Memo(handler, (), enabled=True)
    for number in range(fast.MAX_QUERIES + 5):
        fast.reading(b"number=%d" % number)
        await memo.noting()(number=number)
    assert calls == fast.MAX_QUERIES + 5
    assert [memo.find(b"number=%d" % number) is None for number in range(6)] == [True] * 5 + [False]
    fast.reading(b"x" * (fast.MAX_QUERY_BYTES + 1))
    await memo.noting()(number=0)
    assert memo.find(b"x" * (fast.MAX_QUERY_BYTES + 1)) is None


async def test_with_telemetry_on_the_long_road_is_taken(client: httpx2.AsyncClient) -> None:
    await client.get("/v1/echo")
    with TracerProvider().get_tracer("test").start_as_current_span("outer"):
        assert (await client.get("/v1/echo")).status_code == 200
