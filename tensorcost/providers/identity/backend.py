"""HS256 tokens that we issue ourselves: after a sign-in, and for services (A1)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import jwt

from tensorcost.domain.clock import Clock
from tensorcost.domain.errors import Unauthenticated
from tensorcost.domain.identity.scopes import Scope
from tensorcost.domain.identity.token import TokenKind, VerifiedToken
from tensorcost.domain.ids import TenantId, UserId
from tensorcost.providers.identity.claims import OPTIONS, check_times, tenant_claim

ACCESS_LIFETIME: Final = timedelta(minutes=15)
_MIN_SECRET: Final = 32


@dataclass(frozen=True, slots=True)
class SigningKeys:
    """The live secrets by ``kid``. Two of them during a rotation; ``active`` signs."""

    secrets: Mapping[str, bytes]
    active: str

    def __post_init__(self) -> None:
        if self.active not in self.secrets:
            raise ValueError("the active signing key is not among the secrets")
        if any(len(secret) < _MIN_SECRET for secret in self.secrets.values()):
            raise ValueError(f"signing secrets have at least {_MIN_SECRET} bytes")


@dataclass(frozen=True, slots=True)
class BackendVerifier:
    """Verifies what ``TokenMinter`` and other holders of the secret sign."""

    issuer: str
    keys: SigningKeys
    clock: Clock

    async def verify(self, token: str) -> VerifiedToken:
        """The token's claims; needs a tenant, as ``tenantId`` or ``tenant_id``."""
        claims = self._decode(token)
        tenant = tenant_claim(claims, "tenantId", "tenant_id")
        if tenant is None:
            raise Unauthenticated("the token names no tenant")
        service = claims.get("token_use", "service") != "access"
        return VerifiedToken(
            kind=TokenKind.SERVICE if service else TokenKind.USER,
            subject=claims["sub"],
            expires_at=check_times(claims, self.clock()),
            tenant_id=tenant,
            scopes=_scopes(claims) if service else None,
        )

    def _decode(self, token: str) -> dict[str, Any]:
        try:
            kid = jwt.get_unverified_header(token).get("kid")
        except jwt.InvalidTokenError as error:
            raise Unauthenticated("the token is not a JWT") from error
        failed: jwt.InvalidTokenError | None = None
        for name, secret in self.keys.secrets.items():
            if kid is not None and kid != name:
                continue
            try:
                return jwt.decode(
                    token, secret, algorithms=["HS256"], issuer=self.issuer, options=OPTIONS
                )
            except jwt.InvalidTokenError as error:
                failed = error
        raise Unauthenticated("the token's signature or claims are not valid") from failed


@dataclass(frozen=True, slots=True)
class TokenMinter:
    """Signs access tokens with the active key."""

    issuer: str
    keys: SigningKeys
    clock: Clock

    def user(self, user_id: UserId, tenant_id: TenantId) -> str:
        """A signed-in user's token for 15 minutes. Roles are not in it: they are looked up."""
        return self._sign(str(user_id), tenant_id, ACCESS_LIFETIME, {"token_use": "access"})

    def service(
        self,
        name: str,
        tenant_id: TenantId,
        lifetime: timedelta,
        scopes: frozenset[Scope] | None = None,
    ) -> str:
        """A service's token, bound to ``tenant_id``; without ``scopes``, the service role's."""
        extra: dict[str, Any] = {"token_use": "service"}
        if scopes is not None:
            extra["scope"] = " ".join(sorted(scopes))
        return self._sign(name, tenant_id, lifetime, extra)

    def _sign(
        self, subject: str, tenant_id: TenantId, lifetime: timedelta, extra: dict[str, Any]
    ) -> str:
        now = self.clock()
        claims = {
            "iss": self.issuer,
            "sub": subject,
            "tenantId": str(tenant_id),
            "iat": int(now.timestamp()),
            "exp": int((now + lifetime).timestamp()),
            **extra,
        }
        secret = self.keys.secrets[self.keys.active]
        return jwt.encode(claims, secret, algorithm="HS256", headers={"kid": self.keys.active})


def _scopes(claims: Mapping[str, Any]) -> frozenset[Scope] | None:
    named = claims.get("scope")
    if named is None:
        return None
    known = {scope.value for scope in Scope}
    words = named.split() if isinstance(named, str) else []
    unknown = [word for word in words if word not in known]
    if unknown or not words:
        raise Unauthenticated("the token's scope claim is not a list of our scopes")
    return frozenset(Scope(word) for word in words)
