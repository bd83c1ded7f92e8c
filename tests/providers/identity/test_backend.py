"""HS256 tokens: keys, rotation, what is in them."""

from datetime import timedelta
from uuid import uuid4

import jwt
import pytest

from tensorcost.domain.errors import Unauthenticated
from tensorcost.domain.identity.scopes import Scope
from tensorcost.domain.identity.token import TokenKind
from tensorcost.domain.ids import TenantId, UserId
from tensorcost.providers.identity.backend import BackendVerifier, SigningKeys, TokenMinter
from tests.support.clock import MovableClock

ISSUER = "https://fake-backend.example"
OLD = b"fake-old-secret-of-thirty-two-byte"
NEW = b"fake-new-secret-of-thirty-two-byte"
TENANT = TenantId(uuid4())


async def test_during_a_rotation_both_secrets_verify_and_the_active_one_signs() -> None:
    clock = MovableClock()
    before = SigningKeys({"old": OLD}, active="old")
    during = SigningKeys({"old": OLD, "new": NEW}, active="new")
    after = SigningKeys({"new": NEW}, active="new")
    earlier = TokenMinter(ISSUER, before, clock).user(UserId(uuid4()), TENANT)
    later = TokenMinter(ISSUER, during, clock).user(UserId(uuid4()), TENANT)
    assert jwt.get_unverified_header(later)["kid"] == "new"
    for token in (earlier, later):
        assert (await BackendVerifier(ISSUER, during, clock).verify(token)).tenant_id == TENANT
    await BackendVerifier(ISSUER, after, clock).verify(later)
    with pytest.raises(Unauthenticated):
        await BackendVerifier(ISSUER, after, clock).verify(earlier)


async def test_a_users_token_holds_no_role_and_lives_fifteen_minutes() -> None:
    clock = MovableClock()
    keys = SigningKeys({"k": NEW}, active="k")
    token = TokenMinter(ISSUER, keys, clock).user(UserId(uuid4()), TENANT)
    claims = jwt.decode(token, options={"verify_signature": False})
    assert claims["exp"] - claims["iat"] == 900
    assert set(claims) == {"iss", "sub", "tenantId", "iat", "exp", "token_use"}
    verified = await BackendVerifier(ISSUER, keys, clock).verify(token)
    assert (verified.kind, verified.scopes) == (TokenKind.USER, None)


async def test_a_service_token_may_carry_scopes() -> None:
    clock = MovableClock()
    keys = SigningKeys({"k": NEW}, active="k")
    scopes = frozenset({Scope.COST_READ, Scope.AI_READ})
    token = TokenMinter(ISSUER, keys, clock).service("x", TENANT, timedelta(hours=1), scopes)
    verified = await BackendVerifier(ISSUER, keys, clock).verify(token)
    assert (verified.kind, verified.scopes) == (TokenKind.SERVICE, scopes)


@pytest.mark.parametrize(
    ("secrets", "active"), [({"k": b"short"}, "k"), ({"k": NEW}, "other"), ({}, "k")]
)
def test_weak_or_missing_signing_keys_are_refused_at_start(
    secrets: dict[str, bytes], active: str
) -> None:
    with pytest.raises(ValueError, match="sign"):
        SigningKeys(secrets, active)
