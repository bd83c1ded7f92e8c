"""RS256 tokens of a Cognito user pool, or of any issuer with the same claims (A1)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jwt

from tensorcost.domain.clock import Clock
from tensorcost.domain.errors import Unauthenticated
from tensorcost.domain.identity.token import TokenKind, VerifiedToken
from tensorcost.providers.identity.claims import OPTIONS, check_times, tenant_claim
from tensorcost.providers.identity.jwks import RemoteKeys


@dataclass(frozen=True, slots=True)
class CognitoVerifier:
    """Verifies id and access tokens that the pool issued to one of our app clients."""

    issuer: str
    client_ids: frozenset[str]
    keys: RemoteKeys
    clock: Clock

    async def verify(self, token: str) -> VerifiedToken:
        """The token's claims; a tenant claim is optional, memberships decide."""
        claims = await self._decode(token)
        use = claims.get("token_use")
        if use == "id":
            self._expect_audience(claims)
        elif use == "access":
            self._expect_client(claims)
        else:
            raise Unauthenticated("the token's use is neither id nor access")
        return VerifiedToken(
            kind=TokenKind.FEDERATED,
            subject=claims["sub"],
            expires_at=check_times(claims, self.clock()),
            tenant_id=tenant_claim(claims, "custom:tenantId", "custom:tenant_id", "tenantId"),
            verified_email=_verified_email(claims) if use == "id" else None,
        )

    async def _decode(self, token: str) -> dict[str, Any]:
        try:
            kid = jwt.get_unverified_header(token).get("kid")
            if not isinstance(kid, str):
                raise Unauthenticated("the token names no key")
            key = await self.keys.key(kid)
            return jwt.decode(
                token, key.key, algorithms=["RS256"], issuer=self.issuer, options=OPTIONS
            )
        except jwt.InvalidTokenError as error:
            raise Unauthenticated("the token's signature or claims are not valid") from error

    def _expect_audience(self, claims: Mapping[str, Any]) -> None:
        if claims.get("aud") not in self.client_ids:
            raise Unauthenticated("the token was issued to another application")

    def _expect_client(self, claims: Mapping[str, Any]) -> None:
        """Access tokens carry ``client_id``; ``aud`` only when bound to a resource."""
        if claims.get("client_id") not in self.client_ids:
            raise Unauthenticated("the token was issued to another application")


def _verified_email(claims: Mapping[str, Any]) -> str | None:
    """Cognito writes ``email_verified`` as a boolean, some federations as text."""
    email = claims.get("email")
    verified = claims.get("email_verified") in (True, "true")
    return email.lower() if verified and isinstance(email, str) else None
