"""Settings, members, branding and flags over REST."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest

from tensorcost.domain.identity.principal import Plan
from tensorcost.domain.identity.scopes import Role
from tests.gateway.world import World


async def events(world: World, tenant_id: Any) -> list[str]:
    async with world.database.tenant(tenant_id) as tx:
        rows = await tx.all("SELECT type FROM app.event_outbox ORDER BY cursor")
    return [row.type for row in rows]


async def test_the_tenants_page_shows_the_callers_tenant(world: World) -> None:
    tenant = await world.tenant(Plan.ENTERPRISE)
    async with world.client(world.token(tenant)) as client:
        data = (await client.get("/v1/tenant")).json()["data"]
    assert data["slug"] == tenant.slug
    assert data["plan"] == "enterprise"
    assert data["time_zone"] == "UTC"
    assert data["created_at"].endswith("Z")


async def test_name_and_time_zone_can_be_changed_and_are_announced(world: World) -> None:
    tenant = await world.tenant()
    async with world.client(world.token(tenant)) as client:
        body = {"name": " New name ", "time_zone": "Europe/Berlin"}
        data = (await client.patch("/v1/tenant", json=body)).json()["data"]
    assert (data["name"], data["time_zone"]) == ("New name", "Europe/Berlin")
    assert await events(world, tenant.tenant_id) == ["tenant.created", "tenant.updated"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": ""},
        {"name": "   "},
        {"name": "x" * 201},
        {"time_zone": "Mars/Olympus"},
        {"time_zone": "../../etc/passwd"},
        {"plan": "enterprise"},
    ],
    ids=str,
)
async def test_a_change_that_makes_no_sense_is_refused(world: World, body: dict[str, Any]) -> None:
    tenant = await world.tenant()
    async with world.client(world.token(tenant)) as client:
        answer = await client.patch("/v1/tenant", json=body)
    assert (answer.status_code, answer.json()["code"]) == (400, "VALIDATION_FAILED")


async def test_members_are_listed_page_by_page_without_gap_or_repeat(world: World) -> None:
    tenant = await world.tenant()
    for _ in range(4):
        await world.member(tenant.tenant_id, Role.VIEWER)
    seen: list[str] = []
    cursor: str | None = ""
    async with world.client(world.token(tenant)) as client:
        while cursor is not None:
            params = {"limit": "2", **({"cursor": cursor} if cursor else {})}
            page = (await client.get("/v1/tenant/members", params=params)).json()
            assert page["count"] == len(page["data"]) <= 2
            seen += [member["id"] for member in page["data"]]
            cursor = page.get("next_cursor")
    assert len(seen) == len(set(seen)) == 5
    assert seen[0] == str(tenant.owner_id)


@pytest.mark.parametrize("cursor", ["x", "W10", "WzEsMl0", "eyJhIjoxfQ", "é", "a" * 600])
async def test_a_made_up_cursor_is_refused(world: World, cursor: str) -> None:
    tenant = await world.tenant()
    async with world.client(world.token(tenant)) as client:
        answer = await client.get("/v1/tenant/members", params={"cursor": cursor})
    assert (answer.status_code, answer.json()["code"]) == (400, "VALIDATION_FAILED")


async def test_an_active_member_cannot_be_invited_again(world: World) -> None:
    tenant = await world.tenant()
    async with world.client(world.token(tenant)) as client:
        answer = await client.post("/v1/tenant/members", json={"email": tenant.owner_email})
    assert (answer.status_code, answer.json()["code"]) == (409, "CONFLICT")


@pytest.mark.parametrize("email", ["x", "a b@example.com", "a@b@example.com", "a@example", "@x.y"])
async def test_an_invitation_needs_an_address(world: World, email: str) -> None:
    tenant = await world.tenant()
    async with world.client(world.token(tenant)) as client:
        answer = await client.post("/v1/tenant/members", json={"email": email})
    assert answer.status_code == 400


async def test_an_invitation_answers_alike_for_known_and_unknown_addresses(world: World) -> None:
    tenant, other = await world.tenant(), await world.tenant()
    async with world.client(world.token(tenant)) as client:
        known = await client.post("/v1/tenant/members", json={"email": other.owner_email})
        unknown = await client.post("/v1/tenant/members", json={"email": "unknown@example.com"})
    assert known.status_code == unknown.status_code == 201
    assert known.json()["data"].keys() == unknown.json()["data"].keys()
    assert known.json()["data"]["display_name"] == ""
    ids = [UUID(answer.json()["data"]["id"]) for answer in (known, unknown)]
    assert [one.version for one in ids] == [4, 4], "a time in the id would tell who was there"


async def test_the_last_owner_stays_owner_and_stays(world: World) -> None:
    tenant = await world.tenant()
    path = f"/v1/tenant/members/{tenant.owner_id}"
    async with world.client(world.token(tenant)) as client:
        demoted = await client.patch(f"{path}/role", json={"role": "admin"})
        removed = await client.delete(path)
    assert [demoted.status_code, removed.status_code] == [409, 409]


async def test_two_owners_cannot_demote_each_other_at_once(world: World) -> None:
    tenant = await world.tenant()
    second, second_token = await world.member(tenant.tenant_id, Role.OWNER)
    async with world.client(world.token(tenant)) as mine, world.client(second_token) as theirs:
        answers = await asyncio.gather(
            mine.patch(f"/v1/tenant/members/{second}/role", json={"role": "viewer"}),
            theirs.patch(f"/v1/tenant/members/{tenant.owner_id}/role", json={"role": "viewer"}),
        )
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses in ([200, 403], [200, 409]), "the slower one is an owner no more, or the last"
    async with world.database.tenant(tenant.tenant_id) as tx:
        owners = await tx.scalar("SELECT count(*) FROM app.membership WHERE role = 'owner'")
    assert owners == 1


async def test_an_admin_neither_makes_nor_unmakes_an_owner(world: World) -> None:
    tenant = await world.tenant()
    await world.member(tenant.tenant_id, Role.OWNER)
    _, token = await world.member(tenant.tenant_id, Role.ADMIN)
    viewer, _ = await world.member(tenant.tenant_id, Role.VIEWER)
    async with world.client(token) as client:
        answers = [
            await client.patch(f"/v1/tenant/members/{viewer}/role", json={"role": "owner"}),
            await client.patch(
                f"/v1/tenant/members/{tenant.owner_id}/role", json={"role": "viewer"}
            ),
            await client.delete(f"/v1/tenant/members/{tenant.owner_id}"),
            await client.post(
                "/v1/tenant/members", json={"email": "o@example.com", "role": "owner"}
            ),
        ]
    assert [answer.status_code for answer in answers] == [403] * 4


async def test_the_service_role_is_not_for_people(world: World) -> None:
    tenant = await world.tenant()
    async with world.client(world.token(tenant)) as client:
        answer = await client.post(
            "/v1/tenant/members", json={"email": "robot@example.com", "role": "service"}
        )
    assert answer.status_code == 400


async def test_a_removed_member_is_gone_and_can_be_invited_back(world: World) -> None:
    tenant = await world.tenant()
    user_id, _ = await world.member(tenant.tenant_id, Role.VIEWER)
    async with world.client(world.token(tenant)) as client:
        path = f"/v1/tenant/members/{user_id}"
        assert (await client.delete(path)).json()["data"] == {"removed": True}
        assert (await client.delete(path)).status_code == 404
        members = (await client.get("/v1/tenant/members")).json()["data"]
        assert str(user_id) not in {member["id"] for member in members}
        email = f"{user_id}@example.com"
        back = await client.post("/v1/tenant/members", json={"email": email})
        assert back.json()["data"]["status"] == "invited"
    assert (await events(world, tenant.tenant_id))[1:] == [
        "tenant.member_removed",
        "tenant.member_invited",
    ]


async def test_a_member_of_another_tenant_is_not_found(world: World) -> None:
    tenant, other = await world.tenant(), await world.tenant()
    async with world.client(world.token(tenant)) as client:
        for user_id in (other.owner_id, uuid4()):
            answer = await client.patch(
                f"/v1/tenant/members/{user_id}/role", json={"role": "viewer"}
            )
            assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND")


async def test_a_role_change_and_a_removal_take_effect_within_five_seconds(world: World) -> None:
    tenant = await world.tenant()
    user_id, token = await world.member(tenant.tenant_id, Role.ADMIN)

    async def may_read_the_trail() -> int:
        async with world.client(token) as client:
            return (await client.get("/v1/identity/audit")).status_code

    assert await may_read_the_trail() == 200
    async with world.client(world.token(tenant)) as client:
        path = f"/v1/tenant/members/{user_id}"
        assert (await client.patch(f"{path}/role", json={"role": "viewer"})).status_code == 200
        world.clock.move(seconds=5)
        assert await may_read_the_trail() == 403
        assert (await client.delete(path)).status_code == 200
    world.clock.move(seconds=5)
    assert await may_read_the_trail() == 401


async def test_branding_is_replaced_as_a_whole(world: World) -> None:
    tenant = await world.tenant()
    async with world.client(world.token(tenant)) as client:
        full = {"logo_url": "https://example.com/logo.svg", "primary_color": "#102030"}
        assert (await client.put("/v1/tenant/branding", json=full)).status_code == 200
        assert (await client.put("/v1/tenant/branding", json={})).status_code == 200
        data = (await client.get("/v1/tenant/branding")).json()["data"]
    assert set(data.values()) == {None}


@pytest.mark.parametrize(
    "body",
    [
        {"logo_url": "http://example.com/x.png"},
        {"logo_url": "javascript:alert(1)"},
        {"logo_url": "https://user@example.com/x.png"},
        {"primary_color": "red; background: url(x)"},
        {"custom_domain": "https://example.com"},
        {"custom_domain": "localhost"},
    ],
    ids=str,
)
async def test_branding_that_could_do_harm_is_refused(world: World, body: dict[str, str]) -> None:
    tenant = await world.tenant(Plan.ENTERPRISE)
    async with world.client(world.token(tenant)) as client:
        assert (await client.put("/v1/tenant/branding", json=body)).status_code == 400


async def test_a_custom_domain_is_for_the_enterprise_plan(world: World) -> None:
    body = {"custom_domain": "cost.example.com"}
    for plan, status in ((Plan.GROWTH, 403), (Plan.ENTERPRISE, 200)):
        tenant = await world.tenant(plan)
        async with world.client(world.token(tenant)) as client:
            assert (await client.put("/v1/tenant/branding", json=body)).status_code == status


async def flags(client: Any) -> dict[str, tuple[bool, str]]:
    data = (await client.get("/v1/tenant/feature-flags")).json()["data"]
    return {flag["key"]: (flag["enabled"], flag["reason"]) for flag in data}


async def test_flags_follow_plan_tenant_and_user_each_with_its_reason(world: World) -> None:
    tenant = await world.tenant(Plan.GROWTH)
    user_id, token = await world.member(tenant.tenant_id, Role.VIEWER)
    path = "/v1/tenant/feature-flags/mcp-write-tools-enabled"
    async with world.client(world.token(tenant)) as owner, world.client(token) as viewer:
        assert (await flags(owner))["ml-enabled"] == (True, "STATIC")
        assert (await flags(owner))["mcp-write-tools-enabled"] == (False, "DEFAULT")
        await owner.put(path, json={"enabled": True})
        assert (await flags(viewer))["mcp-write-tools-enabled"] == (True, "TARGETING_MATCH")
        await owner.put(path, json={"enabled": False, "user_id": str(user_id)})
        assert (await flags(viewer))["mcp-write-tools-enabled"] == (False, "TARGETING_MATCH")
        assert (await flags(owner))["mcp-write-tools-enabled"] == (True, "TARGETING_MATCH")
        await owner.put(path, json={"enabled": None})
        await owner.put(path, json={"enabled": None, "user_id": str(user_id)})
        assert (await flags(viewer))["mcp-write-tools-enabled"] == (False, "DEFAULT")


async def test_an_unknown_flag_or_member_cannot_be_overridden(world: World) -> None:
    tenant = await world.tenant()
    async with world.client(world.token(tenant)) as client:
        unknown = await client.put("/v1/tenant/feature-flags/no-such", json={"enabled": True})
        stranger = await client.put(
            "/v1/tenant/feature-flags/ml-enabled",
            json={"enabled": True, "user_id": str(uuid4())},
        )
    assert [unknown.status_code, stranger.status_code] == [404, 404]
