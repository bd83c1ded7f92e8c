"""Rotation of a stored secret through the whole gateway, over a real workflow server."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import httpx2
import pytest
from fastapi import APIRouter

from tensorcost.domain.identity.scopes import Role
from tensorcost.gateway.routes import tenant_secrets
from tensorcost.runtime.embedded.temporal import TemporalAddress
from tensorcost.services.tenancy.create import CreatedTenant
from tensorcost.services.tenancy.secret_processes import StoredRotationProcesses
from tensorcost.services.tenancy.secret_rotation import StoredSecretService
from tests.gateway.world import World
from tests.support.scripted_connector import ScriptedConnector
from tests.support.temporal_house import open_house, utc_now

URL = "/v1/tenant/secrets/content_hash/rotation"


@pytest.fixture(scope="module")
async def router(world: World, temporal_server: TemporalAddress) -> AsyncIterator[APIRouter]:
    async with open_house(temporal_server, world.database, ScriptedConnector()) as house:
        processes = StoredRotationProcesses(house.processes)
        yield tenant_secrets.router(StoredSecretService(world.database, processes, utc_now))


@pytest.fixture
async def owned(world: World) -> CreatedTenant:
    return await world.tenant()


@pytest.fixture
async def owner(
    world: World, router: APIRouter, owned: CreatedTenant
) -> AsyncIterator[httpx2.AsyncClient]:
    async with world.client(world.token(owned), routers=[router]) as client:
        yield client


def data(answer: httpx2.Response, status: int = 200) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    found: dict[str, Any] = answer.json()["data"]
    return found


async def test_a_rotation_is_begun_read_and_finished(owner: httpx2.AsyncClient) -> None:
    begun = data(await owner.post(URL), 202)
    assert (begun["kind"], begun["state"], begun["joined"]) == (
        "content_hash",
        "overlapping",
        False,
    )
    assert (begun["old_version"], begun["new_version"], begun["in_use"]) == (1, 2, 2)
    started, deadline = (datetime.fromisoformat(begun[key]) for key in ("started_at", "deadline"))
    assert deadline - started == timedelta(days=7)
    assert "No cost" in begun["consequence"]
    assert data(await owner.post(URL, json={"overlap_days": 3}), 202) == begun | {"joined": True}
    assert data(await owner.get(URL)) == begun

    done = data(await owner.post(f"{URL}/finish", json={"reason": "it was in a log"}))
    assert (done["state"], done["note"], done["in_use"]) == ("rotated", "it was in a log", 2)
    assert done["finished_at"]
    assert data(await owner.get(URL)) == done


async def test_a_rotation_is_rolled_back(owner: httpx2.AsyncClient) -> None:
    data(await owner.post(URL, json={"overlap_days": 30}), 202)
    back = data(await owner.post(f"{URL}/rollback"))
    assert (back["state"], back["in_use"]) == ("rolled_back", 1)


async def test_what_cannot_be_rotated_says_why(owner: httpx2.AsyncClient) -> None:
    refused = [
        (await owner.get(URL), 404, "NOT_FOUND"),
        (await owner.post(f"{URL}/finish"), 409, "CONFLICT"),
        (await owner.post(f"{URL}/rollback"), 409, "CONFLICT"),
        (await owner.post(URL, json={"overlap_days": 31}), 400, "VALIDATION_FAILED"),
        (await owner.post(URL, json={"overlap": 3}), 400, "VALIDATION_FAILED"),
        (
            await owner.post("/v1/tenant/secrets/password/rotation"),
            400,
            "VALIDATION_FAILED",
        ),
    ]
    for answer, status, code in refused:
        assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text


async def test_only_who_administers_the_tenant_sees_and_steers_it(
    world: World, router: APIRouter, owned: CreatedTenant, owner: httpx2.AsyncClient
) -> None:
    data(await owner.post(URL), 202)
    for role, status in ((Role.ADMIN, 200), (Role.ENGINEER, 403), (Role.VIEWER, 403)):
        _, token = await world.member(owned.tenant_id, role)
        async with world.client(token, routers=[router]) as client:
            assert (await client.get(URL)).status_code == status
            if status == 403:
                for path in (URL, f"{URL}/finish", f"{URL}/rollback"):
                    assert (await client.post(path)).status_code == 403
    stranger = world.token(await world.tenant())
    async with world.client(stranger, routers=[router]) as client:
        assert (await client.get(URL)).status_code == 404
        assert (await client.post(f"{URL}/finish")).status_code == 409
