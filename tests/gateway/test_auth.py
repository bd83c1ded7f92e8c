"""Signing in, refreshing, invitations: over the whole gateway."""

from tests.gateway.world import World


async def test_the_owner_signs_in_with_the_one_time_password(world: World) -> None:
    tenant = await world.tenant()
    async with world.client() as client:
        answer = await client.post(
            "/v1/auth/login",
            json={
                "email": tenant.owner_email.upper(),
                "password": tenant.one_time_password,
                "tenant_id": str(tenant.tenant_id),
            },
        )
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
