"""Bearer tokens of both kinds, tenants and hostile headers, over the whole gateway."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx2
import jwt
import pytest

from tensorcost.domain.identity.scopes import Role, Scope
from tensorcost.domain.ids import TenantId, UserId
from tensorcost.providers.identity.cognito import CognitoVerifier
from tensorcost.providers.identity.jwks import RemoteKeys
from tests.gateway.world import ISSUER, KEYS, World, open_world
from tests.support.clock import MovableClock
from tests.support.databases import Database
from tests.support.jwks import CLIENT_ID, KeyServer, key_server

SECRET = KEYS.secrets["k1"]


@pytest.fixture(scope="module")
def pool() -> Iterator[KeyServer]:
    with key_server() as server:
        server.add_key("first")
        yield server


@pytest.fixture(scope="module")
async def world(database: Database, pool: KeyServer) -> AsyncIterator[World]:
    clock = MovableClock()
    async with httpx2.AsyncClient() as http:
        verifier = CognitoVerifier(
            pool.issuer, frozenset({CLIENT_ID}), RemoteKeys(pool.url, http, clock), clock
        )
        async with open_world(database, clock, verifiers=[verifier]) as opened:
            yield opened


async def get_tenant(world: World, token: str, *tenants: str) -> httpx2.Response:
    headers = [("authorization", f"Bearer {token}")]
    headers += [("x-active-tenant-id", tenant) for tenant in tenants]
    async with world.client() as client:
        return await client.get("/v1/tenant", headers=headers)


def signed(world: World, secret: bytes = SECRET, kid: str | None = "k1", **claims: Any) -> str:
    now = int(world.clock().timestamp())
    body = {"iss": ISSUER, "sub": "partner", "iat": now, "exp": now + 600, **claims}
    body = {name: value for name, value in body.items() if value is not None}
    return jwt.encode(body, secret, "HS256", headers={"kid": kid} if kid else None)


@pytest.mark.parametrize("claim", ["tenantId", "tenant_id"])
async def test_a_backend_token_names_its_tenant_in_either_spelling(
    world: World, claim: str
) -> None:
    tenant = await world.tenant()
    claims: dict[str, Any] = {claim: str(tenant.tenant_id)}
    answer = await get_tenant(world, signed(world, **claims))
    assert answer.json()["data"]["id"] == str(tenant.tenant_id)


async def test_a_token_without_kid_is_tried_with_every_live_secret(world: World) -> None:
    tenant = await world.tenant()
    token = signed(world, kid=None, tenantId=str(tenant.tenant_id))
    assert (await get_tenant(world, token)).status_code == 200


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": None},
        {"iat": None},
        {"sub": None},
        {"iss": None},
        {"iss": "https://somebody-else.example"},
        {"exp": "tomorrow"},
        {"exp": 1e40},
        {"iat": 4_000_000_000},
        {"nbf": 4_000_000_000},
        {"sub": 7},
        {"tenantId": None},
        {"tenantId": "not-a-uuid"},
        {"tenantId": {"a": 1}},
        {"tenant_id": "00000000-0000-7000-8000-000000000001"},
        {"scope": "root:everything"},
        {"scope": ["cost:read"]},
        {"scope": ""},
        {"secret": b"another-secret-of-enough-length-01"},
        {"kid": "no-such-key"},
    ],
    ids=str,
)
async def test_a_backend_token_with_a_flaw_is_refused(
    world: World, changes: dict[str, Any]
) -> None:
    tenant = await world.tenant()
    answer = await get_tenant(
        world, signed(world, **{"tenantId": str(tenant.tenant_id), **changes})
    )
    assert (answer.status_code, answer.json()["code"]) == (401, "UNAUTHENTICATED")
    assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    "header",
    ["Basic dXNlcjpwYXNz", "Bearer", "Bearer ", "Bearer a.b.c", "Bearer \xff\xfe", "e30.e30.e30"],
)
async def test_a_header_that_is_no_token_is_refused(world: World, header: str) -> None:
    async with world.client() as client:
        answer = await client.get(
            "/v1/tenant", headers=[(b"authorization", header.encode("latin-1"))]
        )
    assert answer.status_code == 401


async def test_a_huge_or_doubled_authorization_is_refused(world: World) -> None:
    tenant = await world.tenant()
    token = world.token(tenant)
    assert (await get_tenant(world, "x" * 20_000)).status_code == 401
    async with world.client() as client:
        headers = [("authorization", f"Bearer {token}")] * 2
        assert (await client.get("/v1/tenant", headers=headers)).status_code == 401


async def test_the_algorithm_none_and_a_public_key_as_secret_are_refused(
    world: World, pool: KeyServer
) -> None:
    tenant = await world.tenant()
    now = int(world.clock().timestamp())
    claims = {
        "iss": ISSUER,
        "sub": "x",
        "iat": now,
        "exp": now + 60,
        "tenantId": str(tenant.tenant_id),
    }
    unsigned = jwt.encode(claims, "", "none")
    assert (await get_tenant(world, unsigned)).status_code == 401
    modulus = str(pool.document()["keys"][0]["n"]).encode()
    confused = jwt.encode({**claims, "iss": pool.issuer}, modulus, "HS256", {"kid": "first"})
    assert (await get_tenant(world, confused)).status_code == 401


async def test_an_access_token_expires_after_fifteen_minutes_cached_or_not(world: World) -> None:
    tenant = await world.tenant()
    token = world.token(tenant)
    assert (await get_tenant(world, token)).status_code == 200
    world.clock.move(minutes=15)
    answer = await get_tenant(world, token)
    assert (answer.status_code, answer.json()["code"]) == (401, "TOKEN_EXPIRED")


async def test_a_member_of_two_tenants_switches_with_the_header(world: World) -> None:
    first, second = await world.tenant(), await world.tenant()
    await world.join(second.tenant_id, first.owner_id, Role.VIEWER)
    token = world.token(first)
    for tenant in (first, second, first):
        answer = await get_tenant(world, token, str(tenant.tenant_id))
        assert answer.json()["data"]["id"] == str(tenant.tenant_id)
    async with world.client(token) as client:
        client.headers["x-active-tenant-id"] = str(second.tenant_id)
        refused = await client.patch("/v1/tenant", json={"name": "Taken over"})
        assert refused.status_code == 403, "a viewer there, whatever the role here"


async def test_a_tenant_of_others_looks_like_one_that_does_not_exist(world: World) -> None:
    mine, theirs = await world.tenant(), await world.tenant()
    answers = [
        await get_tenant(world, world.token(mine), str(tenant))
        for tenant in (theirs.tenant_id, uuid4())
    ]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert {answer.json()["code"] for answer in answers} == {"NOT_FOUND"}


@pytest.mark.parametrize(
    "value",
    [
        "",
        "null",
        "*",
        "1 OR 1=1",
        "{00000000-0000-7000-8000-000000000000}",
        "00000000000070008000000000000000",
        "urn:uuid:00000000-0000-7000-8000-000000000000",
        "../../etc/passwd",
        "a" * 5000,
        "\u00e9",
    ],
)
async def test_a_hostile_tenant_header_is_a_clean_refusal(world: World, value: str) -> None:
    tenant = await world.tenant()
    async with world.client() as client:
        answer = await client.get(
            "/v1/tenant",
            headers=[
                (b"authorization", f"Bearer {world.token(tenant)}".encode()),
                (b"x-active-tenant-id", value.encode("latin-1")),
            ],
        )
    assert (answer.status_code, answer.json()["code"]) == (400, "VALIDATION_FAILED")


async def test_two_tenant_headers_are_refused(world: World) -> None:
    tenant = await world.tenant()
    own = str(tenant.tenant_id)
    assert (await get_tenant(world, world.token(tenant), own, own)).status_code == 400


async def test_a_service_token_cannot_switch_tenant(world: World) -> None:
    own, other = await world.tenant(), await world.tenant()
    token = world.minter.service("partner", own.tenant_id, timedelta(hours=1))
    assert (await get_tenant(world, token, str(own.tenant_id))).status_code == 200
    answer = await get_tenant(world, token, str(other.tenant_id))
    assert (answer.status_code, answer.json()["code"]) == (403, "FORBIDDEN")


async def test_a_service_token_has_the_service_role_or_the_scopes_written_in_it(
    world: World,
) -> None:
    tenant = await world.tenant()
    plain = world.minter.service("partner", tenant.tenant_id, timedelta(hours=1))
    scoped = world.minter.service(
        "partner", tenant.tenant_id, timedelta(hours=1), frozenset({Scope.AUDIT_READ})
    )
    for token, status in ((plain, 403), (scoped, 200)):
        async with world.client(token) as client:
            assert (await client.get("/v1/identity/audit")).status_code == status


async def test_a_service_token_of_a_suspended_or_unknown_tenant_is_refused(world: World) -> None:
    tenant = await world.tenant()
    async with world.platform.open(reason="test", actor="test") as tx:
        await tx.run(
            "UPDATE app.tenant SET status = 'suspended' WHERE tenant_id = :t", t=tenant.tenant_id
        )
    for tenant_id in (tenant.tenant_id, TenantId(uuid4())):
        token = world.minter.service("partner", tenant_id, timedelta(hours=1))
        assert (await get_tenant(world, token)).status_code == 401


async def link(world: World, user_id: UserId, subject: str) -> None:
    async with world.platform.open(reason="test", actor="test") as tx:
        await tx.run(
            "UPDATE app.app_user SET cognito_sub = :sub WHERE user_id = :user",
            sub=subject,
            user=user_id,
        )


async def test_a_pool_user_acts_in_the_only_tenant_or_must_name_one(
    world: World, pool: KeyServer
) -> None:
    first, second = await world.tenant(), await world.tenant()
    subject = f"pool-{uuid4()}"
    await link(world, first.owner_id, subject)
    token = pool.token(subject, world.clock(), kid="first")
    assert (await get_tenant(world, token)).json()["data"]["id"] == str(first.tenant_id)
    await world.join(second.tenant_id, first.owner_id, Role.VIEWER)
    world.clock.move(seconds=5)
    unnamed = await get_tenant(world, token)
    assert (unnamed.status_code, unnamed.json()["code"]) == (400, "VALIDATION_FAILED")
    named = await get_tenant(world, token, str(second.tenant_id))
    assert named.json()["data"]["id"] == str(second.tenant_id)


async def test_a_pool_user_without_a_membership_is_forbidden(world: World, pool: KeyServer) -> None:
    token = pool.token(f"pool-{uuid4()}", world.clock(), kid="first")
    assert (await get_tenant(world, token)).status_code == 403


async def test_a_pool_subject_is_not_taken_for_one_of_our_user_ids(
    world: World, pool: KeyServer
) -> None:
    tenant = await world.tenant()
    token = pool.token(str(tenant.owner_id), world.clock(), kid="first")
    assert (await get_tenant(world, token)).status_code == 403


async def test_a_verified_address_joins_its_invitation_and_voids_an_earlier_password(
    world: World, pool: KeyServer
) -> None:
    tenant = await world.tenant()
    subject = f"pool-{uuid4()}"
    unverified = pool.token(
        subject, world.clock(), kid="first", email=tenant.owner_email, email_verified=False
    )
    assert (await get_tenant(world, unverified)).status_code == 403
    verified = pool.token(
        subject, world.clock(), kid="first", email=tenant.owner_email, email_verified=True
    )
    assert (await get_tenant(world, verified)).status_code == 200
    assert (await get_tenant(world, world.token(tenant))).status_code == 401
    async with world.client() as client:
        login = await client.post(
            "/v1/auth/login",
            json={
                "email": tenant.owner_email,
                "password": tenant.one_time_password,
                "tenant_id": str(tenant.tenant_id),
            },
        )
    assert login.status_code == 401


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "another-application"},
        {"aud": None},
        {"token_use": "refresh"},
        {"token_use": None},
        {"token_use": "access"},
        {"iss": "https://cognito-idp.example/other-pool"},
        {"exp": 1_000_000_000},
        {"exp": None},
    ],
    ids=str,
)
async def test_a_pool_token_with_a_flaw_is_refused(
    world: World, pool: KeyServer, changes: dict[str, Any]
) -> None:
    tenant = await world.tenant()
    subject = f"pool-{uuid4()}"
    await link(world, tenant.owner_id, subject)
    answer = await get_tenant(world, pool.token(subject, world.clock(), kid="first", **changes))
    assert answer.status_code == 401


async def test_a_pool_access_token_is_known_by_its_client_id(world: World, pool: KeyServer) -> None:
    tenant = await world.tenant()
    subject = f"pool-{uuid4()}"
    await link(world, tenant.owner_id, subject)
    token = pool.token(
        subject, world.clock(), kid="first", aud=None, token_use="access", client_id=CLIENT_ID
    )
    assert (await get_tenant(world, token)).status_code == 200


async def test_pool_keys_rotate_without_a_restart_and_strangers_cause_few_fetches(
    world: World, pool: KeyServer
) -> None:
    tenant = await world.tenant()
    subject = f"pool-{uuid4()}"
    await link(world, tenant.owner_id, subject)
    pool.add_key("second")
    try:
        rotated = pool.token(subject, world.clock(), kid="second")
        world.clock.move(seconds=31)
        before = pool.fetches
        answers = await asyncio.gather(*(get_tenant(world, rotated) for _ in range(5)))
        assert {answer.status_code for answer in answers} == {200}
        assert pool.fetches == before + 1
        pool.add_key("unpublished")
        stranger = pool.token(subject, world.clock(), kid="unpublished")
        del pool.keys["unpublished"]
        for _ in range(5):
            assert (await get_tenant(world, stranger)).status_code == 401
        assert pool.fetches == before + 1, "the cool-down holds"
    finally:
        pool.keys.pop("second", None)


async def test_an_outage_of_the_pool_does_not_sign_everybody_out(
    world: World, pool: KeyServer
) -> None:
    tenant = await world.tenant()
    subject = f"pool-{uuid4()}"
    await link(world, tenant.owner_id, subject)
    assert (
        await get_tenant(world, pool.token(subject, world.clock(), kid="first"))
    ).status_code == 200
    pool.broken = True
    try:
        world.clock.move(minutes=6)
        fresh = pool.token(subject, world.clock(), kid="first")
        assert (await get_tenant(world, fresh)).status_code == 200
    finally:
        pool.broken = False
