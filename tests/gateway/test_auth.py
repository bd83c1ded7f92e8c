"""Signing in, refreshing, invitations, passwords: over the whole gateway."""

from typing import Any

import httpx2

from tensorcost.domain.identity.scopes import Role
from tensorcost.services.tenancy.create import CreatedTenant
from tests.gateway.world import World

NEW_PASSWORD = "fake-but-long-enough"


async def login(client: httpx2.AsyncClient, tenant: CreatedTenant, **changes: Any) -> Any:
    body = {
        "email": tenant.owner_email,
        "password": tenant.one_time_password,
        "tenant_id": str(tenant.tenant_id),
        **changes,
    }
    return await client.post("/v1/auth/login", json=body)


async def refresh(client: httpx2.AsyncClient, token: str) -> Any:
    return await client.post("/v1/auth/refresh-tokens", json={"refreshToken": token})


async def audited(world: World, tenant: CreatedTenant) -> list[str]:
    async with world.database.tenant(tenant.tenant_id) as tx:
        rows = await tx.all("SELECT action FROM app.audit_entry ORDER BY at")
    return [row.action for row in rows]


async def test_the_owner_signs_in_with_the_one_time_password(world: World) -> None:
    tenant = await world.tenant()
    async with world.client() as client:
        answer = await login(client, tenant, email=tenant.owner_email.upper())
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["success"] is True
    assert body["count"] == 1
    assert body["data"]["user"] == {
        "id": str(tenant.owner_id),
        "email": tenant.owner_email,
        "role": "owner",
        "displayName": "",
        "mustChangePassword": True,
    }
    async with world.client(body["data"]["accessToken"]) as client:
        assert (await client.get("/v1/tenant")).json()["data"]["id"] == str(tenant.tenant_id)
    assert await audited(world, tenant) == ["tenant.created", "auth.signed_in"]


async def test_a_tenant_may_be_named_by_its_slug(world: World) -> None:
    tenant = await world.tenant()
    async with world.client() as client:
        assert (await login(client, tenant, tenant_id=tenant.slug)).status_code == 200


async def test_every_wrong_part_of_a_sign_in_gets_the_same_answer(world: World) -> None:
    tenant, other = await world.tenant(), await world.tenant()
    wrong = (
        {"password": "not-the-password"},
        {"email": "nobody@example.com"},
        {"tenant_id": str(other.tenant_id)},
        {"tenant_id": "00000000-0000-7000-8000-000000000000"},
        {"tenant_id": "no-such-slug"},
        {"tenant_id": "'; DROP TABLE app.tenant; --"},
    )
    async with world.client() as client:
        answers = [await login(client, tenant, **change) for change in wrong]
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.json()["error"] for answer in answers}) == 1
    assert "auth.sign_in_refused" in await audited(world, tenant)


async def test_guessing_is_slowed_down_and_says_for_how_long(world: World) -> None:
    tenant = await world.tenant()
    async with world.client() as client:
        answers = [await login(client, tenant, password="guess") for _ in range(11)]
    assert [answer.status_code for answer in answers] == [401] * 10 + [429]
    assert answers[-1].json()["code"] == "RATE_LIMITED"
    assert int(answers[-1].headers["retry-after"]) > 0


async def test_an_invited_or_removed_member_cannot_sign_in(world: World) -> None:
    tenant = await world.tenant()
    for status in ("invited", "removed"):
        async with world.platform.open(reason="test", actor="test") as tx:
            await tx.run(
                "UPDATE app.membership SET status = :status WHERE tenant_id = :tenant",
                status=status,
                tenant=tenant.tenant_id,
            )
        async with world.client() as client:
            assert (await login(client, tenant)).status_code == 401


async def test_a_refresh_token_works_once_and_its_successor_goes_on(world: World) -> None:
    tenant = await world.tenant()
    async with world.client() as client:
        first = (await login(client, tenant)).json()["data"]["refreshToken"]
        second = (await refresh(client, first)).json()["data"]
        third = (await refresh(client, second["refreshToken"])).json()["data"]
    assert len({first, second["refreshToken"], third["refreshToken"]}) == 3
    assert third["user"]["id"] == str(tenant.owner_id)


async def test_a_repeat_within_ten_seconds_gets_the_same_successor(world: World) -> None:
    tenant = await world.tenant()
    async with world.client() as client:
        first = (await login(client, tenant)).json()["data"]["refreshToken"]
        successor = (await refresh(client, first)).json()["data"]["refreshToken"]
        world.clock.move(seconds=9)
        assert (await refresh(client, first)).json()["data"]["refreshToken"] == successor
        assert (await refresh(client, successor)).status_code == 200


async def test_a_late_repeat_revokes_the_family_audits_and_raises_an_incident(
    world: World,
) -> None:
    tenant = await world.tenant()
    async with world.client() as client:
        first = (await login(client, tenant)).json()["data"]["refreshToken"]
        bystander = (await login(client, tenant)).json()["data"]["refreshToken"]
        successor = (await refresh(client, first)).json()["data"]["refreshToken"]
        world.clock.move(seconds=11)
        reused = await refresh(client, first)
        assert (reused.status_code, reused.json()["code"]) == (401, "TOKEN_REUSED")
        after = await refresh(client, successor)
        assert (after.status_code, after.json()["code"]) == (401, "UNAUTHENTICATED")
        assert (await refresh(client, bystander)).status_code == 200
    assert "auth.refresh_token_reused" in await audited(world, tenant)
    async with world.database.tenant(tenant.tenant_id) as tx:
        events = await tx.all("SELECT type, data FROM app.event_outbox ORDER BY cursor")
    assert events[-1].type == "security_incident.created"
    assert events[-1].data["kind"] == "refresh_token_reuse"


async def test_refresh_tokens_are_not_stored_and_expire_after_thirty_days(world: World) -> None:
    tenant = await world.tenant()
    async with world.client() as client:
        token = (await login(client, tenant)).json()["data"]["refreshToken"]
        async with world.database.tenant(tenant.tenant_id) as tx:
            row = await tx.first("SELECT * FROM app.refresh_token")
        assert row is not None
        assert token not in repr(row)
        world.clock.move(days=31)
        assert (await refresh(client, token)).status_code == 401
        world.clock.move(days=-31)


async def test_a_refresh_token_of_another_tenant_or_of_nobody_is_refused(world: World) -> None:
    tenant, other = await world.tenant(), await world.tenant()
    async with world.client() as client:
        token = (await login(client, tenant)).json()["data"]["refreshToken"]
        moved = token.replace(tenant.tenant_id.hex, other.tenant_id.hex)
        for wrong in (moved, token[:-1], f"{token}x", "tcr_", "\u0000", "tci" + token[3:]):
            assert (await refresh(client, wrong)).status_code == 401, wrong


async def test_signing_out_ends_the_sign_in_and_may_be_repeated(world: World) -> None:
    tenant = await world.tenant()
    async with world.client() as client:
        token = (await login(client, tenant)).json()["data"]["refreshToken"]
        for _ in range(2):
            answer = await client.post("/v1/auth/logout", json={"refreshToken": token})
            assert answer.json() == {"success": True, "data": {"done": True}, "count": 1}
        assert (await refresh(client, token)).status_code == 401


async def invite(world: World, tenant: CreatedTenant, email: str, role: Role) -> Any:
    async with world.client(world.token(tenant)) as client:
        answer = await client.post("/v1/tenant/members", json={"email": email, "role": role})
    assert answer.status_code == 201, answer.text
    return answer.json()["data"]


async def accept(world: World, invitation: str, password: str) -> Any:
    async with world.client() as client:
        return await client.post(
            "/v1/auth/accept-invitation",
            json={"invitation": invitation, "password": password, "display_name": "Fake Person"},
        )


async def test_an_invited_person_chooses_a_password_and_becomes_a_member(world: World) -> None:
    tenant = await world.tenant()
    email = f"new-{tenant.slug}@example.com"
    invited = await invite(world, tenant, email, Role.VIEWER)
    assert invited["status"] == "invited"
    accepted = await accept(world, invited["invitation"], NEW_PASSWORD)
    assert accepted.status_code == 200, accepted.text
    assert accepted.json()["data"]["user"]["role"] == "viewer"
    again = await accept(world, invited["invitation"], NEW_PASSWORD)
    assert again.status_code == 401, "an invitation works once"
    async with world.client() as client:
        assert (await login(client, tenant, email=email, password=NEW_PASSWORD)).is_success


async def test_a_new_invitation_ends_the_earlier_one_and_each_lasts_a_week(world: World) -> None:
    tenant = await world.tenant()
    email = f"twice-{tenant.slug}@example.com"
    first = await invite(world, tenant, email, Role.VIEWER)
    second = await invite(world, tenant, email, Role.FINOPS)
    assert (await accept(world, first["invitation"], NEW_PASSWORD)).status_code == 401
    world.clock.move(days=8)
    assert (await accept(world, second["invitation"], NEW_PASSWORD)).status_code == 401
    world.clock.move(days=-8)
    assert (await accept(world, second["invitation"], NEW_PASSWORD)).json()["data"]["user"][
        "role"
    ] == "finops"


async def test_an_invitation_does_not_take_over_an_account_that_exists(world: World) -> None:
    victim, attacker = await world.tenant(), await world.tenant()
    invited = await invite(world, attacker, victim.owner_email, Role.VIEWER)
    stolen = await accept(world, invited["invitation"], "a-password-of-the-attacker")
    assert stolen.status_code == 401
    assert victim.one_time_password is not None
    async with world.client() as client:
        assert (await login(client, victim)).is_success, "the password is the one it was"
    honest = await accept(world, invited["invitation"], victim.one_time_password)
    assert honest.status_code == 200


async def test_a_short_or_monotonous_password_is_refused(world: World) -> None:
    tenant = await world.tenant()
    invited = await invite(world, tenant, f"short-{tenant.slug}@example.com", Role.VIEWER)
    for password in ("short", "aaaaaaaaaaaaaaaa"):
        answer = await accept(world, invited["invitation"], password)
        assert (answer.status_code, answer.json()["code"]) == (400, "VALIDATION_FAILED")


async def test_changing_the_password_ends_other_sign_ins(world: World) -> None:
    tenant = await world.tenant()
    async with world.client() as client:
        signed_in = (await login(client, tenant)).json()["data"]
    async with world.client(signed_in["accessToken"]) as client:
        wrong = await client.post(
            "/v1/auth/change-password",
            json={"currentPassword": "wrong", "newPassword": NEW_PASSWORD},
        )
        assert wrong.json()["details"][0]["field"] == "currentPassword"
        changed = await client.post(
            "/v1/auth/change-password",
            json={"currentPassword": tenant.one_time_password, "newPassword": NEW_PASSWORD},
        )
        assert changed.status_code == 200
        assert (await refresh(client, signed_in["refreshToken"])).status_code == 401
        again = await login(client, tenant, password=NEW_PASSWORD)
        assert again.json()["data"]["user"]["mustChangePassword"] is False


async def test_secrets_in_a_refused_body_are_not_echoed(world: World) -> None:
    async with world.client() as client:
        answer = await client.post(
            "/v1/auth/login", json={"email": 1, "password": "canary-password", "tenant_id": "x"}
        )
    assert answer.status_code == 400
    assert "canary" not in answer.text
