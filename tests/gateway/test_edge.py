"""What the gateway adds to every request: trace ids, limits, sizes, headers, envelopes."""

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from fastapi import APIRouter
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from pydantic import BaseModel
from starlette.types import Receive, Scope, Send

from tensorcost.domain.errors import Unavailable
from tensorcost.domain.identity.caller import caller_of
from tensorcost.domain.identity.principal import Plan, Principal
from tensorcost.domain.identity.scopes import Scope as Permission
from tensorcost.gateway.envelope import Bytes, ok
from tensorcost.gateway.health import Check
from tensorcost.gateway.scoped import Caller, api
from tensorcost.gateway.settings import GatewaySettings
from tensorcost.providers.limits.gcra import Limiter, Quota
from tensorcost.services.authorise import requires, serves
from tensorcost.services.identity.authenticate import Authenticator
from tests.gateway.world import World

TRACE = re.compile(r"[0-9a-f]{32}")


class Parcel(BaseModel):
    text: str


class Probe:
    """A use case that fails in every way there is."""

    @requires(Permission.COST_READ)
    async def run(self, principal: Principal, how: str) -> str:
        if how == "crash":
            raise RuntimeError("canary: a row's content")
        if how == "outage":
            raise Unavailable("the database cannot be reached")
        return how


def probe_router() -> APIRouter:
    probe = Probe()
    routes = api("/v1/probe", "probe")

    @routes.get("/{how}")
    @serves(Probe.run)
    async def probe_get(caller: Caller, how: str) -> Bytes:
        return ok(await probe.run(caller, how))

    @routes.post("/{how}")
    @serves(Probe.run)
    async def probe_post(caller: Caller, how: str, body: Parcel) -> Bytes:
        return ok({"how": await probe.run(caller, how), "length": len(body.text)})

    return routes


@pytest.fixture
async def client(world: World) -> AsyncIterator[httpx2.AsyncClient]:
    tenant = await world.tenant()
    async with world.client(
        world.token(tenant),
        routers=[probe_router()],
        settings=GatewaySettings(max_body_bytes=1000, https_only=True),
    ) as opened:
        yield opened


def is_failure(answer: httpx2.Response, status: int, code: str) -> dict[str, Any]:
    body: dict[str, Any] = answer.json()
    assert (answer.status_code, body["code"]) == (status, code), answer.text
    assert body["success"] is False
    assert TRACE.fullmatch(body["trace_id"])
    assert body["error"]
    return body


async def test_an_unexpected_error_keeps_its_text_to_itself(client: httpx2.AsyncClient) -> None:
    body = is_failure(await client.get("/v1/probe/crash"), 500, "INTERNAL")
    assert "canary" not in body["error"]


async def test_an_outage_is_503_and_says_what_is_missing(client: httpx2.AsyncClient) -> None:
    is_failure(await client.get("/v1/probe/outage"), 503, "UNAVAILABLE")


@pytest.mark.parametrize(
    "path", ["/", "/v1", "/v1/cost/no-such-thing", "/v1/gpu/instances", "/v2/tenant", "/robots.txt"]
)
async def test_a_path_that_is_not_served_is_404_with_the_envelope(
    client: httpx2.AsyncClient, path: str
) -> None:
    is_failure(await client.get(path), 404, "NOT_FOUND")


async def test_a_method_that_is_not_served_is_405_with_the_envelope(
    client: httpx2.AsyncClient,
) -> None:
    answer = await client.delete("/v1/tenant")
    is_failure(answer, 405, "METHOD_NOT_ALLOWED")
    assert "GET" in answer.headers["allow"]


@pytest.mark.parametrize(
    ("content", "media"),
    [
        (b"{", "application/json"),
        (b"[]", "application/json"),
        (b'{"text": 5}', "application/json"),
        (b'{"text": "x"}', "text/plain"),
        (b"", "application/json"),
        (b"\xff\xfe", "application/json"),
        (b"[" * 900, "application/json"),
    ],
)
async def test_a_body_that_cannot_be_read_is_400(
    client: httpx2.AsyncClient, content: bytes, media: str
) -> None:
    answer = await client.post("/v1/probe/fine", content=content, headers={"content-type": media})
    is_failure(answer, 400, "VALIDATION_FAILED")


async def test_a_body_over_the_limit_is_413_announced_or_not(client: httpx2.AsyncClient) -> None:
    announced = await client.post("/v1/probe/fine", json={"text": "x" * 1000})
    is_failure(announced, 413, "PAYLOAD_TOO_LARGE")

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b" " * 100

    streamed = await client.post(
        "/v1/probe/fine", content=chunks(), headers={"content-type": "application/json"}
    )
    is_failure(streamed, 413, "PAYLOAD_TOO_LARGE")


async def test_a_client_may_ask_for_problem_details(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/v1/nothing", headers={"accept": "application/problem+json"})
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == 404
    assert answer.json()["type"] == "urn:tensorcost:problem:not-found"
    assert TRACE.fullmatch(answer.json()["trace_id"])


async def test_every_answer_carries_security_headers_and_a_request_id(
    client: httpx2.AsyncClient,
) -> None:
    for path in ("/v1/tenant", "/v1/nothing", "/livez"):
        headers = (await client.get(path)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
        assert headers["strict-transport-security"].startswith("max-age=")
        assert TRACE.fullmatch(headers["x-request-id"])
    given = await client.get("/livez", headers={"x-request-id": "my-request-0001"})
    assert given.headers["x-request-id"] == "my-request-0001"
    hostile = await client.get("/livez", headers={"x-request-id": "a b\tc"})
    assert TRACE.fullmatch(hostile.headers["x-request-id"])


async def test_the_trace_id_is_that_of_the_current_span(client: httpx2.AsyncClient) -> None:
    tracer = TracerProvider().get_tracer("test")
    with tracer.start_as_current_span("outer") as span:
        body = (await client.get("/v1/nothing")).json()
        assert body["trace_id"] == f"{span.get_span_context().trace_id:032x}"
    assert not trace.get_current_span().get_span_context().is_valid


async def test_limits_are_counted_per_tenant_and_told(world: World) -> None:
    tenant, other = await world.tenant(), await world.tenant()
    settings = GatewaySettings(requests_per_minute=dict.fromkeys(Plan, 3))
    limiter = Limiter()
    async with world.client(world.token(tenant), settings=settings, limiter=limiter) as client:
        answers = [await client.get("/v1/tenant") for _ in range(4)]
        remaining = [int(answer.headers["x-ratelimit-remaining"]) for answer in answers]
        assert remaining == [2, 1, 0, 0]
        is_failure(answers[3], 429, "RATE_LIMITED")
        headers = answers[3].headers
        assert headers["x-ratelimit-limit"] == "3"
        assert 1 <= int(headers["retry-after"]) <= 60
        assert abs(int(headers["x-ratelimit-reset"]) - world.clock().timestamp()) < 3600
        client.headers["authorization"] = f"Bearer {world.token(other)}"
        assert (await client.get("/v1/tenant")).status_code == 200


async def test_the_enterprise_plan_has_ten_times_the_limit(world: World) -> None:
    for plan, limit in ((Plan.STARTER, "1000"), (Plan.ENTERPRISE, "10000")):
        tenant = await world.tenant(plan)
        async with world.client(world.token(tenant)) as client:
            assert (await client.get("/v1/tenant")).headers["x-ratelimit-limit"] == limit


async def test_strangers_are_limited_by_address_and_probes_are_not(world: World) -> None:
    settings = GatewaySettings(anonymous_per_minute=2)
    async with world.client(settings=settings, limiter=Limiter()) as client:
        statuses = [(await client.get("/v1/tenant")).status_code for _ in range(3)]
        assert statuses == [401, 401, 429]
        client.headers["authorization"] = "Bearer forged.token.here"
        assert (await client.get("/v1/tenant")).status_code == 429
        assert (await client.get("/livez")).status_code == 200


async def test_sign_ins_have_a_tighter_limit_that_a_token_does_not_lift(world: World) -> None:
    tenant = await world.tenant()
    settings = GatewaySettings(sign_ins_per_minute=2)
    async with world.client(world.token(tenant), settings=settings, limiter=Limiter()) as client:
        answers = [
            await client.post(
                "/v1/auth/login",
                json={"email": f"{number}@example.com", "password": "x", "tenant_id": "none"},
            )
            for number in range(3)
        ]
        assert [answer.status_code for answer in answers] == [401, 401, 429]
        assert answers[2].headers["x-ratelimit-limit"] == "2"
        assert (await client.get("/v1/tenant")).status_code == 200


async def test_a_failure_of_the_gateway_itself_is_an_envelope_too(world: World) -> None:
    class Broken(Authenticator):
        async def authenticate(self, token: str, active_tenant: str | None = None) -> Principal:
            raise RuntimeError("canary")

    broken = Broken([], None, world.clock)  # type: ignore[arg-type]
    async with world.client("any.token.here", authenticator=broken) as client:
        body = is_failure(await client.get("/v1/tenant"), 500, "INTERNAL")
    assert "canary" not in str(body)


async def test_text_that_the_database_cannot_hold_is_the_callers_mistake(world: World) -> None:
    tenant = await world.tenant()
    async with world.client(world.token(tenant)) as client:
        answers = [
            await client.patch("/v1/tenant", json={"name": "a\x00b"}),
            await client.get("/v1/identity/audit", params={"actor": "a\x00b"}),
            await client.put("/v1/tenant/feature-flags/a%00b", json={"enabled": True}),
            await client.post(
                "/v1/auth/login",
                json={"email": "a\x00@example.com", "password": "x\x00", "tenant_id": "\x00"},
            ),
            await client.post(
                "/v1/auth/login",
                content=b'{"email": "\\ud800", "password": "\\udfff", "tenant_id": "\\ud800"}',
                headers={"content-type": "application/json"},
            ),
        ]
    assert all(answer.status_code in (400, 401, 404) for answer in answers), [
        answer.text for answer in answers
    ]


async def test_a_connection_that_breaks_in_the_middle_is_503_and_the_next_request_works(
    world: World,
) -> None:
    class Breaking:
        @requires()
        async def run(self, principal: Principal) -> None:
            async with world.database.tenant(principal.tenant_id) as tx:
                await tx.run("SELECT pg_terminate_backend(pg_backend_pid())")

    breaking = Breaking()
    routes = api("/v1/breaking", "breaking")

    @routes.get("")
    @serves(Breaking.run)
    async def break_connection(caller: Caller) -> Bytes:
        await breaking.run(caller)
        return ok(None)

    tenant = await world.tenant()
    async with world.client(world.token(tenant), routers=[routes]) as client:
        is_failure(await client.get("/v1/breaking"), 503, "UNAVAILABLE")
        assert (await client.get("/v1/tenant")).status_code == 200


async def test_two_processes_share_the_limit_through_valkey(world: World, valkey_url: str) -> None:
    tenant = await world.tenant()
    settings = GatewaySettings(requests_per_minute=dict.fromkeys(Plan, 4))
    limiters = [Limiter(valkey_url), Limiter(valkey_url)]
    try:
        statuses = []
        for number in range(6):
            async with world.client(
                world.token(tenant), settings=settings, limiter=limiters[number % 2]
            ) as client:
                statuses.append((await client.get("/v1/tenant")).status_code)
        assert statuses == [200] * 4 + [429] * 2
    finally:
        for limiter in limiters:
            await limiter.close()


async def test_without_valkey_the_limit_goes_on_in_memory() -> None:
    limiter = Limiter("redis://127.0.0.1:1/0")
    quota = Quota("fake", 2, timedelta(minutes=1))
    try:
        decisions = [await limiter.hit("key", quota) for _ in range(3)]
    finally:
        await limiter.close()
    assert [decision.limited for decision in decisions] == [False, False, True]


async def test_only_configured_origins_may_call_from_a_browser(world: World) -> None:
    settings = GatewaySettings(cors_origins=frozenset({"https://console.example.com"}))
    ask = {"access-control-request-method": "PATCH", "origin": "https://console.example.com"}
    async with world.client(settings=settings) as client:
        allowed = await client.options("/v1/tenant", headers=ask)
        assert allowed.status_code == 204
        assert allowed.headers["access-control-allow-origin"] == ask["origin"]
        assert "Authorization" in allowed.headers["access-control-allow-headers"]
        refused = await client.options(
            "/v1/tenant", headers={**ask, "origin": "https://evil.example"}
        )
        assert "access-control-allow-origin" not in refused.headers
        failed = await client.get("/v1/tenant", headers={"origin": ask["origin"]})
        assert failed.headers["access-control-allow-origin"] == ask["origin"]
        assert "access-control-allow-credentials" not in failed.headers


async def test_retired_paths_are_gone_or_aliases_by_setting(world: World) -> None:
    async with world.client() as client:
        for path in ("/api", "/api/", "/api/costs", "/api/users/1"):
            gone = await client.get(path)
            is_failure(gone, 410, "GONE")
            assert gone.headers["sunset"] == "Wed, 30 Sep 2026 00:00:00 GMT"
        assert 'rel="successor-version"' in (await client.get("/api/costs")).headers["link"]
        is_failure(await client.get("/apiary"), 404, "NOT_FOUND")
    async with world.client(settings=GatewaySettings(legacy_aliases=True)) as client:
        alias = await client.get("/api/costs")
        assert alias.status_code in (401, 404)
        assert alias.headers["deprecation"] == "@1790726400"
        is_failure(await client.get("/api/users/1"), 410, "GONE")


async def test_readiness_names_what_is_down_and_liveness_does_not_care(world: World) -> None:
    async def up() -> None:
        """Answers."""

    async def down() -> None:
        raise ConnectionError("refused")

    async def hangs() -> None:
        await asyncio.sleep(60)

    checks = [Check("database", up), Check("valkey", down, required=False)]
    async with world.client(checks=checks) as client:
        ready = await client.get("/readyz")
        assert ready.json()["data"] == {
            "status": "ready",
            "checks": {"database": "up", "valkey": "down"},
        }
    async with world.client(checks=[Check("temporal", hangs)]) as client:
        answer = await client.get("/healthz")
        assert (answer.status_code, answer.json()["data"]["status"]) == (503, "unavailable")
        assert (await client.get("/livez")).status_code == 200
    async with world.client(draining=lambda: True) as client:
        assert (await client.get("/readyz")).json()["data"]["status"] == "draining"


async def test_a_sub_application_sees_the_caller_and_keeps_its_path(world: World) -> None:
    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        principal = caller_of(scope).required()
        body = ok({"path": scope["path"], "tenant": str(principal.tenant_id)})
        await body(scope, receive, send)

    tenant = await world.tenant()
    async with world.client(world.token(tenant), applications={"/sub": application}) as client:
        for path in ("/sub", "/sub/", "/sub/below"):
            data = (await client.get(path)).json()["data"]
            assert data == {"path": path, "tenant": str(tenant.tenant_id)}
        assert (await client.get("/subway")).status_code == 404
        del client.headers["authorization"]
        is_failure(await client.get("/sub"), 401, "UNAUTHENTICATED")


async def test_a_process_without_telemetry_answers_alike(world: World) -> None:
    tenant = await world.tenant()
    async with (
        world.client(world.token(tenant)) as one,
        world.client(world.token(tenant), telemetry=False) as other,
    ):
        for path, status in (("/v1/tenant", 200), ("/v1/nothing", 404), ("/v1/tenant", 200)):
            answers = [await client.get(path) for client in (one, other)]
            assert [answer.status_code for answer in answers] == [status, status]
            assert set(answers[0].headers) == set(answers[1].headers)
            assert answers[0].json().keys() == answers[1].json().keys()
