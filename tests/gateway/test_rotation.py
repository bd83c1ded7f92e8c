"""Rotation of a connection's ExternalId through the whole gateway, over a real workflow server."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from fastapi import APIRouter

from tensorcost.domain.identity.scopes import Role
from tensorcost.domain.integration.states import ConnectionState
from tensorcost.gateway.routes import rotation
from tensorcost.services.rotation_processes import RotationProcesses
from tensorcost.services.secret_rotation import SecretRotationService
from tensorcost.storage import integration
from tests.gateway.world import ARTEFACTS, World
from tests.support.connections import make_connection
from tests.support.scripted_connector import ScriptedConnector
from tests.support.temporal_house import House, utc_now

OLD = "tc-fake-external-id"


@pytest.fixture(scope="module")
def router(house: House) -> APIRouter:
    processes = RotationProcesses(
        house.processes, interval=timedelta(minutes=10), settle=timedelta(milliseconds=100)
    )
    return rotation.router(SecretRotationService(house.db, processes, ARTEFACTS, utc_now))


class Desk:
    """One tenant's connection and the addresses of its rotation."""

    def __init__(self, http: Any, world: World, tenant: Any, connection_id: Any) -> None:
        self.http = http
        self.world = world
        self.tenant = tenant
        self.connection_id = connection_id
        self.url = f"/v1/integration/connections/{connection_id}"

    async def post(self, path: str, **body: Any) -> dict[str, Any]:
        answer = await self.http.post(f"{self.url}/{path}", json=body or None)
        assert answer.status_code in (200, 202), answer.text
        found: dict[str, Any] = answer.json()["data"]
        return found

    async def refused(self, method: str, path: str, **body: Any) -> tuple[int, str]:
        answer = await self.http.request(method, f"{self.url}/{path}", json=body or None)
        return answer.status_code, answer.json()["code"]

    async def next_id(self) -> str:
        async with self.world.database.tenant(self.tenant) as tx:
            found = await integration.get_connection(tx, self.connection_id)
        return found.next_external_id


@pytest.fixture
async def desk(
    world: World, router: APIRouter, connector: ScriptedConnector
) -> AsyncIterator[Desk]:
    connector.trusted = {OLD}
    member = await world.tenant()
    connection = await make_connection(
        world.database, member.tenant_id, state=ConnectionState.CONNECTED
    )
    async with world.client(world.token(member), routers=[router]) as client:
        yield Desk(client, world, member.tenant_id, connection.connection_id)


async def test_a_rotation_is_begun_verified_and_read(
    desk: Desk, connector: ScriptedConnector
) -> None:
    begun = await desk.post("rotate-secret")
    new = await desk.next_id()
    assert (begun["state"], begun["kind"]) == ("waiting_for_customer", "external_id")
    assert new in begun["step"]["update_command"]
    assert OLD in begun["step"]["trust_policy"]
    overlap = datetime.fromisoformat(begun["deadline"]) - datetime.fromisoformat(
        begun["started_at"]
    )
    assert overlap == timedelta(days=7)
    assert (await desk.post("rotate-secret"))["joined"]

    connector.trusted = {OLD, new}
    assert (await desk.post("rotation/verify"))["state"] == "verifying_old_dropped"
    connector.trusted = {new}
    async with asyncio.timeout(30):
        await desk.post("rotation/verify")
    found = (await desk.http.get(f"{desk.url}/rotation")).json()["data"]
    assert (found["state"], found["new"], found["old"]) == ("rotated", "admitted", "refused")
    assert found["step"] is None
    assert found["finished_at"]
    assert await desk.refused("POST", "rotation/verify") == (409, "CONFLICT")


async def test_a_rotation_is_rolled_back_with_its_reason(desk: Desk) -> None:
    await desk.post("rotate-secret", overlap_days=30)
    back = await desk.post("rotation/rollback", reason="another day")
    assert (back["state"], back["note"]) == ("rolled_back", "another day")
    assert back["step"]["title"] == "Let the role trust the old ExternalId alone"


async def test_what_cannot_be_rotated_says_why(desk: Desk) -> None:
    assert await desk.refused("GET", "rotation") == (404, "NOT_FOUND")
    assert await desk.refused("POST", "rotation/rollback") == (409, "CONFLICT")
    assert (await desk.refused("POST", "rotate-secret", overlap_days=31))[0] == 400
    async with desk.world.database.tenant(desk.tenant) as tx:
        await integration.set_connection_state(
            tx, desk.connection_id, ConnectionState.FAILED, utc_now()
        )
    assert await desk.refused("POST", "rotate-secret") == (409, "CONFLICT")


async def test_a_reader_sees_a_rotation_and_cannot_steer_it(
    world: World, router: APIRouter, desk: Desk
) -> None:
    await desk.post("rotate-secret")
    _, viewer = await world.member(desk.tenant, Role.VIEWER)
    async with world.client(viewer, routers=[router]) as client:
        assert (await client.get(f"{desk.url}/rotation")).status_code == 200
        for path in ("rotate-secret", "rotation/verify", "rotation/rollback"):
            assert (await client.post(f"{desk.url}/{path}")).status_code == 403
    stranger = world.token(await world.tenant())
    async with world.client(stranger, routers=[router]) as client:
        assert (await client.get(f"{desk.url}/rotation")).status_code == 404
        for path in ("rotate-secret", "rotation/verify", "rotation/rollback"):
            assert (await client.post(f"{desk.url}/{path}")).status_code == 404
