"""The gateway behind a real server and a real socket, and its page in a real browser."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import httpx2
import pytest
import uvicorn

from tensorcost.gateway.app import build
from tensorcost.gateway.settings import GatewaySettings
from tests.gateway.world import World
from tests.support.browser import open_page


@pytest.fixture(scope="module")
async def address(world: World) -> AsyncIterator[str]:
    """``http://127.0.0.1:port`` of a running gateway."""
    app = build(replace(world.deps, settings=GatewaySettings(max_body_bytes=100_000)))
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning"))
    running = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - the server offers no event to wait for
        await asyncio.sleep(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    await running


async def test_sign_in_read_refresh_and_sign_out_over_the_wire(world: World, address: str) -> None:
    tenant = await world.tenant()
    async with httpx2.AsyncClient(base_url=address) as client:
        login = await client.post(
            "/v1/auth/login",
            json={
                "email": tenant.owner_email,
                "password": tenant.one_time_password,
                "tenant_id": str(tenant.tenant_id),
            },
        )
        tokens = login.json()["data"]
        client.headers["authorization"] = f"Bearer {tokens['accessToken']}"
        first, second = [await client.get("/v1/tenant/members") for _ in range(2)]
        assert first.content == second.content
        assert int(second.headers["x-ratelimit-remaining"]) < int(
            second.headers["x-ratelimit-limit"]
        )
        refreshed = await client.post(
            "/v1/auth/refresh-tokens", json={"refreshToken": tokens["refreshToken"]}
        )
        assert refreshed.status_code == 200
        ended = await client.post(
            "/v1/auth/logout", json={"refreshToken": refreshed.json()["data"]["refreshToken"]}
        )
        assert ended.json()["data"] == {"done": True}


async def test_an_oversized_body_is_refused_over_the_wire(address: str) -> None:
    async with httpx2.AsyncClient(base_url=address) as client:
        answer = await client.post("/v1/auth/login", content=b"x" * 200_000)
        assert (answer.status_code, answer.json()["code"]) == (413, "PAYLOAD_TOO_LARGE")
        assert (await client.get("/livez")).status_code == 200


@pytest.mark.browser
async def test_the_docs_page_works_without_an_outside_request(world: World, address: str) -> None:
    tenant = await world.tenant()
    async with open_page(f"{address}/docs") as page:
        await page.until("document.querySelector('main')?.ariaBusy === 'false'")
        areas = await page.evaluate("document.querySelector('nav').innerText")
        assert {"auth", "identity", "tenant"} <= set(areas.split())
        await page.evaluate(f"document.getElementById('token').value = '{world.token(tenant)}'")
        await page.evaluate("document.getElementById('get_tenant').open = true")
        await page.until("document.querySelector('#get_tenant button') !== null")
        await page.evaluate("document.querySelector('#get_tenant button').click()")
        await page.until(
            f"document.querySelector('#get_tenant pre').innerText.includes('{tenant.slug}')"
        )
        assert f"{address}/openapi.json" in page.requested
        outside = {url for url in page.requested if not url.startswith((address, "data:"))}
        assert outside == set()
        assert page.complaints == []
